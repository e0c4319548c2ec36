"""Alertmanager's newer template functions, by the values that Alertmanager 0.34 gives."""

import pytest

from controlplane.model.alert import Alert as ModelAlert
from controlplane.model.alert import AlertStatus
from controlplane.model.labels import Labels
from controlplane.templating import (
    ALERTMANAGER_FUNCTIONS,
    TemplateError,
    alertmanager_functions,
    compile_template,
)
from controlplane.templating.data import Data
from controlplane.templating.gotime import Time

NOW = 1_704_096_930_000  # 2024-01-01 08:15:30 UTC


def render(text: str, data: object = None) -> str:
    """Render with Alertmanager's functions at NOW."""
    functions = alertmanager_functions(NOW, lambda name: f"<{name}>")
    return compile_template(text, functions=ALERTMANAGER_FUNCTIONS).render(data, functions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ now | date "2006-01-02" }}', "2024-01-01"),
        ('{{ now | tz "Europe/Paris" }}', "2024-01-01 09:15:30 +0100 CET"),
        ('{{ toDate "2006-01-02" "2024-01-01" | since | humanizeDuration }}', "8h 15m 30s"),
        ('{{ toDate "2006-01-02" "2024-03-15" | date "02 Jan 2006" }}', "15 Mar 2024"),
        ('{{ toDate "2006-01-02" "not-a-date" | date "2006" }}', "0001"),
        ('{{ mustToDate "2006-01-02" "2024-03-15" | date "02 Jan 2006" }}', "15 Mar 2024"),
        (
            '{{ "hello" | toJson }} {{ toJson 1.5 }} {{ toJson true }} {{ toJson nil }}',
            '"hello" 1.5 true null',
        ),
        ('{{ dict "b" 1 "a" (list "x" "<") | toJson }}', '{"a":["x","\\u003c"],"b":1}'),
        ('{{ $l := list 1 2 }}{{ append $l 3 "x" }} {{ list }}', "[1 2 3 x] []"),
        ('{{ (dict "k" "v").k }} {{ index (dict "k" 2) "k" }}', "v 2"),
        ('{{ urlUnescape "a%20b+c" }}', "a b c"),
        ('{{ "a?b>" | base64encode }} {{ "YT9iPg==" | base64decode }}', "YT9iPg== a?b>"),
        ('{{ trimSpace " x " }}{{ title "heLLO world" }}', "xHello World"),
        ('{{ routeLabels "team" }}', "<team>"),
        ('{{ safeUrl "http://x/?a=<" }}', "http://x/?a=<"),
    ],
)
def test_values(text: str, expected: str) -> None:
    """Each function gives what upstream's does."""
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{{ dict "a" }}', "dict requires an even number of arguments"),
        ("{{ dict 1 2 }}", "dict keys must be strings"),
        ('{{ mustToDate "2006" "x" }}', 'parsing time "x" as "2006": cannot parse "x" as "2006"'),
        ('{{ now | tz "Invalid/Zone" }}', "unknown time zone Invalid/Zone"),
        ('{{ urlUnescape "%zz" }}', 'invalid URL escape "%zz"'),
        ('{{ base64decode "?" }}', "illegal base64 data"),
        ('{{ humanizeDuration "one" }}', 'strconv.ParseFloat: parsing "one": invalid syntax'),
    ],
)
def test_errors(text: str, reason: str) -> None:
    """What cannot be done says why."""
    with pytest.raises(TemplateError) as failure:
        render(text)
    assert failure.value.reason.endswith(reason)


def test_data_of_a_group() -> None:
    """Status, common labels and annotations are worked out from the alerts."""
    alerts = [
        ModelAlert(
            labels=Labels({"alertname": "A", "job": "j", "i": name}),
            annotations=Labels({"same": "1", "own": name}),
            starts_at=NOW - 1000,
            ends_at=ends_at,
            updated_at=NOW,
        )
        for name, ends_at in (("x", NOW + 1000), ("y", NOW))
    ]
    data = Data.of("ops", {"job": "j"}, alerts, now=NOW, external_url="http://x")
    assert data.status is AlertStatus.FIRING
    assert render("{{ .CommonLabels }}|{{ .CommonAnnotations }}|{{ .GroupLabels }}", data) == (
        "alertname=A, job=j|same=1|job=j"
    )
    assert render("{{ range .Alerts.Resolved }}{{ .Labels.i }}{{ end }}", data) == "y"
    gone = Data.of("ops", {}, alerts[1:], now=NOW, external_url="")
    assert gone.status is AlertStatus.RESOLVED
    assert render("{{ .Status }} {{ len .Alerts.Firing }}", gone) == "resolved 0"
    assert data.alerts.alerts()[0].starts_at == Time.of(NOW - 1000)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (
            "{{ title \"it's o'neill-smith a_b x.y 3rd ALL\" }}",
            "It's O'neill-Smith A_b X.y 3Rd All",
        ),
        ('{{ printf "%+v %+d %#x %# x %#X" 1 1 "ab" "ab" "ab" }}', "1 +1 0x6162 0x61 0x62 0X6162"),
        ('{{ printf "%+t|%#t|%.3T" 5 "" 5.5 }}', "%!t(int=+5)|%!t(string=)|flo"),
        ('{{ reReplaceAll "\\\\b" "|" "is it" }}', "|is| |it|"),
        ('{{ reReplaceAll "x*" "-" "abxc" }}', "-a-b-c-"),
    ],
)
def test_as_go_writes_it(template: str, text: str) -> None:
    """Titles of words, flags of verbs, and matches of nothing at all."""
    compiled = compile_template(template, functions=ALERTMANAGER_FUNCTIONS)
    assert compiled.render(None, alertmanager_functions(0)) == text


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ('{{ match "(" "x" }}', "error parsing regexp: missing closing ): `(`"),
        ('{{ match "a**" "x" }}', "invalid nested repetition operator: `**`"),
        ('{{ reReplaceAll "[" "x" "y" }}', "regexp: Compile(`[`): error parsing regexp: missing"),
        ('{{ index (stringSlice "a") 1 }}', "reflect: slice index out of range"),
        ('{{ index (stringSlice "a") 2 }}', "index out of range: 2"),
    ],
)
def test_reasons_as_go_gives_them(template: str, reason: str) -> None:
    """Also for patterns that cannot be compiled."""
    compiled = compile_template(template, functions=ALERTMANAGER_FUNCTIONS)
    with pytest.raises(TemplateError) as refused:
        compiled.render(None, alertmanager_functions(0))
    assert reason in str(refused.value)
