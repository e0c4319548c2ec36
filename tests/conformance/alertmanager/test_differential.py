"""The same calls to a real Alertmanager 0.25 and to ours: codes and bodies are equal.

What differs is named here: what came after 0.25, and what docs/api.md tells.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from controlplane.clock import SystemClock
from tests.conformance.alertmanager.configuration import CONFIGURATION
from tests.support.alertmanager import alertmanager, needs_alertmanager
from tests.support.service import eventually, running

_NOBODY: Final = "5d3b9a0e-0000-4000-8000-000000000000"
# Fields that 0.25 does not have, where they are empty.
_NEWER: Final[dict[str, Any]] = {"mutedBy": [], "routeLabels": {}}
# What differs, and how: (theirs, ours).
_NAMED: Final[dict[str, tuple[Any, Any]]] = {
    # Since 0.28 an unknown silence is not found.
    "expire nobody": ((500, "silence not found"), (404, "")),
    # Label names may be any UTF-8 since 0.27.
    "a name that was not valid": ((400, 'invalid label set: invalid name "1bad"'), (200, "")),
    # Newer words.
    "a silence of everything": (
        (400, "silence invalid: at least one matcher must not match the empty string"),
        (400, "invalid silence: at least one matcher must not match the empty string"),
    ),
    "a filter in braces": (
        (400, 'bad matcher format: {a="b"}'),
        (400, 'unexpected open or close brace: {a="b"}'),
    ),
    # Reasons are joined by line feeds since 0.28.
    "two bad ones": (
        (400, "at least one label pair required; start time must be before end time"),
        (400, "at least one label pair required\nstart time must be before end time"),
    ),
}
# Of these the code counts: the words are those of Go's libraries.
_CODES_ONLY: Final = frozenset(
    (
        "no list",
        "no JSON",
        "a number for a label",
        "a time that is none",
        "a regex that is none",
        "a matcher whose regex is none",
        "no such path",
    )
)

Call = tuple[str, str, str, Any]


def _time(**ago: float) -> str:
    now = datetime.fromtimestamp(SystemClock().now() // 1000, tz=UTC)
    return (now - timedelta(**ago)).isoformat().replace("+00:00", ".000Z")


def _silence(**other: Any) -> dict[str, Any]:
    matchers = [
        {"name": "alertname", "value": "Disk", "isRegex": False},
        {"name": "host", "value": "db.+", "isRegex": True},
        {"name": "team", "value": "web", "isRegex": False, "isEqual": False},
    ]
    known = {"matchers": matchers, "startsAt": _time(hours=1), "endsAt": _time(hours=-2)}
    return {**known, "createdBy": "ops", "comment": "known", **other}


def _alerts() -> list[dict[str, Any]]:
    times = {"startsAt": _time(minutes=9), "endsAt": _time(hours=-3)}
    sets: Sequence[dict[str, str]] = (
        {"alertname": "Disk", "host": "db1", "team": "db", "severity": "critical", "cluster": "a"},
        {"alertname": "Lag", "host": "db1", "team": "db", "severity": "warning", "cluster": "a"},
        {"alertname": "Lag", "host": "db2", "team": "db", "severity": "warning", "cluster": "b"},
        {"alertname": "Odd", "team": "all", "sign": '☃ "\\\n', "empty": ""},
        {"alertname": "Plain", "job": "x", "instance": "2"},
        {"alertname": "Plain", "job": "x", "instance": "1"},
        {"alertname": "Plain", "instance": "0"},
        {"severity": "critical"},
    )
    return [
        {"labels": labels, "annotations": {"summary": "<&>"}, "generatorURL": "http://p/g", **times}
        for labels in sets
    ]


def _calls() -> list[Call]:
    """Return all calls with their names, in order."""
    one = {"labels": {"alertname": "x"}}
    late = {"startsAt": _time(hours=1), "endsAt": _time(hours=2)}
    alerts: list[Call] = [
        ("alerts", "POST", "alerts", _alerts()),
        ("the same again", "POST", "alerts", _alerts()),
        ("no alerts", "POST", "alerts", []),
        ("nothing", "POST", "alerts", None),
        ("no list", "POST", "alerts", {}),
        ("no JSON", "POST", "alerts", b"["),
        ("no body", "POST", "alerts", b""),
        ("no labels", "POST", "alerts", [{}]),
        ("labels that are null", "POST", "alerts", [{"labels": None}]),
        ("a number for a label", "POST", "alerts", [{"labels": {"a": 1}}]),
        ("empty labels", "POST", "alerts", [{"labels": {"a": ""}}]),
        ("a time that is none", "POST", "alerts", [{**one, "startsAt": "soon"}]),
        ("a link that is none", "POST", "alerts", [{**one, "generatorURL": "not a url"}]),
        ("two bad ones", "POST", "alerts", [{"labels": {}}, {**one, **late}]),
        (
            "a name that was not valid",
            "POST",
            "alerts",
            [{"labels": {"1bad": "x"}, "endsAt": _time(hours=2)}],
        ),
    ]
    filters = [
        ("all", ""),
        ("one", "?filter=alertname=Disk"),
        ("two filters", '?filter=team="db"&filter=severity!="critical"'),
        ("regex", '?filter=host=~"db.*"'),
        ("not regex", '?filter=host!~"db.*"'),
        ("absent", '?filter=host=""'),
        ("present", '?filter=host!=""'),
        ("no inhibited", "?inhibited=false"),
        ("no silenced", "?silenced=0"),
        ("only suppressed", "?active=false"),
        ("odd flags", "?active=yes&inhibited=maybe&unknown=1"),
        ("unprocessed", "?unprocessed=false"),
        ("receiver", "?receiver=d.*"),
        ("receiver in part", "?receiver=d"),
    ]
    listed = [
        (f"{path}: {name}", "GET", f"{path}{given}", None)
        for path in ("alerts", "alerts/groups")
        for name, given in filters
    ]
    refused: list[Call] = [
        ("a filter that is none", "GET", "alerts?filter=bad", None),
        ("a filter in braces", "GET", 'alerts?filter={a="b"}', None),
        ("a regex that is none", "GET", "alerts?receiver=(", None),
        ("no such path", "GET", "nothing", None),
        ("receivers", "GET", "receivers", None),
    ]
    silences: list[Call] = [
        ("set", "POST", "silences", _silence()),
        ("set one for later", "POST", "silences", _silence(startsAt=_time(hours=-1))),
        ("change it", "POST", "silences", _silence(id="{0}", comment="more")),
        (
            "change its matchers",
            "POST",
            "silences",
            _silence(
                id="{0}",
                endsAt=_time(hours=-5),
                matchers=[{"name": "alertname", "value": "Plain", "isRegex": False}],
            ),
        ),
        ("all silences", "GET", "silences", None),
        ("filtered", "GET", "silences?filter=alertname=Plain", None),
        ("filtered by the regex", "GET", 'silences?filter=host=~"db.+"', None),
        ("one silence", "GET", "silence/{2}", None),
        ("alerts: silenced", "GET", "alerts?active=false&inhibited=false", None),
        ("alerts: not silenced", "GET", "alerts?silenced=false", None),
        ("groups: silenced", "GET", "alerts/groups?active=false", None),
        ("expire", "DELETE", "silence/{2}", None),
        ("expired", "GET", "silence/{2}", None),
        ("nobody", "GET", f"silence/{_NOBODY}", None),
        ("no id", "GET", "silence/abc", None),
        ("expire nobody", "DELETE", f"silence/{_NOBODY}", None),
        ("change nobody", "POST", "silences", _silence(id=_NOBODY)),
        ("nothing of a silence", "POST", "silences", {}),
        ("no matchers", "POST", "silences", _silence(matchers=[])),
        ("half a matcher", "POST", "silences", _silence(matchers=[{"name": "a", "value": "b"}])),
        ("no time", "POST", "silences", _silence(endsAt=_silence()["startsAt"])),
        (
            "over already",
            "POST",
            "silences",
            _silence(startsAt=_time(hours=3), endsAt=_time(hours=2)),
        ),
        (
            "a silence of everything",
            "POST",
            "silences",
            _silence(matchers=[{"name": "a", "value": "", "isRegex": False}]),
        ),
        (
            "a matcher whose regex is none",
            "POST",
            "silences",
            _silence(matchers=[{"name": "a", "value": "(", "isRegex": True}]),
        ),
    ]
    return [*alerts, *listed, *refused, *silences]


class Side:
    """One of the two: its address, and the ids that it gave."""

    def __init__(self, client: httpx.AsyncClient, base: str) -> None:
        self._client = client
        self._base = base
        self._ids: list[str] = []

    async def call(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return code and body, without what cannot be the same."""
        content = None
        if method == "POST":
            content = body if isinstance(body, bytes) else self._fill(json.dumps(body)).encode()
        answer = await self._client.request(
            method,
            f"{self._base}/api/v2/{self._fill(path)}",
            content=content,
            headers={"content-type": "application/json"},
        )
        text = answer.text.strip()
        found = json.loads(text) if text else ""
        if isinstance(found, dict) and found.get("silenceID", "") not in ["", *self._ids]:
            self._ids.append(found["silenceID"])
        for place, name in enumerate(self._ids):
            text = text.replace(name, f"#{place}")
        return answer.status_code, _plain(json.loads(text) if text else "")

    def _fill(self, text: str) -> str:
        for place, name in enumerate(self._ids):
            text = text.replace(f"{{{place}}}", name)
        return text


def _plain(found: Any) -> Any:
    """Return a body without ids, without moments of the test, without what 0.25 does not have."""
    if isinstance(found, list):
        return [_plain(each) for each in found]
    if not isinstance(found, dict):
        return found
    told = {name: held for name, held in found.items() if _NEWER.get(name, None) != held}
    if "comment" in told and told.get("annotations") == {}:
        del told["annotations"]
    if set(told) == {"name", "labels"}:
        del told["labels"]
    for name in ("startsAt", "endsAt", "updatedAt"):
        if name in told and abs(_since(told[name])) < timedelta(minutes=5):
            told[name] = "now"
    return {name: _plain(held) for name, held in told.items()}


def _since(text: str) -> timedelta:
    now = datetime.fromtimestamp(SystemClock().now() / 1000, tz=UTC)
    return now - datetime.fromisoformat(text)


@pytest.mark.slow
@needs_alertmanager
async def test_both_answer_alike(tmp_path: Path) -> None:
    """Alerts, groups, receivers, silences, and every way to ask for them wrongly."""
    async with (
        running(tmp_path, CONFIGURATION) as service,
        alertmanager(tmp_path, CONFIGURATION) as url,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        ours, theirs = Side(client, f"{service.url}/alertmanager"), Side(client, url)
        different: dict[str, Any] = {}
        for name, method, path, body in _calls():
            pair = await asyncio.gather(
                theirs.call(method, path, body), ours.call(method, path, body)
            )
            if name == "the same again":
                await eventually(lambda: _grouped(theirs), "the groups of Alertmanager")
            both = tuple((code, "" if name in _CODES_ONLY else said) for code, said in pair)
            if both[0] != both[1] and both != _NAMED.get(name):
                different[name] = both
        assert different == {}, json.dumps(different, indent=1)


async def _grouped(side: Side) -> bool:
    _, groups = await side.call("GET", "alerts/groups", None)
    return len(groups) >= 7
