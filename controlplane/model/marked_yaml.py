"""YAML as it was written: nodes that know their file and line, for errors that name them.

Built on the parser's events with a stack of our own, so nesting costs no
recursion, and an alias shares its node instead of copying it. Scalars stay
text: whoever reads a field knows its type, as in go-yaml (`team: 123` is the
string "123" where a string is wanted, `yes` a boolean where one is).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from controlplane.errors import ConfigError, Problem

MAX_DEPTH: Final = 100
MAX_BYTES: Final = 32 * 1024 * 1024
# What aliases may blow a document up to: go-yaml's guard, in our own numbers.
_FREE_NODES: Final = 100_000
_MAX_GROWTH: Final = 10

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool"))
_NULL_TAG: Final = "tag:yaml.org,2002:null"
_CONTAINER_TAGS: Final = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_SURROGATE_PAIR: Final = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf. `quoted` is true for quoted and block text, which is never null."""

    file: str
    line: int
    text: str
    quoted: bool = False
    null: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    file: str
    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their nodes, in the order of the file; `key_lines` says where each key stands."""

    file: str
    line: int
    entries: dict[str, "Node"]
    key_lines: dict[str, int]

    def get(self, key: str) -> "Node | None":
        """Return the node under `key`; None when there is none, or nothing is written there."""
        node = self.entries.get(key)
        return None if node is None or is_null(node) else node


Node = Scalar | Sequence | Mapping


class Problems:
    """Collects everything wrong with one file, so that all of it is told at once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[Problem] = []

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, line: int, reason: str) -> None:
        """Note a problem at a line that counts from 1."""
        self._found.append(Problem(self.file, line, reason))

    def raise_any(self) -> None:
        """Raise ConfigError when there are problems, in the order of their lines."""
        if self._found:
            raise ConfigError(sorted(self._found, key=lambda problem: problem.line))


def is_null(node: Node) -> bool:
    """Tell whether nothing, `~` or `null` stands here."""
    return isinstance(node, Scalar) and node.null


def describe(node: Node) -> str:
    """Return what a node is, for a message: `a list`, `a mapping`, `null` or its quoted text."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.null:
        return "null"
    return repr(node.text if len(node.text) <= 60 else node.text[:57] + "...")


def read_marked(path: Path) -> Node:
    """Read a file of at most MAX_BYTES and load it.

    Raises ConfigError, also when the file cannot be read.
    """
    return load_marked(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Return the text of a file of at most MAX_BYTES. Raises ConfigError."""
    name = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(name, 1, f"cannot be read: {error.strerror or error}") from None
    if len(raw) > MAX_BYTES:
        raise _refused(name, 1, f"larger than {MAX_BYTES >> 20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(name, raw.count(b"\n", 0, error.start) + 1, "not valid UTF-8") from None


def load_marked(text: str, file: str) -> Node:
    """Return the one document in `text`; an empty text is a null scalar.

    Raises ConfigError for broken YAML, a second document, a key given twice,
    a tag beyond the core ones, nesting over MAX_DEPTH, an anchor inside
    itself, and aliases that blow the document up.
    """
    builder = _Builder(file)
    try:
        for event in yaml.parse(_join_surrogates(text), Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise _refused(file, line, f"broken YAML: {_one_line(error)}") from None
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        line = _line_of(error, text)
        raise _refused(file, line, "broken YAML: a character that is not allowed") from None
    return builder.finish()


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet."""

    line: int
    is_mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    key: Scalar | None = None
    entries: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)
    merges: list[Node] = field(default_factory=list)
    # Nodes and levels, with every alias counted as what it stands for.
    size: int = 1
    height: int = 1


class _Builder:
    def __init__(self, file: str) -> None:
        self._problems = Problems(file)
        self._file = file
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._root: Node | None = None
        self._documents = 0
        self._written = 0

    def take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        line = 1 if mark is None else mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _refused(self._file, line, "a second document: put all in one")
            case yaml.ScalarEvent():
                self._put(self._scalar(event, line), (1, 0), event.anchor, line)
            case yaml.AliasEvent():
                self._alias(event.anchor or "", line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()

    def finish(self) -> Node:
        self._problems.raise_any()
        return Scalar(self._file, 1, "", null=True) if self._root is None else self._root

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> Scalar:
        if event.tag is None or event.tag == "!":
            null = not event.style and event.tag is None and event.value in _NULLS
        else:
            null = event.tag == _NULL_TAG
            if not null and event.tag not in _TAGS:
                self._problems.add(line, f"the tag {event.tag!r} is not supported")
        return Scalar(self._file, line, event.value, quoted=bool(event.style), null=null)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor in self._anchors:
            node, size, height = self._anchors[anchor]
            self._put(node, (size, height), None, line)
            return
        inside = any(opened.anchor == anchor for opened in self._stack)
        reason = "contains itself" if inside else "is not defined"
        raise _refused(self._file, line, f"the anchor {anchor!r} {reason}")

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _refused(self._file, line, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag is not None and event.tag not in _CONTAINER_TAGS:
            self._problems.add(line, f"the tag {event.tag!r} is not supported")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(line, is_mapping=is_mapping, anchor=event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        node: Node
        if done.is_mapping:
            for merged in done.merges:
                self._merge(done, merged)
            node = Mapping(self._file, done.line, done.entries, done.key_lines)
        else:
            node = Sequence(self._file, done.line, tuple(done.items))
        self._put(node, (done.size, done.height), done.anchor, done.line)

    def _put(self, node: Node, extent: tuple[int, int], anchor: str | None, line: int) -> None:
        self._written += 1
        if anchor is not None:
            self._anchors[anchor] = (node, *extent)
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        parent.size += extent[0]
        parent.height = max(parent.height, extent[1] + 1)
        if len(self._stack) + extent[1] > MAX_DEPTH:
            raise _refused(self._file, line, f"nested deeper than {MAX_DEPTH} levels")
        if parent.size > _FREE_NODES + _MAX_GROWTH * self._written:
            raise _refused(self._file, line, "aliases blow the document up")
        if not parent.is_mapping:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = self._key(node, line)
        else:
            self._entry(parent, parent.key, node)
            parent.key = None

    def _key(self, node: Node, line: int) -> Scalar:
        if isinstance(node, Scalar):
            return Scalar(self._file, line, node.text, node.quoted)
        raise _refused(self._file, line, f"a key cannot be {describe(node)}")

    def _entry(self, parent: _Open, key: Scalar, node: Node) -> None:
        if key.text == "<<" and not key.quoted:
            parent.merges += node.items if isinstance(node, Sequence) else (node,)
        elif key.text in parent.entries:
            first = parent.key_lines[key.text]
            self._problems.add(key.line, f"the key {key.text!r} stands twice (first: line {first})")
        else:
            parent.entries[key.text] = node
            parent.key_lines[key.text] = key.line

    def _merge(self, into: _Open, node: Node) -> None:
        """Add what `<<` names; a key of the mapping's own, or an earlier merge, wins."""
        if not isinstance(node, Mapping):
            self._problems.add(node.line, f"<< needs a mapping, not {describe(node)}")
            return
        for key, value in node.entries.items():
            if key not in into.entries:
                into.entries[key] = value
                into.key_lines[key] = node.key_lines[key]


def _refused(file: str, line: int, reason: str) -> ConfigError:
    return ConfigError([Problem(file, line, reason)])


def _one_line(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)


def _line_of(error: Exception, text: str) -> int:
    if isinstance(error, UnicodeEncodeError):
        return text.count("\n", 0, error.start) + 1
    position = getattr(error, "position", 0)
    before = text.encode(errors="replace")[: position if isinstance(position, int) else 0]
    return before.count(b"\n") + 1


def _join_surrogates(text: str) -> str:
    """Replace JSON's escaped surrogate pairs, which YAML does not know, by their characters."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    return _SURROGATE_PAIR.sub(_character, text)


def _character(pair: re.Match[str]) -> str:
    high, low = (int(half, 16) for half in pair.groups())
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
