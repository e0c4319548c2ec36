"""`controlplane migrate` as an operator runs it."""

import asyncio
from pathlib import Path

import pytest

from controlplane.cli.main import main
from controlplane.storage import migrate
from controlplane.storage.database import Database


def _config(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "controlplane.yml"
    path.write_text(text)
    return ["migrate", "--config", str(path)]


def test_a_database_is_migrated_once(
    empty_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first run applies every step, the second has nothing to do."""
    command = _config(tmp_path, f"storage: {{url: '{empty_url}'}}\n")
    assert main(command) == 0
    assert f"schema none -> {migrate.head()}" in capsys.readouterr().out
    assert main(command) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_file_without_a_database_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is migrated by accident: the embedded default needs no command."""
    assert main(_config(tmp_path, "{}\n")) == 1
    assert "no storage.url" in capsys.readouterr().err


def test_a_server_that_is_away_is_told_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and a reason without secrets."""
    url = "postgresql://ann:hunter2@127.0.0.1:1/prod"
    assert main(_config(tmp_path, f"storage: {{url: '{url}'}}\n")) == 1
    err = capsys.readouterr().err
    assert "postgresql://127.0.0.1/prod does not answer" in err
    assert "hunter2" not in err


async def test_two_at_once_do_not_collide(empty_url: str) -> None:
    """Replicas that migrate at the same time take turns; the schema is whole."""
    first, second = Database(empty_url), Database(empty_url)
    await asyncio.gather(migrate.upgrade(first), migrate.upgrade(second))
    await migrate.require_current(first)
    assert await migrate.differences(second) == []
    await asyncio.gather(first.close(), second.close())
