"""amtool 0.25 prints the same of us as of a real Alertmanager, and ends with the same code."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from controlplane.cli.main import main
from tests.conformance.alertmanager.configuration import CONFIGURATION
from tests.support.alertmanager import (
    alertmanager,
    needs_alertmanager,
    needs_amtool,
    without_ids,
)
from tests.support.service import eventually, run_program, running

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+Z| UTC)")

# `{id}` is the first silence that is active. What amtool sends at once comes in any order.
_COMMANDS: Final = (
    "alert add alertname=Disk host=db1 team=db severity=critical cluster=a "
    "--annotation=summary=full --generator-url=http://p/g",
    "alert add alertname=Lag host=db1 severity=warning cluster=a",
    "alert",
    "alert query -o extended team=db",
    "alert query --inhibited",
    "alert query --receiver=pager",
    "alert query Disk",
    "alert query bad=~(",
    "silence add alertname=Disk host=~db.+ --comment=moving --author=ops --duration=2h",
    "silence query",
    "silence query -o extended host=~db.+",
    "alert query --silenced",
    "alert query --active",
    "silence update --comment=longer --duration=4h {id}",
    "silence query -o json",
    "silence expire {id}",
    "silence",
    "silence query --expired",
    "silence add alertname=x",
    "silence import --force {file}",
    "silence query alertname=Imported",
    "cluster show",
    "config routes",
    "config routes test team=db severity=critical",
)


@needs_alertmanager
@needs_amtool
async def test_amtool_sees_no_difference(tmp_path: Path) -> None:
    """Alerts, silences, cluster and routes: output and exit codes, but for times and ids."""
    matcher = {"name": "alertname", "value": "Imported", "isRegex": False, "isEqual": True}
    silence = {
        "matchers": [matcher],
        "startsAt": "2026-01-01T00:00:00.000Z",
        "endsAt": "2099-01-01T00:00:00.000Z",
        "createdBy": "ops",
        "comment": "brought along",
    }
    file = tmp_path / "silences.json"
    file.write_text(json.dumps([silence]))
    async with (
        running(tmp_path, CONFIGURATION) as service,
        alertmanager(tmp_path, CONFIGURATION) as url,
    ):
        for command in _COMMANDS:
            ours = await _amtool(f"{service.url}/alertmanager", command, file)
            theirs = await _amtool(url, command, file)
            assert ours == theirs, command


@needs_amtool
async def test_amtool_reads_our_configuration(tmp_path: Path) -> None:
    """What `config show` prints is a file that amtool finds good; nothing secret is in it."""
    hidden = {
        "name": "all",
        "slack_configs": [{"api_url": "http://127.0.0.1/hidden", "channel": "#a"}],
        "pagerduty_configs": [{"routing_key": "hidden"}],
        "webhook_configs": [{"url": "http://127.0.0.1:9/hidden"}],
        "email_configs": [{"to": "a@x", "from": "b@x", "smarthost": "127.0.0.1:9"}],
        "opsgenie_configs": [{"api_key": "hidden", "timeout": "5s"}],
        "victorops_configs": [{"routing_key": "r"}],
        "pushover_configs": [{"token": "hidden", "user_key": "hidden", "expire": "48h"}],
        "telegram_configs": [{"bot_token": "hidden", "chat_id": -100}],
    }
    interval = {"times": [{"start_time": "00:00", "end_time": "06:00"}], "location": "UTC"}
    configuration = {
        **CONFIGURATION,
        "global": {
            "scrape_interval": "1s",
            "resolve_timeout": "3m",
            "victorops_api_key": "hidden",
        },
        "receivers": [*CONFIGURATION["receivers"][:-1], hidden],
        "time_intervals": [{"name": "nights", "time_intervals": [interval]}],
    }
    async with running(tmp_path, configuration) as service:
        words = (f"--alertmanager.url={service.url}/alertmanager", "config", "show")
        code, out, errors = await run_program("amtool", "--no-version-check", *words)
    assert code == 0, errors
    assert "hidden" not in out
    file = tmp_path / "shown.yml"
    file.write_text(out)
    code, out, errors = await run_program("amtool", "check-config", str(file))
    assert code == 0, errors
    assert "SUCCESS" in out


@needs_amtool
@pytest.mark.parametrize(
    "words",
    [
        "",
        "team=db",
        "team=db severity=critical",
        "team=db severity=critical --tree",
        "team=all cluster=a --tree",
        "severity=critical --verify.receivers=pager",
        "severity=critical --verify.receivers=pager,db",
        "severity",
    ],
)
async def test_routes_are_tested_as_amtool_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    """The same output, the same code."""
    file = tmp_path / "alertmanager.yml"
    file.write_text(json.dumps(CONFIGURATION))
    given = words.split()
    code, out, _ = await run_program(
        "amtool", "config", "routes", "test", f"--config.file={file}", *given
    )
    assert main(["test", "routes", "--config", str(file), *given]) == code
    assert capsys.readouterr().out == out


async def _amtool(url: str, command: str, file: Path) -> tuple[int, str, str]:
    base = ("amtool", "--no-version-check", f"--alertmanager.url={url}")
    if "{id}" in command:
        _, out, _ = await run_program(*base, "silence", "query", "-q")
        command = command.replace("{id}", out.split()[0])
    words = command.replace("{file}", str(file)).split()
    if words[:2] == ["alert", "query"] or words == ["alert"]:
        await eventually(lambda: _inhibits(base), "an alert that inhibits another")
    code, out, errors = await run_program(*base, *words)
    said = _TIME.sub(lambda match: "-" * len(match[0]), out)
    return code, without_ids(said), _reason(errors)


async def _inhibits(base: tuple[str, ...]) -> bool:
    _, out, _ = await run_program(*base, "alert", "query", "--inhibited", "-o", "json")
    return len(json.loads(out)) == 1


def _reason(errors: str) -> str:
    """Return what was said of an error; the words on a regex are those of each one's library."""
    return re.sub(
        r"(invalid regular expression|error parsing regexp).*", "bad regex", errors
    ).strip()
