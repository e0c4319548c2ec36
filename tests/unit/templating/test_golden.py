"""Templates against what the Go programs made of them.

`golden/text_template.json` was printed by Go 1.26's text/template with
`missingkey=zero`, `golden/alertmanager.json` by `amtool template render` of
Alertmanager 0.25. The latter leaves out what newer ones print otherwise: label
sets as a whole.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.model.alert import AlertStatus
from controlplane.templating import (
    ALERTMANAGER_FUNCTIONS,
    TemplateError,
    alertmanager_functions,
    compile_template,
)
from controlplane.templating.data import KV, Alert, Alerts, Data
from controlplane.templating.golayout import parse

GOLDEN = Path(__file__).parent / "golden"


def load(name: str) -> Any:
    """Return a file of cases; JSON's numbers are Go's float64."""
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"), parse_int=float)


TEXT = load("text_template.json")
NOTIFICATIONS = load("alertmanager.json")


@pytest.mark.parametrize("case", TEXT["cases"], ids=lambda case: case["template"][:60])
def test_as_go_prints_it(case: dict[str, str]) -> None:
    """Output and error messages equal those of Go's text/template."""
    output, error = "", ""
    try:
        output = compile_template(case["template"], "test").render(TEXT["data"], {})
    except TemplateError as failure:
        error = failure.reason
    assert error == case["error"]
    if not error:
        assert output == case["output"]


def alert(fields: dict[str, Any]) -> Alert:
    """Return an alert as the golden file describes it."""
    layout = "2006-01-02T15:04:05Z07:00"
    return Alert(
        status=AlertStatus(fields["status"]),
        labels=KV(fields["labels"]),
        annotations=KV(fields["annotations"]),
        starts_at=parse(layout, fields["startsAt"]),
        ends_at=parse(layout, fields["endsAt"]),
        generator_url=fields["generatorURL"],
        fingerprint=fields["fingerprint"],
    )


def notification(fields: dict[str, Any]) -> Data:
    """Return the data of the golden file."""
    return Data(
        receiver=fields["receiver"],
        status=AlertStatus(fields["status"]),
        alerts=Alerts(tuple(alert(each) for each in fields["alerts"])),
        group_labels=KV(fields["groupLabels"]),
        common_labels=KV(fields["commonLabels"]),
        common_annotations=KV(fields["commonAnnotations"]),
        external_url=fields["externalURL"],
    )


@pytest.mark.parametrize("case", NOTIFICATIONS["cases"], ids=lambda case: case["template"][:60])
def test_as_alertmanager_renders_it(case: dict[str, str]) -> None:
    """Methods, functions and error messages equal those of Alertmanager."""
    data = notification(NOTIFICATIONS["data"])
    output, error = "", ""
    try:
        template = compile_template(case["template"], functions=ALERTMANAGER_FUNCTIONS)
        output = template.render(data, alertmanager_functions(0))
    except TemplateError as failure:
        error = failure.reason
    assert error == case["error"]
    assert output.strip() == case["output"].strip()
