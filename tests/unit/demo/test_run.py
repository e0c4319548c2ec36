"""How the demo starts: where it listens, and which rules it takes."""

import io
import sysconfig
from contextlib import closing
from pathlib import Path

import pytest

import controlplane
from controlplane.app.lifecycle import bind
from controlplane.demo import run
from controlplane.demo.screen import Screen
from controlplane.errors import Conflict, Unavailable
from controlplane.settings.parsing import Listen
from tests.support.clock import ManualClock


def demo(tmp_path: Path, listen: Listen | None) -> tuple[run._Demo, io.StringIO]:
    """Return a demo that was asked to listen there, and its screen."""
    out = io.StringIO()
    return run._Demo(run.Arguments(listen, tmp_path), Screen(lambda: 0.0, out), ManualClock()), out


def test_a_taken_default_port_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program on the default address moves the demo to a free port, and it says so."""
    with closing(bind(Listen("127.0.0.1", 0))) as taken:
        taken.listen()
        address = Listen(*taken.getsockname())
        monkeypatch.setattr(run, "DEFAULT_LISTEN", address)
        started, out = demo(tmp_path, None)
        with closing(started._bind()) as listening:
            assert listening.getsockname()[1] != address.port
        assert f"{address} is taken" in out.getvalue()


def test_a_port_that_was_asked_for_is_taken_or_refused(tmp_path: Path) -> None:
    """Who names an address gets it, or hears that it cannot be had and what to do."""
    with closing(bind(Listen("127.0.0.1", 0))) as taken:
        taken.listen()
        started, _ = demo(tmp_path, Listen(*taken.getsockname()))
        with pytest.raises(Conflict, match="--listen HOST:PORT takes another address"):
            started._bind()


def test_the_rules_of_a_checkout_come_before_installed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules beside the package, else those of the installation, else it says where it looked."""
    assert run._shipped_rules() == Path(__file__).parents[3] / "alert_rules"
    monkeypatch.setattr(controlplane, "__file__", str(tmp_path / "site/controlplane/__init__.py"))
    monkeypatch.setattr(sysconfig, "get_path", lambda *_: str(tmp_path))
    with pytest.raises(Unavailable, match="none of"):
        run._shipped_rules()
    installed = tmp_path / "share/controlplane/alert_rules"
    installed.mkdir(parents=True)
    assert run._shipped_rules() == installed
