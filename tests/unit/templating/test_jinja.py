"""Jinja2 where a text asks for it: the same data, in a sandbox."""

import pytest

from controlplane.model.alert import AlertStatus
from controlplane.templating import (
    ALERTMANAGER_FUNCTIONS,
    Library,
    TemplateError,
    alertmanager_functions,
    compile_template,
)
from controlplane.templating.data import KV, Alert, Alerts, Data
from controlplane.templating.gotime import Time

MARK = "{{/* jinja2 */}}"
ALERT = Alert(
    AlertStatus.FIRING, KV({"alertname": "Down"}), KV({}), Time.of(0), Time.zero(), "", "f"
)
DATA = Data("ops", AlertStatus.FIRING, Alerts((ALERT,)), KV({"a": "1"}), KV({}), KV({}), "http://x")


def render(text: str, **options: object) -> str:
    """Render with Alertmanager's functions."""
    template = compile_template(text, functions=ALERTMANAGER_FUNCTIONS)
    return template.render(DATA, alertmanager_functions(0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ Status }} {{ status|upper }}", "firing FIRING"),
        ("{{ group_labels.a }}{{ GroupLabels.a }}{{ group_labels['a'] }}", "111"),
        ("{% for a in alerts.firing() %}{{ a.labels.alertname }}{% endfor %}", "Down"),
        (
            "{% for a in Alerts.Firing() %}{{ a.StartsAt }}{% endfor %}",
            "1970-01-01 00:00:00 +0000 UTC",
        ),
        ("{{ status|toUpper }} {{ reReplaceAll('i', 'o', status) }}", "FIRING forong"),
        ("{{ group_labels.sorted_pairs().names().join('-') }}", "a"),
        ("{{ 1.0 }} {{ none }}|", "1 |"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
    ],
)
def test_data_and_functions(text: str, expected: str) -> None:
    """Fields go by Go's names or in snake_case; functions are filters too."""
    assert render(MARK + text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ status.__class__.__mro__ }}",
        "{{ alerts.__init__.__globals__ }}",
        "{{ alerts.items }}",
        "{{ nope }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 2 ** 100000 }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(50000) %}" + "x" * 100 + "{% endfor %}",
        "{{ '{0.__class__}'.format(status) }}",
        "{% for i in range(3) %}",
        "{{ reReplaceAll('(', 'a', 'b') }}",
    ],
)
def test_the_sandbox_holds(text: str) -> None:
    """No way to Python's insides, no endless work, and clear errors."""
    with pytest.raises(TemplateError):
        render(MARK + text)


@pytest.mark.parametrize("text", ["{{ status|nope }}", "line\n{% endfor %}", "{{ status"])
def test_mistakes_are_found_when_it_is_compiled(text: str) -> None:
    """Broken syntax and unknown filters are refused before anything is rendered."""
    with pytest.raises(TemplateError, match=r"^template: t:[12]: "):
        compile_template(MARK + text, "t", functions=ALERTMANAGER_FUNCTIONS)


def test_files_by_their_ending() -> None:
    """A file in .j2 is Jinja2 without the mark, and others may include it."""
    library = Library([("part.j2", "[{{ status }}]")], ALERTMANAGER_FUNCTIONS)
    template = compile_template(
        "{% include 'part.j2' %}", "main.j2", functions=ALERTMANAGER_FUNCTIONS, library=library
    )
    assert template.render(DATA, alertmanager_functions(0)) == "[firing]"
