"""Several files as one: what `include` names is read too, and put together.

Lists append in the order of the files. Mappings join key by key; the same
text given twice counts once, and two different ones are an error. A module and
the routing tree are one thing each, and stand in one file only.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controlplane.config.findings import Findings
from controlplane.config.places import PATHS
from controlplane.errors import ConfigError
from controlplane.model.marked_yaml import (
    Mapping,
    Node,
    Scalar,
    Sequence,
    describe,
    is_null,
    load_marked,
    read_text,
)

# Sections of which each file may have its own; a key below them stands in one file.
_NAMED: Final = frozenset({"modules"})
_WHOLE: Final = frozenset({"route"})


@dataclass(slots=True)
class Document:
    """All files together. `digest` changes when any of their bytes does."""

    root: Mapping
    files: list[Path] = field(default_factory=list)
    digest: str = ""


def read_files(path: Path, found: Findings) -> Document:
    """Read a file and all that it includes; what cannot be read is noted and left out."""
    digest = hashlib.sha256()
    files: list[Path] = []
    roots: list[Mapping] = []
    waiting = [path]
    while waiting:
        file = waiting.pop(0)
        if any(file.resolve() == known.resolve() for known in files):
            continue
        files.append(file)
        root = _read(file, digest, found)
        if root is not None:
            roots.append(root)
            waiting += map(Path, found.read_or(PATHS, root.get("include"), (), "include"))
    merged = Mapping(str(path), 1, {}, {})
    for root in roots:
        merged = _Joining(found).mappings(merged, root, ())
    return Document(merged, files, digest.hexdigest())


def _read(path: Path, digest: "hashlib._Hash", found: Findings) -> Mapping | None:
    try:
        text = read_text(path)
        content = text.encode()
        digest.update(len(content).to_bytes(8) + content)
        root = load_marked(text, str(path))
    except ConfigError as error:
        found.join(error)
        return None
    if is_null(root):
        return Mapping(str(path), 1, {}, {})
    if not isinstance(root, Mapping):
        found.add(root.file, root.line, f"expected a mapping, not {describe(root)}")
        return None
    return root


class _Joining:
    """Puts files together; the place is the keys from the top, for messages and rules."""

    def __init__(self, found: Findings) -> None:
        self._found = found

    def mappings(self, first: Mapping, second: Mapping, place: tuple[str, ...]) -> Mapping:
        entries, lines = dict(first.entries), dict(first.key_lines)
        for name, node in second.entries.items():
            held = entries.get(name)
            if held is None or is_null(held):
                entries[name], lines[name] = node, second.key_lines[name]
            elif not is_null(node):
                entries[name] = self._nodes(held, node, (*place, name))
        return Mapping(first.file, first.line, entries, lines)

    def _nodes(self, first: Node, second: Node, place: tuple[str, ...]) -> Node:
        match first, second:
            case Mapping(), Mapping() if not _undivided(place):
                return self.mappings(first, second, place)
            case Sequence(), Sequence():
                return Sequence(first.file, first.line, first.items + second.items)
            case Scalar(), Scalar() if first.text == second.text:
                return first
        values = "" if _undivided(place) else " with different values"
        reason = f"{'.'.join(place)} is given twice{values} (first: {first.file}:{first.line})"
        self._found.add(second.file, second.line, reason)
        return first


def _undivided(place: tuple[str, ...]) -> bool:
    return place[-1] in _WHOLE if len(place) == 1 else len(place) == 2 and place[0] in _NAMED
