"""Secrets that stand in files of their own, read anew when those change."""

from pathlib import Path
from typing import Final

from controlplane.errors import Unavailable
from controlplane.model.secret import Secret

MAX_BYTES: Final = 1 << 20


class FileSecret(Secret):
    """A secret in a file. `path` may be shown."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(_File(path).read)


class _File:
    """The text of a file, kept as long as its inode, size and time of change stay."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._text = ""

    def read(self) -> str:
        """Return the text without the white space around it. Raises Unavailable."""
        try:
            status = self._path.stat()
            version = (status.st_ino, status.st_size, status.st_mtime_ns)
            if version != self._version:
                with self._path.open("rb") as stream:
                    raw = stream.read(MAX_BYTES + 1)
                self._text, self._version = self._decode(raw), version
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise Unavailable(f"secret file {self._path}: {reason}") from None
        return self._text

    def _decode(self, raw: bytes) -> str:
        if len(raw) > MAX_BYTES:
            raise Unavailable(f"secret file {self._path}: larger than {MAX_BYTES} bytes")
        try:
            return raw.decode().strip()
        except UnicodeDecodeError:
            raise Unavailable(f"secret file {self._path}: not valid UTF-8") from None
