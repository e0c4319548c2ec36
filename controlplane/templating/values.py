"""What templates see of Python values: their Go types, fields, methods and truth.

A template reaches nothing but what is offered here: plain numbers, texts,
booleans, lists and dictionaries, and subclasses of `Struct`, which list their
fields and methods by the names that templates use. Everything else is opaque.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, TypeGuard

from controlplane.templating.errors import FunctionError

ANY: Final = "interface {}"
STRING: Final = "string"
INT: Final = "int"
FLOAT: Final = "float64"
BOOL: Final = "bool"
STRINGS: Final = "[]string"
LIST: Final = "[]interface {}"
DURATION: Final = "time.Duration"


@dataclass(frozen=True, slots=True)
class Function:
    """Something a template may call: Go types of its parameters, and of a variadic last one."""

    call: Callable[..., object]
    params: tuple[str, ...] = ()
    variadic: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """A method by its Python name, with the Go types of its parameters."""

    attribute: str
    params: tuple[str, ...] = ()


class Struct:
    """A value whose named fields and methods templates may use, and nothing else of it.

    `FIELDS` maps template names to Python attributes, in Go's order of fields.
    """

    __slots__ = ()
    GO_TYPE: ClassVar[str] = "struct {}"
    FIELDS: ClassVar[Mapping[str, str]] = {}
    METHODS: ClassVar[Mapping[str, Method]] = {}

    def go_string(self) -> str | None:
        """Return how the value prints, or None to print it by its fields."""
        return None


@dataclass(frozen=True, slots=True)
class Slice(Struct):
    """A list with methods; printed and ranged over as a Go slice."""

    items: tuple[object, ...] = ()

    def __iter__(self) -> Iterator[object]:
        return iter(self.items)

    def __getitem__(self, index: int) -> object:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


# What Go calls a slice.
List = list[object] | tuple[object, ...] | Slice


@dataclass(frozen=True, slots=True)
class StringMap(Struct, Mapping[str, str]):
    """A map[string]string: a key that is not there is an empty text."""

    pairs: Mapping[str, str]
    GO_TYPE: ClassVar[str] = "map[string]string"

    def __getitem__(self, key: str) -> str:
        return self.pairs[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)


def go_type(value: object) -> str:
    """Return the name of a value's Go type, for messages and `%T`."""
    if isinstance(value, Struct):
        return value.GO_TYPE
    if value is None:
        return "<nil>"
    for python, name in ((bool, BOOL), (int, INT), (float, FLOAT), (str, STRING)):
        if isinstance(value, python):
            return name
    if isinstance(value, Mapping):
        return "map[string]interface {}"
    if is_list(value):
        return LIST
    return "func()" if isinstance(value, Function) else "unknown"


def truth(value: object) -> bool:
    """Tell whether a value is true in an `if`: not the zero of its type."""
    if isinstance(value, str | int | float | Mapping | list | tuple | Slice):
        return bool(value)
    return value is not None


def assignable(value: object, wanted: str) -> bool:
    """Tell whether a value may be an argument of the Go type `wanted`."""
    if wanted == ANY:
        return True
    if wanted == STRINGS:
        return is_list(value) and all(isinstance(item, str) for item in value)
    if wanted == LIST:
        return is_list(value)
    return go_type(value) == wanted


def is_list(value: object) -> TypeGuard[List]:
    """Tell whether a value is what Go calls a slice."""
    return isinstance(value, list | tuple | Slice)


def lookup(receiver: object, name: str) -> object:
    """Return a field or map entry, or a Function for a method, of a value.

    Raises FunctionError when there is none of that name.
    """
    if receiver is None:
        return None
    if isinstance(receiver, Struct):
        method = receiver.METHODS.get(name)
        if method is not None:
            bound: Callable[..., object] = getattr(receiver, method.attribute)
            return Function(bound, method.params)
        attribute = receiver.FIELDS.get(name)
        if attribute is not None:
            return getattr(receiver, attribute)
    if isinstance(receiver, StringMap):
        return receiver.pairs.get(name, "")
    if isinstance(receiver, Mapping):
        return receiver.get(name)
    raise FunctionError(f"can't evaluate field {name} in type")


def entries(value: Mapping[object, object]) -> list[tuple[object, object]]:
    """Return a map's entries in the order in which Go prints and ranges over them."""
    return sorted(value.items(), key=lambda item: _sort_key(item[0]))


def _sort_key(key: object) -> tuple[int, float, str]:
    if isinstance(key, int | float):
        return (0, key, "")
    return (1, 0.0, str(key))
