"""The syntax tree of a Go template. `str()` of a node is its source, normalised as Go does."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identifier:
    pos: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Dot:
    pos: int

    def __str__(self) -> str:
        return "."


@dataclass(frozen=True, slots=True)
class Nil:
    pos: int

    def __str__(self) -> str:
        return "nil"


@dataclass(frozen=True, slots=True)
class Bool:
    pos: int
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class Number:
    """`value` is what the constant is where nothing says its type; `as_int` if it can be one."""

    pos: int
    text: str
    value: int | float
    as_int: int | None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class String:
    """`quoted` is how it was written."""

    pos: int
    quoted: str
    value: str

    def __str__(self) -> str:
        return self.quoted


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x.Field.Other`: the name with its `$`, then the fields."""

    pos: int
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


@dataclass(frozen=True, slots=True)
class Field:
    """`.A.B`, starting at dot."""

    pos: int
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.fields)


@dataclass(frozen=True, slots=True)
class Chain:
    """`(pipeline).A.B`, or a function's result: `now.A`."""

    pos: int
    node: "Operand"
    fields: tuple[str, ...]

    def __str__(self) -> str:
        inner = f"({self.node})" if isinstance(self.node, Pipe) else str(self.node)
        return inner + "".join(f".{name}" for name in self.fields)


@dataclass(frozen=True, slots=True)
class Command:
    """An operand with its arguments, separated by spaces."""

    pos: int
    args: tuple["Operand", ...]

    def __str__(self) -> str:
        return " ".join(f"({arg})" if isinstance(arg, Pipe) else str(arg) for arg in self.args)


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands joined by `|`, and the variables that take the result."""

    pos: int
    line: int
    declared: tuple[Variable, ...]
    assigns: bool
    commands: tuple[Command, ...]

    def __str__(self) -> str:
        commands = " | ".join(str(command) for command in self.commands)
        if not self.declared:
            return commands
        names = ", ".join(str(variable) for variable in self.declared)
        return f"{names} {'=' if self.assigns else ':='} {commands}"


Operand = Identifier | Dot | Nil | Bool | Number | String | Variable | Field | Chain | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    pos: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Action:
    """`{{pipeline}}`: printed, unless it declares variables."""

    pos: int
    pipe: Pipe

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


@dataclass(frozen=True, slots=True)
class Body:
    """What stands between two actions that belong together."""

    pos: int
    nodes: tuple["Node", ...]

    def __str__(self) -> str:
        return "".join(str(node) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class If:
    pos: int
    pipe: Pipe
    body: Body
    otherwise: Body | None

    def __str__(self) -> str:
        return _control("if", self)


@dataclass(frozen=True, slots=True)
class With:
    pos: int
    pipe: Pipe
    body: Body
    otherwise: Body | None

    def __str__(self) -> str:
        return _control("with", self)


@dataclass(frozen=True, slots=True)
class Range:
    pos: int
    pipe: Pipe
    body: Body
    otherwise: Body | None

    def __str__(self) -> str:
        return _control("range", self)


@dataclass(frozen=True, slots=True)
class Break:
    pos: int

    def __str__(self) -> str:
        return "{{break}}"


@dataclass(frozen=True, slots=True)
class Continue:
    pos: int

    def __str__(self) -> str:
        return "{{continue}}"


@dataclass(frozen=True, slots=True)
class Call:
    """`{{template "name" pipeline}}`."""

    pos: int
    name: str
    pipe: Pipe | None

    def __str__(self) -> str:
        argument = "" if self.pipe is None else f" {self.pipe}"
        return f'{{{{template "{self.name}"{argument}}}}}'


Node = Text | Action | If | With | Range | Break | Continue | Call


@dataclass(frozen=True, slots=True)
class Definition:
    """A named template; `source` is the whole text it stands in, `file` that text's name."""

    name: str
    file: str
    source: str
    body: Body

    @property
    def empty(self) -> bool:
        """Whether it holds nothing but space: such a one never replaces another."""
        return all(isinstance(node, Text) and not node.text.strip() for node in self.body.nodes)

    def place(self, pos: int) -> tuple[int, int]:
        """Return line (from 1) and column (from 0, in bytes, as Go counts) of a position."""
        before = self.source[:pos]
        line = before.count("\n") + 1
        return line, len(before[before.rfind("\n") + 1 :].encode())


def calls(body: Body) -> Iterator[Call]:
    """Iterate over the calls of named templates in a body, at every depth."""
    for node in body.nodes:
        if isinstance(node, Call):
            yield node
        elif isinstance(node, If | With | Range):
            yield from calls(node.body)
            if node.otherwise is not None:
                yield from calls(node.otherwise)


def _control(word: str, node: If | With | Range) -> str:
    otherwise = "" if node.otherwise is None else f"{{{{else}}}}{node.otherwise}"
    return f"{{{{{word} {node.pipe}}}}}{node.body}{otherwise}{{{{end}}}}"
