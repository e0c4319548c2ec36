"""`controlplane grafana sync` against a stand-in Grafana: what it prints, and its exit codes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.cli import grafana as command
from controlplane.cli.main import main
from controlplane.model.target import DASHBOARD_TEMPLATES
from dashboards.catalogue import TEMPLATES, every_sheet
from dashboards.service_red import red_of
from tests.support.grafana import TOKEN, GrafanaStandIn, grafana


@pytest.fixture
def there() -> Iterator[GrafanaStandIn]:
    """Give a Grafana that is empty."""
    with grafana() as state:
        yield state


@pytest.fixture
def words(there: GrafanaStandIn, tmp_path: Path) -> list[str]:
    """Give the command with its address and its token."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return ["grafana", "sync", "--url", f"{there.url}/", "--token-file", str(tmp_path / "token")]


def test_the_whole_set_is_made_once(
    there: GrafanaStandIn, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight dashboards in their three folders; the second run finds nothing to do."""
    assert main(words) == 0
    assert "done: 8 create" in capsys.readouterr().out
    assert set(there.boards) == {sheet.uid for sheet in every_sheet()}
    assert there.folders == {
        "controlplane-services": "Services",
        "controlplane-alerting": "Alerting",
        "controlplane-control-plane": "Control plane",
    }
    there.changed.clear()
    assert main(words) == 0
    assert "done: 8 unchanged" in capsys.readouterr().out
    assert there.changed == []


def test_a_dry_run_tells_and_does_nothing(
    there: GrafanaStandIn, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--dry-run` names each dashboard and what would be done."""
    assert main([*words, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "+ controlplane-fleet" in printed
    assert "would be: 8 create" in printed
    assert there.changed == []


def test_what_is_not_ours_is_refused(
    there: GrafanaStandIn, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody's dashboard with a uid of ours stays, and the exit code is 1."""
    there.put({"uid": "controlplane-fleet", "title": "Mine", "tags": [], "panels": []})
    assert main(words) == 1
    assert "! controlplane-fleet" in capsys.readouterr().out
    assert there.boards["controlplane-fleet"]["title"] == "Mine"


def _listing(*items: dict[str, Any]) -> Any:
    """Return what stands for the service's list of targets, a page for each target."""

    def get(url: str, path: str, **parameters: Any) -> dict[str, Any]:
        assert (url, path) == ("http://cp", "/api/v1/targets")
        place = int(parameters.get("cursor", 0))
        more = str(place + 1) if place + 1 < len(items) else None
        return {"items": [items[place]], "next_cursor": more}

    return get


def _target(name: str, dashboard: str | None, **labels: str) -> dict[str, Any]:
    return {"name": name, "dashboard": dashboard, "labels": labels, "label_overrides": {}}


def test_services_get_what_they_ask_for(
    there: GrafanaStandIn, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One dashboard for each job of targets with `dashboard: red`, however many targets it has."""
    targets = (
        _target("shop-1", "red", job="shop"),
        _target("shop-2", "red", job="shop"),
        _target("blog", "red"),
        _target("mail", None),
    )
    monkeypatch.setattr(command, "get", _listing(*targets))
    assert main([*words, "--services", "http://cp"]) == 0
    own = {red_of("shop").uid, red_of("blog").uid}
    assert set(there.boards) == {sheet.uid for sheet in every_sheet()} | own
    assert there.placed[red_of("shop").uid] == "controlplane-services"


def test_services_dashboards_go_only_when_services_are_asked(
    there: GrafanaStandIn, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `--services` they stay; with it, those that nobody asks for any more are pruned."""
    monkeypatch.setattr(command, "get", _listing(_target("shop", "red")))
    assert main([*words, "--services", "http://cp"]) == 0
    assert main(words) == 0
    assert red_of("shop").uid in there.boards
    monkeypatch.setattr(command, "get", _listing(_target("shop", None)))
    assert main([*words, "--services", "http://cp"]) == 0
    assert red_of("shop").uid not in there.boards


def test_every_template_can_be_asked_for() -> None:
    """What a target's `dashboard` may say is what there is a template for."""
    assert set(DASHBOARD_TEMPLATES) == set(TEMPLATES)


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"\n", "does not hold"), (b"\xff", "no text")]
)
def test_a_token_that_is_none_is_refused(
    tmp_path: Path, content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing, empty or binary file of the token is told before anything is asked."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    assert main(["grafana", "sync", "--url", "http://g", "--token-file", str(path)]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://g", "http://g:port"])
def test_an_address_that_is_none_is_refused(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Something else than an http address is told at once."""
    (tmp_path / "token").write_text("t")
    words = ["grafana", "sync", "--url", url, "--token-file", str(tmp_path / "token")]
    assert main(words) == 1
    assert f"--url {url}" in capsys.readouterr().err
