"""URLs of databases: what is taken, what is refused, and what is never shown."""

from pathlib import Path

import pytest

from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.secret import Secret
from controlplane.storage.database import Database
from controlplane.storage.engines import parse_url
from controlplane.storage.options import StorageOptions


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a database URL"),
        ("no url at all", "not a database URL"),
        ("mysql://root:hunter2@db/x", "unknown database 'mysql'"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:////no/such/directory/x.db", "no such directory"),
        ("sqlite:////tmp/x.db?mode=ro", "no parameters"),
        ("postgresql://u:hunter2@db", "names no database"),
        ("postgresql://u:hunter2@db/x?passfile=y", "unknown parameter 'passfile'"),
        ("postgresql://u:hunter2@db:port/x", "not a database URL"),
    ],
)
def test_a_bad_url_is_refused_without_its_password(text: str, reason: str) -> None:
    """The reason says what is wrong and never what the secret was."""
    with pytest.raises(InvalidInput, match=reason) as raised:
        parse_url(text)
    assert "hunter2" not in str(raised.value)


def test_libpqs_sslmode_is_understood() -> None:
    """The name that every other PostgreSQL program uses becomes the driver's."""
    url = parse_url("postgresql://u@db/x?sslmode=require")
    assert url.drivername == "postgresql+asyncpg"
    assert dict(url.query) == {"ssl": "require"}


def test_a_database_never_shows_its_password(tmp_path: Path) -> None:
    """Neither name nor repr has user or password."""
    shown = repr(Database(Secret("postgresql://ann:hunter2@db/prod")))
    assert shown == "Database(postgresql://db/prod)"
    assert repr(Database(f"sqlite:///{tmp_path}/x.db")) == f"Database(sqlite:///{tmp_path}/x.db)"


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """Nobody listening becomes Unavailable, without the password."""
    url = f"postgresql://ann:hunter2@/prod?host={tmp_path}"
    database = Database(url, StorageOptions(connect_timeout=500))
    with pytest.raises(Unavailable) as raised:
        await database.ping()
    assert "hunter2" not in str(raised.value)
    await database.close()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """Garbage in the file is told, not overwritten."""
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database at all, whatever it may be" * 100)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(Unavailable, match="not a database"):
        await database.ping()
    await database.close()
    assert path.read_bytes().startswith(b"not a database at all")
