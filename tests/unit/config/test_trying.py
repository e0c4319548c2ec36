"""`drills` and `check_ins` of the file."""

from pathlib import Path

import pytest

from controlplane.config.config import Config
from controlplane.config.loader import load
from controlplane.config.render import render
from controlplane.errors import ConfigError
from controlplane.model.labels import Labels
from controlplane.notify.drill import DrillOptions

_ROUTING = """
route: {receiver: ops, routes: [{receiver: desk, matchers: ['team="desk"']}]}
receivers: [{name: ops}, {name: desk}, {name: unused}]
"""


def loaded(directory: Path, text: str) -> Config:
    path = directory / "controlplane.yml"
    path.write_text(_ROUTING + text)
    return load(path)


def refusal(directory: Path, text: str) -> str:
    """Return why a file is refused."""
    with pytest.raises(ConfigError) as caught:
        loaded(directory, text)
    return "\n".join(f"{each.line}: {each.reason}" for each in caught.value.problems)


def test_drills_are_read(tmp_path: Path) -> None:
    """For a receiver or by labels, by the calendar or at an interval."""
    config = loaded(
        tmp_path,
        """
drills:
  - {name: weekly, receiver: desk, schedule: 0 9 * * mon, location: Europe/Berlin}
  - {name: way, labels: {team: desk}, interval: 1h, deliver_within: 2m, resolve_within: 6m}
""",
    )
    weekly, way = config.drills
    assert weekly == DrillOptions(
        "weekly", receiver="desk", schedule="0 9 * * mon", location="Europe/Berlin"
    )
    assert way == DrillOptions(
        "way",
        labels=Labels({"team": "desk"}),
        interval=3_600_000,
        deliver_within=120_000,
        resolve_within=360_000,
    )


def test_check_ins_are_read_and_never_shown(tmp_path: Path) -> None:
    """An address is a secret, here or in a file of its own."""
    (tmp_path / "address").write_text("https://monitor.example/ping/2\n")
    config = loaded(
        tmp_path,
        """
check_ins:
  - {name: a, url: "https://monitor.example/ping/1", fail_url: "https://monitor.example/bad/1"}
  - {name: b, url_file: address, interval: 30s, timeout: 5s, method: POST}
""",
    )
    first, second = config.check_ins
    assert first.fail_url is not None
    assert first.fail_url.reveal() == "https://monitor.example/bad/1"
    assert second.url.reveal() == "https://monitor.example/ping/2"
    assert (second.interval, second.timeout, second.method) == (30_000, 5_000, "POST")
    shown = render(config)
    assert "monitor.example" not in shown
    assert "url_file: " in shown


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("drills: [{name: a, receiver: gone, interval: 1h}]", "undefined receiver 'gone' used in"),
        ("drills: [{name: a, receiver: unused, interval: 1h}]", "no route leads to the receiver"),
        ("drills: [{name: a, interval: 1h}]", "either a receiver or labels"),
        ("drills: [{name: a, receiver: ops}]", "either a schedule or an interval"),
        ("drills: [{name: a, receiver: ops, interval: 1s}]", "interval must be at least 1m"),
        ("drills: [{name: a, receiver: ops, schedule: 9 daily}]", "not a schedule"),
        (
            "drills: [{name: a, receiver: ops, schedule: 0 9 * * *, location: Mars}]",
            "unknown time zone Mars",
        ),
        (
            "drills: [{name: a, receiver: ops, interval: 1h}, {name: a, receiver: ops}]",
            "name 'a' is not unique",
        ),
        ("check_ins: [{name: a}]", "one of url & url_file must be configured"),
        ("check_ins: [{name: a, url: 'ftp://x'}]", "not a URL with http"),
        ("check_ins: [{name: a, url: 'http://x', method: PUT}]", "expected one of GET, HEAD, POST"),
        ("check_ins: [{name: a, url: 'http://x', interval: 5s}]", "timeout is longer than"),
    ],
)
def test_what_cannot_work_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    """All of it when the file is read, not when the time has come."""
    said = refusal(tmp_path, text)
    assert said.startswith("4: ")
    assert reason in said
