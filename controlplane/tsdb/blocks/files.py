"""Making changes to files last: written aside, synced, renamed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

UNFINISHED: Final = ".tmp"
SET_ASIDE: Final = ".corrupt"


def sync_directory(path: Path) -> None:
    """Have the names in a directory on the disk. Raises OSError."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Have a file's content on the disk. Raises OSError."""
    _sync(path, os.O_RDONLY)


def replaced(path: Path, write: Callable[[Path], None]) -> None:
    """Put a new file in the place of an old one, whole or not at all. Raises OSError."""
    fresh = path.with_name(path.name + UNFINISHED)
    try:
        write(fresh)
        sync_file(fresh)
        fresh.rename(path)
        sync_directory(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def published(unfinished: Path, final: Path) -> None:
    """Give a finished directory its name. Raises OSError."""
    for file in unfinished.iterdir():
        sync_file(file)
    sync_directory(unfinished)
    unfinished.rename(final)
    sync_directory(final.parent)


def removed(path: Path) -> None:
    """Remove a directory; one that is half removed is no block any more. Raises OSError."""
    gone = path.with_name(path.name + UNFINISHED)
    path.rename(gone)
    shutil.rmtree(gone)


def set_aside(path: Path) -> None:
    """Take a directory out of the way but keep it for people to look at. Raises OSError."""
    target = path.with_name(path.name + SET_ASIDE)
    if target.exists():
        shutil.rmtree(target)
    path.rename(target)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
