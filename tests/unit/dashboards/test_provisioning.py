"""What Grafana is provisioned with has the documented shape, and its names fit together."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.model.alert import Alert
from controlplane.model.duration import parse_duration
from controlplane.model.labels import Labels
from controlplane.promql.parser import parse
from controlplane.templating import (
    ALERTMANAGER_FUNCTIONS,
    Library,
    alertmanager_functions,
    compile_template,
)
from controlplane.templating.data import Data
from dashboards.catalogue import FOLDERS, every_sheet, path_of
from dashboards.frame import PREFIX

ROOT = Path(__file__).parents[3]
PLACE = ROOT / "grafana" / "provisioning"
FILES = sorted(PLACE.rglob("*.yml"))
TYPES = {"prometheus", "alertmanager", "loki", "jaeger"}
DATASOURCE = {"name", "uid", "type", "access", "url", "isDefault", "editable", "jsonData"}
PROVIDER = {
    "name", "orgId", "type", "folder", "folderUid", "disableDeletion", "allowUiUpdates",
    "updateIntervalSeconds", "options",
}  # fmt: skip
POLICY = {"orgId", "receiver", "group_by", "group_wait", "group_interval", "repeat_interval"}


def read(name: str) -> Any:
    """Return a file of provisioning."""
    return yaml.safe_load((PLACE / name).read_text())


@pytest.fixture
def sources() -> dict[str, dict[str, Any]]:
    """Give the data sources by their uids."""
    return {each["uid"]: each for each in read("datasources/datasources.yml")["datasources"]}


def texts(value: object) -> list[str]:
    """Return all texts inside a value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dollars_are_meant(path: Path) -> None:
    """Grafana fills in `$NAME` in every value: only files of secrets, all others are `$$`."""
    content = yaml.safe_load(path.read_text())
    assert content["apiVersion"] == 1
    for text in texts(content):
        for found in re.findall(r"(?<!\$)\$(?!\$)\S*", text.replace("$$", "")):
            assert re.match(r"\$__file\{/run/secrets/\w+\}", found), text


def test_data_sources_have_the_documented_keys(sources: dict[str, dict[str, Any]]) -> None:
    """Each has its uid, is asked by the server and cannot be edited; one is the default."""
    given = read("datasources/datasources.yml")["datasources"]
    assert len(sources) == len(given) == len({each["name"] for each in given})
    for each in given:
        assert set(each) <= DATASOURCE | {"secureJsonData"}
        assert each["type"] in TYPES
        assert (each["access"], each["editable"]) == ("proxy", False)
    assert [each["uid"] for each in given if each.get("isDefault")] == ["controlplane"]


def test_data_sources_point_at_each_other(sources: dict[str, dict[str, Any]]) -> None:
    """Every uid that a data source names is one of them: exemplars, traces to logs, and back."""
    text = json.dumps(list(sources.values()))
    named = re.findall(r'"(?:datasourceUid|alertmanagerUid)": "([^"]+)"', text)
    assert set(named) == {"jaeger", "loki", "controlplane", "controlplane-alertmanager"}
    assert set(named) <= set(sources)
    for uid in ("controlplane", "prometheus"):
        assert sources[uid]["jsonData"]["exemplarTraceIdDestinations"][0]["name"] == "trace_id"


def test_a_header_has_its_value(sources: dict[str, dict[str, Any]]) -> None:
    """Our token goes along, read from a file, wherever a header is named."""
    for each in sources.values():
        secret = each.get("secureJsonData", {})
        assert ("httpHeaderName1" in each["jsonData"]) == ("httpHeaderValue1" in secret)
    assert "httpHeaderName1" in sources["controlplane"]["jsonData"]


def test_queries_of_data_sources_parse(sources: dict[str, dict[str, Any]]) -> None:
    """What a trace leads to is an expression."""
    for query in sources["jaeger"]["jsonData"]["tracesToMetrics"]["queries"]:
        parse(query["query"])


def test_every_folder_is_provided() -> None:
    """Folders have the uids and titles that `controlplane grafana sync` gives them."""
    providers = read("dashboards/dashboards.yml")["providers"]
    assert all(set(each) == PROVIDER for each in providers)
    assert {each["folderUid"]: each["folder"] for each in providers} == {
        f"{PREFIX}{folder}": title for folder, title in FOLDERS.items()
    }
    paths = {Path(each["options"]["path"]).name for each in providers}
    assert paths == {path_of(sheet).parts[0] for sheet in every_sheet()}


def test_grafana_s_alerts_come_to_us() -> None:
    """The one policy's receiver is the contact point, which speaks Alertmanager's API to us."""
    given = read("alerting/notifications.yml")
    (point,) = given["contactPoints"]
    (policy,) = given["policies"]
    (receiver,) = point["receivers"]
    assert set(policy) == POLICY
    assert policy["receiver"] == point["name"]
    assert receiver["settings"]["url"].endswith("/alertmanager/api/v2/alerts")
    assert receiver["disableResolveMessage"] is False
    for name in ("group_wait", "group_interval", "repeat_interval"):
        # Below the time after which an alert that nobody repeats counts as resolved.
        assert parse_duration(policy[name]) < parse_duration("5m")


def test_what_grafana_sends_is_what_alertmanager_s_api_takes() -> None:
    """The template makes a list of alerts: labels, annotations, a start, an end when resolved.

    Grafana calls `data.ToJSON` what is `toJson` here.
    """
    (shipped,) = read("alerting/notifications.yml")["templates"]
    text = shipped["template"].replace("$$", "$").replace("data.ToJSON", "toJson")
    text += '{{ template "controlplane.alerts" . }}'
    alerts = [_alert("Slow", ends_at=900_000), _alert('Do"wn', ends_at=90_000)]
    data = Data.of("controlplane", {}, alerts, now=100_000, external_url="http://g")
    library = Library((), ALERTMANAGER_FUNCTIONS)
    made = compile_template(text, functions=ALERTMANAGER_FUNCTIONS, library=library)
    firing, resolved = json.loads(made.render(data, alertmanager_functions(100_000)))
    assert firing == {
        "labels": {"alertname": "Slow"},
        "annotations": {"summary": "1 < 2"},
        "startsAt": "1970-01-01T00:01:00Z",
        "generatorURL": "http://g/rule",
    }
    assert resolved["labels"] == {"alertname": 'Do"wn'}
    assert resolved["endsAt"] == "1970-01-01T00:01:30Z"


def _alert(name: str, *, ends_at: int) -> Alert:
    return Alert(
        Labels({"alertname": name}),
        starts_at=60_000,
        ends_at=ends_at,
        updated_at=60_000,
        annotations=Labels({"summary": "1 < 2"}),
        generator_url="http://g/rule",
    )
