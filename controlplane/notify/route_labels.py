"""The labels of a route, whose values are templates: written for a group, each once."""

from collections.abc import Callable, Mapping

from controlplane.telemetry.logs import get_logger
from controlplane.templating import TemplateError
from controlplane.templating.errors import FunctionError

log = get_logger(__name__)

# Returns a label of the route by its name.
RouteLabel = Callable[[str], str]
# Writes a text, in which `routeLabels` is the given function. Raises TemplateError.
Write = Callable[[str, RouteLabel], str]


class RouteLabels:
    """Writes labels by name; one may refer to others by `routeLabels` (template/template.go)."""

    def __init__(self, templates: Mapping[str, str], write: Write) -> None:
        self._templates = templates
        self._write = write
        self._written: dict[str, str] = {}
        self._under_way: list[str] = []

    def __call__(self, name: str) -> str:
        """Return a label's text; of one that there is none of, nothing.

        Raises TemplateError, and FunctionError for labels that refer to each other in a circle.
        """
        if name not in self._templates:
            return ""
        if name in self._written:
            return self._written[name]
        if name in self._under_way:
            circle = " -> ".join((*self._under_way, name))
            raise FunctionError(f"route label cycle detected: {circle}")
        self._under_way.append(name)
        try:
            self._written[name] = self._write(self._templates[name], self)
        finally:
            self._under_way.pop()
        return self._written[name]

    def all(self) -> dict[str, str]:
        """Return the labels; one that cannot be written is left out, and logged."""
        for name in self._templates:
            try:
                self(name)
            except TemplateError as error:
                log.warning("a route label cannot be written", label=name, error=str(error))
        return {name: self._written[name] for name in self._templates if name in self._written}
