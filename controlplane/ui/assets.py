"""The static files, each under an address that changes with its content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

PREFIX: Final = "/static/"
_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
_DIGEST: Final = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its content, its media type, and the path it is served at."""

    name: str
    content: bytes
    media_type: str
    path: str


class Assets:
    """Everything in `static/` and, where it was built, `static/vendor/`."""

    def __init__(self, folder: Traversable | None = None) -> None:
        folder = folder or files("controlplane.ui") / "static"
        found = [_asset(name, file) for name, file in _walk(folder) if _extension(name) in _TYPES]
        self._by_name = {asset.name: asset for asset in found}
        self._by_path = {asset.path: asset for asset in found}

    def url(self, name: str) -> str:
        """Return the address of a file, empty where it was not built."""
        asset = self._by_name.get(name)
        return "" if asset is None else asset.path

    def at(self, path: str) -> Asset | None:
        """Return what is served at a path."""
        return self._by_path.get(path)

    def named(self, name: str) -> Asset | None:
        """Return a file by its name."""
        return self._by_name.get(name)


def _walk(folder: Traversable, prefix: str = "") -> list[tuple[str, Traversable]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found.extend(_walk(entry, f"{prefix}{entry.name}/"))
        else:
            found.append((prefix + entry.name, entry))
    return found


def _asset(name: str, file: Traversable) -> Asset:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST]
    return Asset(name, content, _TYPES[_extension(name)], f"{PREFIX}{digest}/{name}")


def _extension(name: str) -> str:
    return name.rpartition(".")[2]
