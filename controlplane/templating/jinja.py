"""Jinja2, sandboxed, over the same data and functions as Go templates.

Fields and methods go by Go's names or in snake_case (`CommonLabels`,
`common_labels`), functions may also stand as filters. What the sandbox leaves
open, endless loops and huge texts, is bounded here.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from controlplane.templating.errors import Excess, FunctionError, TemplateError, TooMuch
from controlplane.templating.printf import MAX_TEXT, check_size, show
from controlplane.templating.values import Function, Struct, lookup

MARK: Final = "{{/* jinja2 */}}"
_MAX_ITERATIONS: Final = 100_000
_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which a Struct offers its listed fields and methods only."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Struct):
            return _offered(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Struct) and isinstance(argument, str):
            return _offered(obj, argument)
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr != "format" and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            raise FunctionError("% on texts is not allowed: use ~ or format")
        if operator == "**" and (abs(left) > 1_000_000 or abs(right) > 64):
            raise FunctionError("power too large")
        if operator == "*":
            for text, count in ((left, right), (right, left)):
                if not isinstance(text, int | float):
                    check_size(len(text) * max(0, count))
        return super().call_binop(context, operator, left, right)


class JinjaTemplate:
    """A compiled Jinja2 template; `others` are templates it may include or import."""

    def __init__(
        self,
        text: str,
        name: str,
        functions: Collection[str],
        others: Mapping[str, str],
        *,
        html: bool = False,
    ) -> None:
        """Compile the text, which may use `functions` as filters. Raises TemplateError."""
        self._html = html
        self._name = name
        self._source = text.removeprefix(MARK)
        self._others = others
        environment = _environment(others, html=html)
        environment.filters.update(dict.fromkeys(functions, str))
        try:
            self._code = environment.compile(self._source, name or None)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                f"template: {name}:{error.lineno}: {error.message}", line=error.lineno
            ) from None

    def check(self) -> None:
        """Raise TemplateError when it includes or imports a file that there is none of."""
        tree = _environment(self._others).parse(self._source)
        for name in meta.find_referenced_templates(tree):
            if name is not None and name not in self._others:
                raise TemplateError(f"template: {self._name}: no template file {name!r}")

    def render(self, data: object, functions: Mapping[str, Function]) -> str:
        """Return the text for `data`. Raises TemplateError."""
        environment = _environment(self._others, html=self._html)
        calls = {name: function.call for name, function in functions.items()}
        environment.filters.update(calls)
        environment.globals.update(calls)
        try:
            template = jinja2.Template.from_code(
                environment, self._code, environment.make_globals(None)
            )
            return _joined(template.generate(_context(data)))
        except Excess as error:
            raise TooMuch(f"template: {self._name}: {error}") from None
        except (jinja2.TemplateError, FunctionError, ArithmeticError, TypeError) as error:
            raise TemplateError(f"template: {self._name}: {error}") from None
        except (RecursionError, MemoryError, ValueError, AttributeError) as error:
            raise TemplateError(f"template: {self._name}: {type(error).__name__}") from None


def _joined(parts: Any) -> str:
    out: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > MAX_TEXT:
            raise Excess(f"output longer than {MAX_TEXT} characters")
        out.append(part)
    return "".join(out)


def _environment(others: Mapping[str, str], *, html: bool = False) -> _Environment:
    environment = _Environment(
        autoescape=html,  # other messages are text; each integration escapes for itself
        loader=jinja2.DictLoader(dict(others)),
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        cache_size=0,
        keep_trailing_newline=True,
    )
    environment.globals["range"] = _budgeted_range()
    environment.globals.pop("lipsum", None)
    return environment


def _shown(value: object) -> object:
    if value is None or isinstance(value, str | jinja2.Undefined):
        return "" if value is None else value
    return show(value)


def _budgeted_range() -> Callable[..., range]:
    """Return a `range` that hands out a bounded number of elements in all."""
    left = _MAX_ITERATIONS

    def bounded_range(*args: int) -> range:
        nonlocal left
        numbers = range(*args)
        left -= len(numbers)
        if left < 0:
            raise FunctionError(f"ranges of more than {_MAX_ITERATIONS} elements in all")
        return numbers

    return bounded_range


def _context(data: object) -> dict[str, object]:
    if isinstance(data, Struct):
        values = {name: getattr(data, attribute) for name, attribute in data.FIELDS.items()}
        return values | {_snake(name): value for name, value in values.items()}
    return dict(data) if isinstance(data, Mapping) else {"data": data}


def _offered(struct: Struct, name: str) -> object:
    wanted = name
    for known in (*struct.FIELDS, *struct.METHODS):
        if name in (known, _snake(known)):
            wanted = known
            break
    try:
        value = lookup(struct, wanted)
    except FunctionError:
        raise jinja2.UndefinedError(f"{struct.GO_TYPE} has no {name!r}") from None
    return value.call if isinstance(value, Function) else value


def _snake(name: str) -> str:
    return _WORD_START.sub("_", name).lower()
