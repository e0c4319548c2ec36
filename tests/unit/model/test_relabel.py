"""Relabelling: every action, Go's templates, and what is refused."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.relabel import Action, RelabelConfig, relabel

ABC = {"a": "foo", "b": "bar", "c": "baz"}


def step(action: Action = Action.REPLACE, **fields: Any) -> RelabelConfig:
    return RelabelConfig(action=action, **fields)


@pytest.mark.parametrize(
    ("labels", "steps", "expected"),
    [
        (
            ABC,
            [step(source_labels=("a",), regex="f(.*)", target_label="d", replacement="ch$1-ch$1")],
            {**ABC, "d": "choo-choo"},
        ),
        (
            ABC,
            [
                step(
                    source_labels=("a", "b"),
                    regex="f(.*);(.*)r",
                    target_label="a",
                    replacement="b${1}${2}m",
                ),
                step(
                    source_labels=("c", "a"),
                    regex="(b).*b(.*)ba(.*)",
                    target_label="d",
                    replacement="$1$2$2$3",
                ),
            ],
            {**ABC, "a": "boobam", "d": "boooom"},
        ),
        ({"a": "x"}, [step(source_labels=("a",), regex="y", target_label="b")], {"a": "x"}),
        ({"a": "x", "b": "y"}, [step(target_label="b", replacement="")], {"a": "x"}),
        (
            {"a": "foo", "f": "baz"},
            [step(source_labels=("a",), regex="(f).*", target_label="$1", replacement="$2")],
            {"a": "foo"},
        ),
        ({"a": "x"}, [step(source_labels=("a",), regex="(z)?x", target_label="${1}")], {"a": "x"}),
        (
            {"a": "line1\nline2"},
            [step(source_labels=("a",), regex="line1.*", target_label="b", replacement="m")],
            {"a": "line1\nline2", "b": "m"},
        ),
        (
            {"a": "x-y"},
            [
                step(
                    source_labels=("a",),
                    regex="(?P<left>.*)-(?P<right>.*)",
                    target_label="sträng.${left}",
                    replacement="${right}:$right-$$-$1x-${9}-$",
                )
            ],
            {"a": "x-y", "sträng.x": "y:y-$---$"},
        ),
        (
            ABC,
            [step(Action.HASHMOD, source_labels=("c",), target_label="d", modulus=1000)],
            {**ABC, "d": "976"},
        ),
        (
            {"a": "foo\nbar"},
            [step(Action.HASHMOD, source_labels=("a",), target_label="b", modulus=1000)],
            {"a": "foo\nbar", "b": "734"},
        ),
        (
            {"a": "foo", "b1": "bar", "b2": "baz"},
            [step(Action.LABELMAP, regex="(b.*)", replacement="bar_${1}")],
            {"a": "foo", "b1": "bar", "b2": "baz", "bar_b1": "bar", "bar_b2": "baz"},
        ),
        (
            {"x1": "first", "x2": "second"},
            [step(Action.LABELMAP, regex="x.", replacement="y")],
            {"x1": "first", "x2": "second", "y": "second"},
        ),
        ({"a": "1", "b": "2"}, [step(Action.LABELDROP, regex="a|c")], {"b": "2"}),
        ({"a": "1", "b": "2"}, [step(Action.LABELKEEP, regex="a|c")], {"a": "1"}),
        (
            {"a": "ΣÄß İ"},
            [
                step(Action.LOWERCASE, source_labels=("a",), target_label="low"),
                step(Action.UPPERCASE, source_labels=("a",), target_label="up"),
            ],
            {"a": "ΣÄß İ", "low": "σäß i", "up": "ΣÄß İ"},
        ),
        (ABC, [step(Action.KEEP, source_labels=("a",), regex="f.*")], ABC),
        (ABC, [step(Action.KEEP, source_labels=("a",), regex="f")], None),
        (ABC, [step(Action.DROP, source_labels=("a",), regex="f|o")], ABC),
        (ABC, [step(Action.DROP, source_labels=("a", "b"), regex="foo;bar")], None),
        (
            {"p": "1", "q": "1"},
            [step(Action.KEEP_EQUAL, source_labels=("p",), target_label="q")],
            {"p": "1", "q": "1"},
        ),
        (
            {"p": "1", "q": "2"},
            [step(Action.KEEP_EQUAL, source_labels=("p",), target_label="q")],
            None,
        ),
        (
            {"p": "1", "q": "1"},
            [step(Action.DROP_EQUAL, source_labels=("p",), target_label="q")],
            None,
        ),
        (
            {"p": "1", "q": "2"},
            [step(Action.DROP_EQUAL, source_labels=("p",), target_label="q")],
            {"p": "1", "q": "2"},
        ),
    ],
)
def test_actions(
    labels: dict[str, str], steps: list[RelabelConfig], expected: dict[str, str] | None
) -> None:
    """Each action does to a label set what Prometheus does."""
    assert relabel(labels, steps) == (None if expected is None else Labels(expected))


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"regex": "("}, ""),
        ({"target_label": ""}, "/target_label"),
        ({"action": Action.HASHMOD, "target_label": "a"}, "/modulus"),
        ({"action": Action.LOWERCASE, "source_labels": ("a",)}, "/target_label"),
        ({"action": Action.LABELMAP, "replacement": ""}, "/replacement"),
        ({"action": Action.KEEP_EQUAL, "target_label": "a", "regex": "x"}, "/regex"),
        ({"action": Action.LABELDROP, "source_labels": ("a",)}, "/source_labels"),
        ({"action": Action.LABELKEEP, "target_label": "a"}, "/target_label"),
        ({"action": Action.UPPERCASE, "target_label": "a", "replacement": "x"}, "/replacement"),
    ],
)
def test_refused(fields: dict[str, Any], pointer: str) -> None:
    """A step that Prometheus refuses is refused, with the key that is wrong."""
    with pytest.raises(InvalidInput) as refused:
        RelabelConfig(**fields)
    assert refused.value.pointer == pointer


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_identity(labels: dict[str, str]) -> None:
    """Labels that no step touches come out as they went in."""
    untouched = [step(source_labels=("no such",), regex="x", target_label="y")]
    clean = {k: v for k, v in labels.items() if k.isprintable() and v.isprintable()}
    assert relabel(clean, untouched) == Labels(clean)


PROMTOOL = shutil.which("promtool")

STEPS: list[dict[str, Any]] = [
    {"source_labels": ["__address__"], "regex": "(.*):.*", "target_label": "host"},
    {"source_labels": ["env", "tier"], "separator": "/", "target_label": "both"},
    {"action": "labelmap", "regex": "__meta_(zone.*)", "replacement": "m_$1"},
    {"action": "hashmod", "source_labels": ["__address__"], "modulus": 7, "target_label": "s"},
    {"action": "uppercase", "source_labels": ["both"], "target_label": "loud"},
    {"source_labels": ["env"], "regex": "p(?P<rest>.*)", "target_label": "t_${rest}"},
    {"source_labels": ["env"], "regex": "(p)(x)?.*", "target_label": "odd", "replacement": "$1x$2"},
    {"action": "labeldrop", "regex": "tie."},
    {"action": "drop", "source_labels": ["env"], "regex": "dev"},
    {"action": "dropequal", "source_labels": ["env"], "target_label": "twin"},
]
TARGETS: list[dict[str, str]] = [
    {"env": "prod", "tier": "back", "__meta_zone": "z1", "__meta_zone_id": "7"},
    {"env": "dev", "tier": "back"},
    {"env": "stage", "twin": "stage"},
    {"env": "p", "tier": "", "twin": "q"},
    {"tier": "front"},
]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_same_as_promtool(tmp_path: Path) -> None:
    """`promtool check service-discovery` comes to the same labels from the same steps."""
    groups = [{"targets": [f"t{n}:80"], "labels": labels} for n, labels in enumerate(TARGETS)]
    (tmp_path / "targets.json").write_text(json.dumps(groups))
    scrape = {
        "job_name": "j",
        "file_sd_configs": [{"files": [str(tmp_path / "targets.json")]}],
        "relabel_configs": STEPS,
    }
    path = tmp_path / "prometheus.yml"
    path.write_text(json.dumps({"scrape_configs": [scrape]}))
    command = [str(PROMTOOL), "check", "service-discovery", "--timeout=1s", str(path), "j"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    results = json.loads(answer[answer.index("[") :])
    theirs = {
        frozenset(_public(result["labels"]).items()) for result in results if result["labels"]
    }
    steps = [_config(fields) for fields in STEPS]
    ours = [
        relabel({**labels, "__address__": f"t{n}:80", "job": "j"}, steps)
        for n, labels in enumerate(TARGETS)
    ]
    assert theirs == {
        frozenset({"instance": labels["__address__"], **_public(labels)}.items())
        for labels in ours
        if labels is not None
    }
    assert len(theirs) == 2


def _public(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if not name.startswith("__")}


def _config(fields: dict[str, Any]) -> RelabelConfig:
    sources = tuple(fields.get("source_labels", ()))
    action = Action(fields.get("action", "replace"))
    return RelabelConfig(**{**fields, "source_labels": sources, "action": action})
