"""Compiled templates: one text, with the named templates it may call."""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final, Protocol

from controlplane.templating import nodes
from controlplane.templating.builtins import BUILTINS
from controlplane.templating.errors import TemplateError
from controlplane.templating.evaluate import execute
from controlplane.templating.expressions import Functions
from controlplane.templating.jinja import MARK, JinjaTemplate
from controlplane.templating.parser import parse


class Template(Protocol):
    """A template ready to be rendered, any number of times and from any thread."""

    def render(self, data: object, functions: Functions) -> str:
        """Return the text for `data`.

        `functions` are the ones besides the language's own; they must cover
        the names given when the template was compiled. Raises TemplateError.
        """
        ...

    def check(self) -> None:
        """Raise TemplateError when the text calls a named template that there is none of."""
        ...


class Library:
    """Named templates that others may call: those of Alertmanager's `templates` files.

    Definitions of a later file replace those of an earlier one. Raises
    TemplateError for a file that cannot be parsed.
    """

    def __init__(self, files: Iterable[tuple[str, str]], functions: Collection[str]) -> None:
        """Take (name, text) of each file, and the names of functions they may use."""
        self.definitions: dict[str, nodes.Definition] = {}
        self.jinja: dict[str, str] = {}
        for name, text in files:
            if name.endswith(".j2"):
                self.jinja[name] = text
                continue
            for definition in _parsed(text, name, frozenset(BUILTINS.keys() | functions)):
                if not definition.empty or definition.name not in self.definitions:
                    self.definitions[definition.name] = definition


# Files are few, and the default templates are read again at every reload.
@lru_cache(maxsize=64)
def _parsed(text: str, name: str, functions: frozenset[str]) -> tuple[nodes.Definition, ...]:
    return tuple(parse(text, name, functions).values())


class _GoTemplate:
    def __init__(
        self,
        root: nodes.Definition,
        definitions: Mapping[str, nodes.Definition],
        *,
        html: bool,
    ) -> None:
        self._root = root
        self._definitions = definitions
        self._html = html

    def render(self, data: object, functions: Functions) -> str:
        known = {**functions, **BUILTINS}
        return execute(self._root, self._definitions, known, data, html=self._html)

    def check(self) -> None:
        for call in nodes.calls(self._root.body):
            if call.name not in self._definitions:
                line, _ = self._root.place(call.pos)
                where = f"template: {self._root.file}:{line}"
                raise TemplateError(f'{where}: template "{call.name}" not defined', line=line)


class _Literal:
    """A text without actions renders to itself."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self, data: object, functions: Functions) -> str:  # noqa: ARG002
        return self._text

    def check(self) -> None:
        """There is nothing that it could call."""


_EMPTY: Final = frozenset[str]()


@lru_cache(maxsize=8192)
def compile_template(
    text: str,
    name: str = "",
    *,
    functions: frozenset[str] = _EMPTY,
    library: Library | None = None,
    html: bool = False,
) -> Template:
    """Compile a template; equal arguments give the same one, compiled once.

    `functions` are the names it may call besides Go's own, `library` the
    templates; `html` escapes what values bring into a page. Text that begins
    with `{{/* jinja2 */}}`, or whose name ends in `.j2`, is Jinja2. Raises
    TemplateError.
    """
    if text.startswith(MARK) or name.endswith(".j2"):
        others = {} if library is None else library.jinja
        return JinjaTemplate(text, name, functions, others, html=html)
    if "{{" not in text:
        return _Literal(text)
    definitions = dict[str, nodes.Definition]() if library is None else dict(library.definitions)
    own = parse(text, name, BUILTINS.keys() | functions)
    for definition in own.values():
        if not definition.empty or definition.name not in definitions:
            definitions[definition.name] = definition
    return _GoTemplate(own[name], definitions, html=html)
