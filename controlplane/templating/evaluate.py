"""A tree walked over data (semantics of Go's text/template/exec.go, `missingkey=zero`).

The statements; their pipelines are `expressions`. Output and nesting are
bounded, so that a template can neither hang nor fill the memory.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from controlplane.templating import nodes
from controlplane.templating.errors import FunctionError, TooMuch
from controlplane.templating.expressions import MAX_STEPS, Expressions, Functions
from controlplane.templating.html import HTML_FUNCTIONS, Safe, escaped
from controlplane.templating.printf import MAX_TEXT, show
from controlplane.templating.values import Function, entries, is_list, truth

MAX_DEPTH: Final = 100

Definitions = Mapping[str, nodes.Definition]


class _Jump(Enum):
    NONE = auto()
    BREAK = auto()
    CONTINUE = auto()


def execute(
    root: nodes.Definition,
    definitions: Definitions,
    functions: Functions,
    data: object,
    *,
    html: bool = False,
) -> str:
    """Return what the template makes of the data. Raises TemplateError.

    With `html` it is a page, and what actions print is escaped.
    """
    run = _Run(root, definitions, functions, html=html)
    try:
        run.template(root, data, 0)
    except RecursionError:
        run.fail("nested too deeply")
    return "".join(run.out)


def _text(value: object, nothing: str) -> str:
    return nothing if value is None else show(value)


class _Run(Expressions):
    def __init__(
        self,
        root: nodes.Definition,
        definitions: Definitions,
        functions: Functions,
        *,
        html: bool,
    ) -> None:
        super().__init__(root, {**functions, **HTML_FUNCTIONS} if html else functions)
        self.out: list[str] = []
        self._html = html
        self._size = 0
        self._depth = 0
        self._definitions = definitions

    def template(self, definition: nodes.Definition, data: object, depth: int) -> None:
        if depth > MAX_DEPTH:
            self.fail(f"exceeded maximum template depth ({MAX_DEPTH})")
        caller = (self._definition, self._variables, self._depth)
        self._definition, self._variables, self._depth = definition, [("$", data)], depth
        self._body(data, definition.body)
        self._definition, self._variables, self._depth = caller

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_TEXT:
            self.fail(f"output longer than {MAX_TEXT} characters", TooMuch)
        self.out.append(text)

    # Statements

    def _body(self, dot: object, body: nodes.Body) -> _Jump:
        for node in body.nodes:
            jump = self._statement(dot, node)
            if jump is not _Jump.NONE:
                return jump
        return _Jump.NONE

    def _statement(self, dot: object, node: nodes.Node) -> _Jump:
        self._at(node)
        match node:
            case nodes.Text():
                self._write(node.text)
            case nodes.Action():
                self._action(dot, node)
            case nodes.If() | nodes.With():
                return self._if_or_with(dot, node)
            case nodes.Range():
                self._range(dot, node)
            case nodes.Call():
                self._call_template(dot, node)
            case nodes.Break():
                return _Jump.BREAK
            case nodes.Continue():
                return _Jump.CONTINUE
        return _Jump.NONE

    def _action(self, dot: object, node: nodes.Action) -> None:
        value = self._pipe(dot, node.pipe)
        if node.pipe.declared:
            return
        self._at(node)
        if isinstance(value, Function):
            self.fail(f"can't print {node} of type func()")
        try:
            self._write(self._shown(value))
        except FunctionError as error:
            self.fail(error.reason)

    def _shown(self, value: object) -> str:
        if self._html:
            # html/template prints nothing for what is not there.
            return value if isinstance(value, Safe) else escaped(_text(value, ""), self.out)
        return _text(value, "<no value>")

    def _if_or_with(self, dot: object, node: nodes.If | nodes.With) -> _Jump:
        mark = len(self._variables)
        value = self._pipe(dot, node.pipe)
        jump = _Jump.NONE
        if truth(value):
            jump = self._body(value if isinstance(node, nodes.With) else dot, node.body)
        elif node.otherwise is not None:
            jump = self._body(dot, node.otherwise)
        del self._variables[mark:]
        return jump

    def _range(self, dot: object, node: nodes.Range) -> None:
        mark = len(self._variables)
        value = self._pipe(dot, node.pipe)
        inner = len(self._variables)
        ran = False
        for index, element in self._elements(value, node):
            ran = True
            self._count()
            self._bind(node.pipe, inner, index, element)
            jump = self._body(element, node.body)
            del self._variables[inner:]
            if jump is _Jump.BREAK:
                break
        if not ran and node.otherwise is not None:
            self._body(dot, node.otherwise)
        del self._variables[mark:]

    def _elements(self, value: object, node: nodes.Range) -> list[tuple[object, object]]:
        if value is None:
            return []
        if is_list(value):
            return list(enumerate(value))
        if isinstance(value, Mapping):
            return entries(value)
        if isinstance(value, int) and not isinstance(value, bool):
            if len(node.pipe.declared) > 1:
                self.fail(f"can't use {value} to iterate over more than one variable")
            if value > MAX_STEPS:
                self.fail(f"range over more than {MAX_STEPS} elements")
            return [(i, i) for i in range(value)]
        return self.fail(f"range can't iterate over {show(value)}")

    def _bind(self, pipe: nodes.Pipe, inner: int, index: object, element: object) -> None:
        """Give the variables of a range their values: one takes the element, two both."""
        names = [variable.name for variable in pipe.declared]
        values = [element] if len(names) == 1 else [index, element]
        for i, (name, value) in enumerate(zip(names, values, strict=False)):
            if pipe.assigns:
                self._assign(name, value)
            else:
                self._variables[inner - len(names) + i] = (name, value)

    def _call_template(self, dot: object, node: nodes.Call) -> None:
        definition = self._definitions.get(node.name)
        if definition is None:
            self.fail(f'template "{node.name}" not defined')
        data = None if node.pipe is None else self._pipe(dot, node.pipe)
        self.template(definition, data, self._depth + 1)
