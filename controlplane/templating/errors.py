"""What goes wrong in a template, in Go's words, so that a search for them helps."""

from controlplane.errors import InvalidInput


class TemplateError(InvalidInput):
    """A template that cannot be parsed or executed; `line` counts from 1, 0 if unknown."""

    def __init__(self, reason: str, *, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


class TooMuch(TemplateError):
    """What a template makes is longer, or takes longer, than any may: there is too much to tell."""


class FunctionError(InvalidInput):
    """A function or method refused its arguments; the evaluator adds the place."""


class Excess(FunctionError):
    """A function would make a text or a list that is longer than any may be."""
