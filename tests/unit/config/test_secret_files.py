"""Secrets in files of their own."""

import os
from pathlib import Path

import pytest

from controlplane.errors import Unavailable
from controlplane.settings.secret_files import MAX_BYTES, FileSecret
from tests.unit.config.reading import read


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    """A token replaced in its file is in force at the next use, without a reload."""
    token = tmp_path / "token"
    token.write_text("first\n")
    config = read(tmp_path, "scrape_configs: [{job_name: j, bearer_token_file: token}]")
    authorization = config.scrape_configs[0].http_client.authorization
    assert authorization is not None
    assert authorization.credentials is not None
    assert authorization.credentials.reveal() == "first"
    token.write_text("second")
    assert authorization.credentials.reveal() == "second"


def test_a_file_put_in_the_place_of_another(tmp_path: Path) -> None:
    """A rename, as Kubernetes changes secrets, is seen even with the same size and time."""
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    other.write_text("two")
    secret = FileSecret(path)
    assert secret.reveal() == "one"
    before = path.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)
    assert secret.reveal() == "two"


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    """As long as inode, size and time of change stay, the text in memory serves."""
    path = tmp_path / "a"
    path.write_text("one")
    secret = FileSecret(path)
    assert secret.reveal() == "one"
    status = path.stat()
    with path.open("r+") as stream:
        stream.write("two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert secret.reveal() == "one"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe", "not valid UTF-8"),
        (b"x" * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """What is wrong is told with the path, never with the content."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unavailable, match=reason) as caught:
        FileSecret(path).reveal()
    assert str(path) in str(caught.value)


def test_a_file_that_went_away_is_unavailable(tmp_path: Path) -> None:
    """A deleted file is not served from memory: its owner took it back."""
    path = tmp_path / "token"
    path.write_text("x")
    secret = FileSecret(path)
    secret.reveal()
    path.unlink()
    with pytest.raises(Unavailable):
        secret.reveal()


def test_it_is_never_shown(tmp_path: Path) -> None:
    """Neither repr nor str nor a format shows it."""
    path = tmp_path / "token"
    path.write_text("hunter2")
    secret = FileSecret(path)
    assert f"{secret} {secret!r} {secret.reveal()}" == "<secret> <secret> hunter2"
