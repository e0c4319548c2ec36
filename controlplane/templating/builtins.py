"""The functions that every Go template has (semantics of Go's text/template/funcs.go).

`and` and `or` stand here for their names only: they do not evaluate all of
their arguments, so the evaluator knows them.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus

from controlplane.templating.errors import FunctionError
from controlplane.templating.printf import show, sprint, sprintf, sprintln
from controlplane.templating.values import (
    ANY,
    STRING,
    Function,
    Slice,
    StringMap,
    assignable,
    go_type,
    is_list,
    truth,
)

_HTML: Final = {
    "\0": "\ufffd",
    '"': "&#34;",
    "'": "&#39;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
}
_JS: Final = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
}


def html(*args: object) -> str:
    """Return the arguments' text with HTML's special characters escaped."""
    return "".join(_HTML.get(char, char) for char in sprint(args))


def js(*args: object) -> str:
    """Return the arguments' text for use inside a JavaScript string."""
    return "".join(_js_char(char) for char in sprint(args))


def _js_char(char: str) -> str:
    if char in _JS:
        return _JS[char]
    if char < " ":
        return f"\\u00{ord(char):02X}"
    if char.isascii() or char.isprintable():
        return char
    return f"\\u{ord(char):04X}"


def urlquery(*args: object) -> str:
    """Return the arguments' text for use in a URL's query."""
    return quote_plus(sprint(args), safe="~")


def length(item: object) -> int:
    if isinstance(item, str):
        return len(item.encode())
    if is_list(item) or isinstance(item, Mapping):
        return len(item)
    if item is None:
        raise FunctionError("len of nil pointer")
    raise FunctionError(f"len of type {go_type(item)}")


def index(item: object, *indexes: object) -> object:
    """Return item[i][j]...; a text is indexed by bytes, as in Go."""
    if item is None:
        raise FunctionError("index of untyped nil")
    for at in indexes:
        item = _index_one(item, at)
    return item


def _index_one(item: object, at: object) -> object:
    if isinstance(item, Mapping):
        if not isinstance(at, str):
            raise FunctionError(f"value has type {go_type(at)}; should be string")
        return item.get(at, "" if isinstance(item, StringMap) else None)
    if isinstance(item, str):
        raw = item.encode()
        return raw[_place(at, len(raw), "string")]
    if is_list(item):
        return item[_place(at, len(item), "slice")]
    if item is None:
        raise FunctionError("index of nil pointer")
    raise FunctionError(f"can't index item of type {go_type(item)}")


def _place(at: object, size: int, what: str) -> int:
    place = _index_arg(at, size)
    if place == size:
        raise FunctionError(f"reflect: {what} index out of range")  # Go's words for just behind
    return place


def _index_arg(at: object, size: int) -> int:
    if at is None:
        raise FunctionError("cannot index slice/array with nil")
    if isinstance(at, bool) or not isinstance(at, int):
        raise FunctionError(f"cannot index slice/array with type {go_type(at)}")
    if not 0 <= at <= size:
        raise FunctionError(f"index out of range: {at}")
    return at


def slice_(item: object, *indexes: object) -> object:
    """Return item[i:j]; of a text in bytes. `slice x 1 2 3` also gives a capacity."""
    if item is None:
        raise FunctionError("slice of untyped nil")
    if len(indexes) > 3:
        raise FunctionError(f"too many slice indexes: {len(indexes)}")
    if isinstance(item, str):
        if len(indexes) == 3:
            raise FunctionError("cannot 3-index slice a string")
        raw = item.encode()
        start, end = _bounds(indexes, len(raw))
        return raw[start:end].decode(errors="replace")
    if not is_list(item):
        raise FunctionError(f"can't slice item of type {go_type(item)}")
    start, end = _bounds(indexes, len(item))
    items = item.items if isinstance(item, Slice) else item
    part = items[start:end]
    return type(item)(tuple(part)) if isinstance(item, Slice) else part


def _bounds(indexes: tuple[object, ...], size: int) -> tuple[int, int]:
    found = [_index_arg(at, size) for at in indexes]
    start, end = (found + [size] * 2)[:2] if found else (0, size)
    for low, high in ((start, end), (end, found[2] if len(found) == 3 else size)):
        if low > high:
            raise FunctionError(f"invalid slice index: {low} > {high}")
    return start, end


def call(name: str, function: object, *args: object) -> object:
    """Call a value that is a function; `name` is how it is written."""
    if function is None:
        raise FunctionError("call of nil")
    if not isinstance(function, Function):
        raise FunctionError(f"non-function {name} of type {go_type(function)}")
    check_count(name, function, len(args))
    for number, (arg, wanted) in enumerate(zip(args, function.params, strict=False)):
        if not assignable(arg, wanted):
            raise FunctionError(f"arg {number}: value has type {go_type(arg)}; should be {wanted}")
    return function.call(*args)


def check_count(name: str, function: Function, given: int) -> None:
    """Raise FunctionError when a function takes another number of arguments."""
    wanted = len(function.params)
    if function.variadic:
        if given < wanted:
            raise FunctionError(
                f"wrong number of args for {name}: want at least {wanted} got {given}"
            )
    elif given != wanted:
        raise FunctionError(f"wrong number of args for {name}: want {wanted} got {given}")


def _basic_kind(value: object) -> str:
    """Return bool, int, float64 or string; an empty text for what has no order."""
    for kind, name in ((bool, "bool"), (int, "int"), (float, "float64"), (str, "string")):
        if isinstance(value, kind):
            return name
    return ""


def equal(first: object, *others: object) -> bool:
    """Tell whether the first equals any of the others; kinds must agree, as in Go."""
    if not others:
        raise FunctionError("missing argument for comparison")
    kind = _basic_kind(first)
    for other in others:
        if kind != _basic_kind(other) and first is not None and other is not None:
            raise FunctionError(
                f"incompatible types for comparison: {go_type(first)} and {go_type(other)}"
            )
        if first is not None and (is_list(other) or isinstance(other, Mapping)):
            raise FunctionError(f"non-comparable type {show(other)}: {go_type(other)}")
        if first == other:
            return True
    return False


def less(first: object, second: object) -> bool:
    for value in (first, second):
        if not _basic_kind(value):
            raise FunctionError("invalid type for comparison")
    if _basic_kind(first) != _basic_kind(second):
        raise FunctionError(
            f"incompatible types for comparison: {go_type(first)} and {go_type(second)}"
        )
    if isinstance(first, str) and isinstance(second, str):
        return first.encode() < second.encode()
    if isinstance(first, bool) or not isinstance(first, int | float):
        raise FunctionError("invalid type for comparison")
    return isinstance(second, int | float) and first < second


def _less_or_equal(first: object, second: object) -> bool:
    return less(first, second) or equal(first, second)


BUILTINS: Final[Mapping[str, Function]] = {
    "and": Function(lambda *args: args[-1], (ANY,), ANY),
    "or": Function(lambda *args: args[-1], (ANY,), ANY),
    "not": Function(lambda value: not truth(value), (ANY,)),
    "call": Function(call, (ANY,), ANY),
    "html": Function(html, (), ANY),
    "js": Function(js, (), ANY),
    "urlquery": Function(urlquery, (), ANY),
    "len": Function(length, (ANY,)),
    "index": Function(index, (ANY,), ANY),
    "slice": Function(slice_, (ANY,), ANY),
    "print": Function(lambda *args: sprint(args), (), ANY),
    "println": Function(lambda *args: sprintln(args), (), ANY),
    "printf": Function(lambda text, *args: sprintf(text, args), (STRING,), ANY),
    "eq": Function(equal, (ANY,), ANY),
    "ne": Function(lambda first, second: not equal(first, second), (ANY, ANY)),
    "lt": Function(less, (ANY, ANY)),
    "le": Function(_less_or_equal, (ANY, ANY)),
    "gt": Function(lambda first, second: not _less_or_equal(first, second), (ANY, ANY)),
    "ge": Function(lambda first, second: not less(first, second), (ANY, ANY)),
}
