"""The texts of an alerting rule, made into the labels and annotations of an alert."""

from collections.abc import Callable, Iterable
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.promql.values import Scalar, Vector
from controlplane.rules.options import Texts
from controlplane.rules.ports import QueryFunc
from controlplane.telemetry.logs import get_logger
from controlplane.templating import (
    PROMETHEUS_FUNCTIONS,
    Template,
    TemplateError,
    compile_template,
    prometheus_functions,
)
from controlplane.templating.expressions import Functions
from controlplane.templating.jinja import MARK
from controlplane.templating.prometheus import PRELUDE, AlertData

log = get_logger(__name__)

# A text that calls one of these may differ though labels and value do not.
_IMPURE: Final = ("query", "now")

Expand = Callable[[Template], str]


def compile_text(text: str, rule_name: str) -> Template:
    """Compile a label's or annotation's text with the variables that Prometheus defines.

    Raises TemplateError, in Prometheus' words.
    """
    source = PRELUDE + text if "{{" in text and not text.startswith(MARK) else text
    return compile_template(source, f"__alert_{rule_name}", functions=PROMETHEUS_FUNCTIONS)


class AlertTexts:
    """The compiled labels and annotations of one rule."""

    def __init__(self, name: str, labels: Texts, annotations: Texts) -> None:
        self._name = name
        self._labels = [(label, compile_text(text, name)) for label, text in labels]
        self._annotations = [(label, compile_text(text, name)) for label, text in annotations]
        texts = [text for _, text in (*labels, *annotations)]
        self.pure = not any(word in text for text in texts for word in _IMPURE)

    def expand(
        self,
        element: Labels,
        value: float,
        functions: Functions,
        *,
        external_labels: Labels,
        external_url: str,
    ) -> tuple[dict[str, str], Labels]:
        """Return the rule's labels and annotations for one element of its result.

        A text that cannot be expanded says so in its place, as in Prometheus.
        """
        data = AlertData.of(
            element, value, external_labels=external_labels, external_url=external_url
        )

        def text(template: Template) -> str:
            try:
                return template.render(data, functions)
            except TemplateError as error:
                log.warning("alert template failed", rule=self._name, reason=error.reason)
                return (
                    f"<error expanding template: error executing template "
                    f"__alert_{self._name}: {error.reason}>"
                )

        labels = {name: text(template) for name, template in self._labels}
        return labels, Labels((name, text(template)) for name, template in self._annotations)


def rule_functions(ts: Timestamp, query: QueryFunc, external_url: str) -> Functions:
    """Return the template functions of an evaluation at `ts`."""

    def run(expr: str, at: Timestamp) -> list[tuple[Labels, float]]:
        return list(elements(query(expr, at)))

    return prometheus_functions(ts, run, external_url)


def elements(result: Vector | Scalar) -> Iterable[tuple[Labels, float]]:
    """Return the elements of a result; a scalar counts as one without labels."""
    if isinstance(result, Scalar):
        return [(Labels(), result.value)]
    return zip(result.labels, result.values.tolist(), strict=True)
