"""Tables of keys: how a section of the file is read, shown and documented.

A `Kind` turns a node into a value and a value into plain data again. A
`Section` is a mapping with a fixed set of keys; it builds an options object of
the package that owns it, whose own refusals are told at the line they concern.
"""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import MISSING, dataclass, field
from typing import Any, Final, Generic, TypeVar

from controlplane.config.findings import Findings, Refused, Values
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Mapping, Node, Scalar, Sequence, describe, is_null

T = TypeVar("T")

# What `show` returns for a value that is not to be shown under its key.
OMITTED: Final = object()


class Kind(ABC, Generic[T]):
    """How one kind of value is read from a node and shown again."""

    __slots__ = ()

    @abstractmethod
    def read(self, node: Node, found: Findings, /) -> T:
        """Return the value. Raises InvalidInput, or Refused when it has noted the problem."""

    def show(self, value: T) -> object:
        """Return plain data for a value, secrets redacted, or OMITTED."""
        return value

    def absent(self, node: Node) -> bool:
        """Tell whether a key with this behind it counts as not given."""
        return is_null(node)

    def sections(self) -> Iterator["Section[Any]"]:
        """Iterate over the sections that stand directly below this kind."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Leaf(Kind[T]):
    """A scalar. `parse` gets the node, so that it knows quotes and the file's directory.

    Nothing behind the key is a value with `null`; an empty text is none with `blank`.
    """

    title: str
    parse: Callable[[Scalar], T]
    shown: Callable[[T], object] = lambda value: value
    null: bool = False
    blank: bool = False

    def read(self, node: Node, _found: Findings, /) -> T:
        if not isinstance(node, Scalar) or (node.null and not self.null):
            raise InvalidInput(f"expected {self.title}, not {describe(node)}")
        return self.parse(node)

    def show(self, value: T) -> object:
        return self.shown(value)

    def absent(self, node: Node) -> bool:
        if not isinstance(node, Scalar):
            return False
        return (node.null and not self.null) or (self.blank and not node.text)


@dataclass(frozen=True, slots=True)
class Made(Kind[T]):
    """What another kind holds, turned into something else. `make` may raise InvalidInput."""

    inner: Kind[Any]
    make: Callable[[Any], T]
    plain: Callable[[T], object] = lambda value: value

    def read(self, node: Node, found: Findings, /) -> T:
        return self.make(found.read(self.inner, node))

    def show(self, value: T) -> object:
        return self.plain(value)

    def absent(self, node: Node) -> bool:
        return self.inner.absent(node)

    def sections(self) -> Iterator["Section[Any]"]:
        return self.inner.sections()


@dataclass(frozen=True, slots=True)
class Later(Kind[T]):
    """A kind that is not there yet, for sections that hold themselves."""

    kind: Callable[[], Kind[T]]

    def read(self, node: Node, found: Findings, /) -> T:
        return self.kind().read(node, found)

    def show(self, value: T) -> object:
        return self.kind().show(value)


@dataclass(frozen=True, slots=True)
class ListOf(Kind[tuple[T, ...]]):
    """A list, every entry of one kind."""

    title: str
    item: Kind[T]

    def read(self, node: Node, found: Findings, /) -> tuple[T, ...]:
        if not isinstance(node, Sequence):
            raise InvalidInput(f"expected {self.title}, not {describe(node)}")
        return tuple(_each(enumerate(node.items), self.item, found).values())

    def show(self, value: tuple[T, ...]) -> object:
        return [self.item.show(item) for item in value] if value else OMITTED

    def sections(self) -> Iterator["Section[Any]"]:
        return self.item.sections()


@dataclass(frozen=True, slots=True)
class UniqueList(Kind[tuple[T, ...]]):
    """A list of sections in which no two have the same text under `key`."""

    title: str
    item: "Section[T]"
    key: str

    def read(self, node: Node, found: Findings, /) -> tuple[T, ...]:
        items = ListOf(self.title, self.item)
        if isinstance(node, Sequence):
            self._check(node, found)
        return items.read(node, found)

    def show(self, value: tuple[T, ...]) -> object:
        return [self.item.show(item) for item in value] if value else OMITTED

    def sections(self) -> Iterator["Section[Any]"]:
        return self.item.sections()

    def _check(self, node: Sequence, found: Findings) -> None:
        first: dict[str, Node] = {}
        for child in node.items:
            name = child.entries.get(self.key) if isinstance(child, Mapping) else None
            if not isinstance(name, Scalar) or name.null:
                continue
            if name.text in first:
                other = first[name.text]
                reason = (
                    f"{self.key} {name.text!r} is not unique (first: {other.file}:{other.line})"
                )
                found.add(name.file, name.line, reason)
            first.setdefault(name.text, name)


@dataclass(frozen=True, slots=True)
class MapOf(Kind[dict[str, T]]):
    """A mapping whose keys are free names. `check` raises InvalidInput for a bad one."""

    title: str
    item: Kind[T]
    check: Callable[[str], object] = lambda name: name

    def read(self, node: Node, found: Findings, /) -> dict[str, T]:
        if not isinstance(node, Mapping):
            raise InvalidInput(f"expected {self.title}, not {describe(node)}")
        for name in node.entries:
            try:
                self.check(name)
            except InvalidInput as error:
                found.add(node.entries[name].file, node.key_lines[name], error.reason)
        return _each(node.entries.items(), self.item, found)

    def show(self, value: MappingABC[str, T]) -> object:
        return {name: self.item.show(item) for name, item in value.items()} if value else OMITTED

    def sections(self) -> Iterator["Section[Any]"]:
        return self.item.sections()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section.

    `field` names the argument that it fills, where that is not the key's own
    name; of two keys that fill the same one, only one may be given.
    """

    kind: Kind[Any]
    field: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Section(Kind[T]):
    """A mapping with a fixed set of keys.

    `name` is its heading in the documentation. `options` makes the value from
    what the keys hold, by keyword. `inlines` are sections whose keys stand at
    this level, by the argument that each fills. `unsupported` names keys that
    we know, refuse, and owe an explanation: it says whose they are.
    """

    name: str
    options: Callable[..., T]
    keys: MappingABC[str, Key]
    inlines: MappingABC[str, "Section[Any]"] = field(default_factory=dict)
    unsupported: MappingABC[str, str] = field(default_factory=dict)

    def read(self, node: Node, found: Findings, /) -> T:
        values, whole = self.values(node, found)
        if not whole:
            raise Refused
        aliases = {key.field: name for name, key in self.keys.items() if key.field}
        return found.build(lambda: self.options(**values), node, aliases)

    def values(self, node: Node, found: Findings) -> tuple[Values, bool]:
        """Return what the keys hold, by argument, and whether nothing was wrong with any.

        Keys that are not given, or that could not be read, are left out.
        """
        if not isinstance(node, Mapping):
            raise InvalidInput(f"expected a mapping, not {describe(node)}")
        reading = _Reading(node, found)
        own = set(self.keys)
        for argument, section in self.inlines.items():
            part = reading.part(section.names())
            own |= section.names()
            if part.entries:
                reading.take(argument, section, part)
        for name, child in node.entries.items():
            if name in self.keys:
                reading.key(name, self.keys[name], child)
            elif name not in own:
                reading.refuse(name, self._unknown(name, own))
        for name, key in self.keys.items():
            if key.required and reading.lacks(key.field or name):
                reading.missing(f"{self.name}: {name} is missing")
        return reading.finish()

    def names(self) -> set[str]:
        """Return every key that may stand at this level and is understood."""
        return set(self.keys).union(*(section.names() for section in self.inlines.values()))

    def show(self, value: T) -> dict[str, object]:
        plain: dict[str, object] = {}
        for name, key in self.keys.items():
            argument = key.field or name
            held = getattr(value, argument, None)
            shown = None if held is None else key.kind.show(held)
            if shown == "" and _default(value, argument):
                plain[name] = shown  # left out, it would be another text
            elif not (shown is OMITTED or shown is None or shown in ("", {})):
                plain[name] = shown
        for argument, section in self.inlines.items():
            plain |= section.show(getattr(value, argument))
        return plain

    def sections(self) -> Iterator["Section[Any]"]:
        return iter((self,))

    def below(self) -> Iterator["Section[Any]"]:
        """Iterate over the sections that stand under this one's keys or at its level."""
        yield from self.inlines.values()
        for key in self.keys.values():
            yield from key.kind.sections()

    def _unknown(self, name: str, known: set[str]) -> str:
        if name in self.unsupported:
            return f"{name}: {self.unsupported[name]}, not supported here"
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{name}: unknown key in {self.name}{hint}"


def _default(options: object, argument: str) -> object:
    """Return what an argument of a dataclass is when it is not given, if it has a plain default."""
    known = getattr(type(options), "__dataclass_fields__", {}).get(argument)
    return None if known is None or known.default is MISSING else known.default


class _Reading:
    """One mapping on its way to becoming a section's arguments."""

    def __init__(self, node: Mapping, found: Findings, /) -> None:
        self._node = node
        self._found = found
        self._values: Values = {}
        self._given: dict[str, str] = {}
        self._whole = True

    def part(self, names: set[str]) -> Mapping:
        entries = {name: child for name, child in self._node.entries.items() if name in names}
        return Mapping(self._node.file, self._node.line, entries, self._node.key_lines)

    def key(self, name: str, key: Key, child: Node) -> None:
        if key.kind.absent(child):
            return
        argument = key.field or name
        if argument in self._given:
            self.refuse(name, f"at most one of {self._given[argument]} & {name} must be configured")
            return
        self._given[argument] = name
        self.take(argument, key.kind, child, name)

    def take(self, argument: str, kind: Kind[Any], child: Node, name: str = "") -> None:
        try:
            self._values[argument] = self._found.read(kind, child, name)
        except Refused:
            self._whole = False

    def lacks(self, argument: str) -> bool:
        return argument not in self._given

    def refuse(self, name: str, reason: str) -> None:
        self._found.add(self._node.entries[name].file, self._node.key_lines[name], reason)
        self._whole = False

    def missing(self, reason: str) -> None:
        self._found.add(self._node.file, self._node.line, reason)
        self._whole = False

    def finish(self) -> tuple[Values, bool]:
        return self._values, self._whole


K = TypeVar("K")


def _each(items: Iterable[tuple[K, Node]], kind: Kind[T], found: Findings) -> dict[K, T]:
    """Read every item, also behind a bad one; raise Refused when one was bad."""
    values: dict[K, T] = {}
    whole = True
    for name, node in items:
        try:
            values[name] = found.read(kind, node, name if isinstance(name, str) else "")
        except Refused:
            whole = False
    if not whole:
        raise Refused
    return values
