"""The short way from heads to labels comes to what the long way does, whatever the head."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controlplane.errors import ControlPlaneError
from controlplane.model.labels import Labels
from controlplane.scrape.exposition.grammar import ExpositionError, Grammar
from controlplane.scrape.exposition.openmetrics import OPENMETRICS
from controlplane.scrape.exposition.page import Shape, read
from controlplane.scrape.exposition.text import TEXT
from controlplane.scrape.naming import Naming
from controlplane.scrape.options import ScrapeConfig
from controlplane.scrape.sample_labels import stored_labels

TARGET = Labels({"job": "shop", "instance": "10.0.0.5:80", "le": "mine", "zone": "ä"})
_NAMES = st.sampled_from(
    ["le", "quantile", "job", "exported_job", "zone", "a", "b", '"x.y"', "le "]
)
_VALUES = st.sampled_from(
    ["", "1", "5", "+Inf", "0.50", "ä", "x y", "} 1", "{", r"\"", r"\\", "\x00"]
)
_PAIRS = st.lists(st.tuples(_NAMES, _VALUES), max_size=4)
_KINDS = st.sampled_from(["histogram", "summary", "gauge"])


def line(name: str, pairs: list[tuple[str, str]]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in pairs)
    return f"{name}{{{inside}}} 1" if pairs or not name else f"{name} 1"


def the_long_way(shape: Shape, config: ScrapeConfig) -> list[Labels | None] | str:
    """Return all label sets, or the words of the first that is refused."""
    try:
        return [stored_labels(shape.labels(slot), TARGET, config) for slot in range(len(shape))]
    except ControlPlaneError as error:
        return str(error)


def the_short_way(shape: Shape, config: ScrapeConfig) -> list[Labels | None] | str:
    try:
        return Naming(TARGET, config).labels(shape, range(len(shape)))
    except ControlPlaneError as error:
        return str(error)


@pytest.mark.parametrize("grammar", [TEXT, OPENMETRICS])
@given(
    st.lists(st.tuples(_KINDS, st.sampled_from(["m", "n:o", '{"m.x"']), _PAIRS), max_size=6),
    st.booleans(),
)
@example([("histogram", "m", [("le", "5")]), ("gauge", "m", [("le", "5")])], False)
@example([("gauge", "m", [("a", "")]), ("gauge", "m", [("a", "x")])], True)
def test_both_ways_come_to_the_same(
    grammar: Grammar,
    families: list[tuple[str, str, list[tuple[str, str]]]],
    honor: bool,
) -> None:
    """Labels, conflicts, numbers written anew, and errors in their words."""
    lines = []
    for kind, name, pairs in families:
        lines.append(f"# TYPE m {kind}")
        if name.startswith("{"):
            inside = "".join(f',{label}="{value}"' for label, value in pairs)
            lines.append(f"{name}{inside}}} 1")
        else:
            lines.append(line(name, pairs))
    lines += ["# EOF"] if grammar is OPENMETRICS else []
    try:
        shape = read("\n".join([*lines, ""]).encode(), grammar).shape
    except ExpositionError:
        return
    config = ScrapeConfig("shop", honor_labels=honor)
    assert the_short_way(shape, config) == the_long_way(shape, config)


def test_labels_of_one_kind_share_their_pairs() -> None:
    """The memory of many series is that of their values, not of their labels."""
    body = b'm{a="1",b="x"} 1\nm{a="2",b="x"} 1\n'
    first, second = Naming(TARGET, ScrapeConfig("shop")).labels(read(body, TEXT).shape, [0, 1])
    assert first is not None
    assert second is not None
    shared = [a is b for a, b in zip(first.pairs, second.pairs, strict=True)]
    assert shared.count(False) == 1


def test_invalid_utf8_is_refused_by_its_line() -> None:
    """Also when heads of the same names were read before."""
    shape = read(b'm{a="1"} 1\nm{a="\xff"} 1\n', TEXT).shape
    naming = Naming(TARGET, ScrapeConfig("shop"))
    assert naming.labels(shape, [0])
    with pytest.raises(ExpositionError, match="UTF-8"):
        naming.labels(shape, [1])
