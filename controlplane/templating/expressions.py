"""Pipelines and operands of a Go template: what they are worth (text/template/exec.go).

Work is counted, so that no template can hang. Errors name the place as Go does.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NoReturn

from controlplane.errors import ControlPlaneError
from controlplane.templating import nodes
from controlplane.templating.builtins import BUILTINS, check_count
from controlplane.templating.errors import Excess, FunctionError, TemplateError, TooMuch
from controlplane.templating.printf import show
from controlplane.templating.values import (
    ANY,
    BOOL,
    DURATION,
    FLOAT,
    INT,
    LIST,
    STRING,
    STRINGS,
    Function,
    Struct,
    assignable,
    go_type,
    lookup,
    truth,
)

MAX_STEPS: Final = 500_000

Functions = Mapping[str, Function]


class _Missing:
    """There is no value from an earlier stage of the pipeline."""


_MISSING: Final = _Missing()
_INTEGERS: Final = (INT, DURATION)
_NILLABLE: Final = frozenset({ANY, STRINGS, LIST})


class Expressions:
    """Evaluates the pipelines of one definition at a time; it writes nothing."""

    def __init__(self, root: nodes.Definition, functions: Functions) -> None:
        self._steps = 0
        self._definition = root
        self._functions = functions
        self._variables: list[tuple[str, object]] = []
        self._node: nodes.Node | nodes.Operand | nodes.Command | None = None

    def fail(self, message: str, kind: type[TemplateError] = TemplateError) -> NoReturn:
        """Raise an error about the node being looked at."""
        name = self._definition.name
        if self._node is None:
            raise kind(f"template: {name}: {message}")
        line, column = self._definition.place(self._node.pos)
        where = f"{self._definition.file}:{line}:{column}"
        raise kind(f'template: {where}: executing "{name}" at <{self._node}>: {message}', line=line)

    def _at(self, node: nodes.Node | nodes.Operand | nodes.Command) -> None:
        self._node = node
        self._count()

    def _count(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            self.fail(f"took more than {MAX_STEPS} steps", TooMuch)

    def _pipe(self, dot: object, pipe: nodes.Pipe) -> object:
        self._at(pipe)
        value: object = _MISSING
        for command in pipe.commands:
            value = self._command(dot, command, value)
        for variable in pipe.declared:
            if pipe.assigns:
                self._assign(variable.name, value)
            else:
                self._variables.append((variable.name, value))
        return value

    def _assign(self, name: str, value: object) -> None:
        for i in range(len(self._variables) - 1, -1, -1):
            if self._variables[i][0] == name:
                self._variables[i] = (name, value)
                return
        self.fail(f"undefined variable: {name}")

    def _command(self, dot: object, command: nodes.Command, final: object) -> object:
        word = command.args[0]
        args = command.args[1:]
        match word:
            case nodes.Field() | nodes.Chain():
                return self._fields(dot, word, args, final)
            case nodes.Variable() if word.fields:
                return self._fields(dot, word, args, final)
            case nodes.Identifier():
                return self._function(dot, word, command, args, final)
        if not isinstance(word, nodes.Pipe):
            self._at(word)
        if args or final is not _MISSING:
            self.fail(f"can't give argument to non-function {word}")
        if isinstance(word, nodes.Nil):
            self.fail("nil is not a command")
        return self._value(dot, word)

    def _value(self, dot: object, node: nodes.Operand) -> object:
        """Return an operand's value where nothing says its type."""
        self._at(node)
        match node:
            case nodes.Dot():
                return dot
            case nodes.Nil():
                return None
            case nodes.Bool() | nodes.String():
                return node.value
            case nodes.Number():
                if isinstance(node.value, int) and node.value >= 1 << 63:
                    self.fail(f"{node.text} overflows int")
                return node.value
            case nodes.Pipe():
                return self._pipe(dot, node)
            case nodes.Identifier():
                return self._function(dot, node, node, (), _MISSING)
            case nodes.Variable() if not node.fields:
                return self._variable(node.name)
        return self._fields(dot, node, (), _MISSING)

    def _variable(self, name: str) -> object:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        return self.fail(f"undefined variable: {name}")

    def _fields(
        self,
        dot: object,
        node: nodes.Field | nodes.Chain | nodes.Variable,
        args: tuple[nodes.Operand, ...],
        final: object,
    ) -> object:
        """Walk `.A.B.C`; the last may be a method that takes arguments."""
        self._at(node)
        receiver = dot
        if isinstance(node, nodes.Variable):
            receiver = self._variable(node.name)
        elif isinstance(node, nodes.Chain):
            if isinstance(node.node, nodes.Nil):
                self.fail(f"indirection through explicit nil in {node}")
            receiver = self._value(dot, node.node)
        boxed = False  # it came out of a map[string]interface {}
        for name, following in pairwise(node.fields):
            boxed_next = isinstance(receiver, Mapping) and not isinstance(receiver, Struct)
            receiver = self._field(dot, receiver, name, node, (), _MISSING, boxed=boxed)
            boxed = boxed_next
            if receiver is None:
                self.fail(f"nil pointer evaluating interface {{}}.{following}")
        return self._field(dot, receiver, node.fields[-1], node, args, final, boxed=boxed)

    def _field(
        self,
        dot: object,
        receiver: object,
        name: str,
        node: nodes.Operand,
        args: tuple[nodes.Operand, ...],
        final: object,
        *,
        boxed: bool,
    ) -> object:
        try:
            value = lookup(receiver, name)
        except FunctionError as error:
            kind = ANY if boxed else go_type(receiver)
            self.fail(f"{error.reason} {kind}")
        if isinstance(value, Function):
            return self._invoke(dot, value, node, name, args, final)
        if args or final is not _MISSING:
            kind = "is not a method but has arguments"
            if not isinstance(receiver, Mapping):
                kind = "has arguments but cannot be invoked as function"
            self.fail(f"{name} {kind}")
        return value

    def _function(
        self,
        dot: object,
        identifier: nodes.Identifier,
        node: nodes.Command | nodes.Identifier,
        args: tuple[nodes.Operand, ...],
        final: object,
    ) -> object:
        self._at(identifier)
        function = self._functions.get(identifier.name)
        if function is None:
            self.fail(f'"{identifier.name}" is not a defined function')
        if identifier.name in ("and", "or"):
            return self._and_or(dot, identifier.name, args, final)
        return self._invoke(dot, function, node, identifier.name, args, final)

    def _and_or(
        self, dot: object, name: str, args: tuple[nodes.Operand, ...], final: object
    ) -> object:
        if not args and final is _MISSING:
            self.fail(f"wrong number of args for {name}: want at least 1 got 0")
        value: object = None
        for arg in args:
            value = self._value(dot, arg)
            if truth(value) == (name == "or"):
                return value
        return value if final is _MISSING else final

    def _invoke(
        self,
        dot: object,
        function: Function,
        node: nodes.Operand | nodes.Command,
        name: str,
        args: tuple[nodes.Operand, ...],
        final: object,
    ) -> object:
        try:
            check_count(name, function, len(args) + (final is not _MISSING))
        except FunctionError as error:
            self.fail(error.reason)
        wanted = function.params + (function.variadic,) * (len(args) + 1)
        values = [self._argument(dot, arg, wanted[i]) for i, arg in enumerate(args)]
        if final is not _MISSING:
            values.append(self._checked(final, wanted[len(args)]))
        if function is BUILTINS["call"]:
            # Its messages name what was called as it is written.
            values.insert(0, str(args[0]) if args else show(final))
        try:
            return function.call(*values)
        except TemplateError:
            raise  # from a template that the function rendered
        except ControlPlaneError as error:
            self._at(node)
            kind = TooMuch if isinstance(error, Excess) else TemplateError
            self.fail(f"error calling {name}: {error}", kind)

    def _argument(self, dot: object, node: nodes.Operand, wanted: str) -> object:
        """Return an argument of the Go type `wanted`: constants take on that type."""
        self._at(node)
        if wanted != ANY:
            match node:
                case nodes.Nil():
                    if wanted not in _NILLABLE:
                        self.fail(f"cannot assign nil to {wanted}")
                    return None
                case nodes.Bool() | nodes.String() | nodes.Number():
                    return self._constant(node, wanted)
        return self._checked(self._value(dot, node), wanted)

    def _constant(self, node: nodes.Bool | nodes.String | nodes.Number, wanted: str) -> object:
        if isinstance(node, nodes.Number):
            if wanted in _INTEGERS and node.as_int is not None:
                return node.as_int
            if wanted == FLOAT:
                return float(node.value)
        elif (isinstance(node, nodes.Bool) and wanted == BOOL) or (
            isinstance(node, nodes.String) and wanted == STRING
        ):
            return node.value
        if wanted in (BOOL, STRING, FLOAT) or wanted in _INTEGERS:
            names = {FLOAT: "float"} | dict.fromkeys(_INTEGERS, "integer")
            self.fail(f"expected {names.get(wanted, wanted)}; found {node}")
        return self.fail(f"can't handle {node} for arg of type {wanted}")

    def _checked(self, value: object, wanted: str) -> object:
        if value is None:
            if wanted not in _NILLABLE:
                self.fail(f"invalid value; expected {wanted}")
        elif not assignable(value, wanted):
            self.fail(f"wrong type for value; expected {wanted}; got {go_type(value)}")
        return value
