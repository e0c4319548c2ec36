"""Everything wrong with the files that are being read, found in one pass."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

from controlplane.errors import ConfigError, InvalidInput, Problem
from controlplane.model import marked_yaml
from controlplane.model.marked_yaml import Node

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# Beyond this the rest is not worth reading; it also bounds what a hostile file can make us say.
MAX_PROBLEMS: Final = 1000

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Refused(Exception):
    """A node could not be read; why has been noted already."""


class Readable(Protocol[T_co]):
    """What reads a node: a `Kind`."""

    def read(self, node: Node, found: "Findings", /) -> T_co: ...


class Findings:
    """The problems so far. Reading goes on after one, so that all are told at once."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._key = ""

    def add(self, file: str, line: int, reason: str) -> None:
        """Note a problem; the line counts from 1."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(file, line, reason))

    def join(self, error: ConfigError) -> None:
        """Note the problems of a file that was read elsewhere."""
        for problem in error.problems:
            self.add(problem.file, problem.line, problem.reason)

    def read(self, kind: Readable[T], node: Node, key: str = "") -> T:
        """Return what `kind` makes of the node; note why it cannot, and raise Refused.

        `key` is what the node stands under, and begins the reason.
        """
        outer, self._key = self._key, key or self._key
        try:
            return kind.read(node, self)
        except InvalidInput as error:
            file, line = locate(node, error.pointer, {})
            self.add(file, line, f"{self._key}: {error.reason}" if self._key else error.reason)
            raise Refused from None
        finally:
            self._key = outer

    def read_or(self, kind: Readable[T], node: Node | None, default: T, key: str = "") -> T:
        """Return what `kind` makes of the node, `default` when it is absent or refused."""
        if node is None:
            return default
        try:
            return self.read(kind, node, key)
        except Refused:
            return default

    def build(self, make: Callable[[], T], node: Node, aliases: Mapping[str, str] = _NONE) -> T:
        """Return `make()`; note its InvalidInput at the place in `node` that its pointer names.

        `aliases` maps a field's name to the file's key where the two differ.
        """
        try:
            return make()
        except InvalidInput as error:
            file, line = locate(node, error.pointer, aliases)
            self.add(file, line, error.reason)
            raise Refused from None

    def raise_any(self) -> None:
        """Raise ConfigError when there are problems, file by file in the order of lines."""
        if not self._problems:
            return
        order: dict[str, int] = {}
        for problem in self._problems:
            order.setdefault(problem.file, len(order))
        unique = dict.fromkeys(self._problems)
        raise ConfigError(sorted(unique, key=lambda found: (order[found.file], found.line)))


def locate(node: Node, pointer: str, aliases: Mapping[str, str]) -> tuple[str, int]:
    """Return file and line of the place that an RFC 6901 pointer names, as far as it leads."""
    file, line = node.file, node.line
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        name = aliases.get(name, name)
        if isinstance(node, marked_yaml.Mapping) and name in node.entries:
            file, line = node.entries[name].file, node.key_lines[name]
            node = node.entries[name]
        elif (
            isinstance(node, marked_yaml.Sequence)
            and name.isdigit()
            and int(name) < len(node.items)
        ):
            node = node.items[int(name)]
            file, line = node.file, node.line
        else:
            break
    return file, line


Values = dict[str, Any]
