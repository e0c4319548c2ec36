"""Prometheus' template functions, by the values that Prometheus gives."""

import math

import pytest

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.templating import (
    PROMETHEUS_FUNCTIONS,
    TemplateError,
    compile_template,
    prometheus_functions,
)
from controlplane.templating.prometheus import PRELUDE, AlertData

NOW = 1_353_755_652_000
RESULT = [
    (Labels({"__name__": "metric", "instance": "b"}), 21.0),
    (Labels({"__name__": "metric", "instance": "a", "__value__": "x"}), 11.0),
]


def query(expr: str, at: Timestamp) -> list[tuple[Labels, float]]:
    """Answer every query but one with two elements."""
    assert at == NOW
    return [] if expr == "missing" else RESULT


def render(text: str, data: object = None) -> str:
    """Render with Prometheus' functions."""
    functions = prometheus_functions(NOW, query, "http://testhost:9090/path/prefix")
    return compile_template(text, "test", functions=PROMETHEUS_FUNCTIONS).render(data, functions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ query "q" | first | value }}', "21"),
        ('{{ query "q" | first | label "instance" }}', "b"),
        ('{{ query "q" | first | label "foo" }}|', "|"),
        ('{{ query "q" | sortByLabel "instance" | first | strvalue }}', "x"),
        ('{{ $x := query "q" | first }}{{ $x.Labels.foo }}|', "|"),
        (
            '{{ range query "q" | sortByLabel "instance" }}'
            "{{ .Labels.instance }}:{{ .Value }} {{ end }}",
            "a:11 b:21 ",
        ),
        ('{{ define "x" }}{{ .arg0 }} {{ .arg1 }}{{ end }}{{ template "x" (args 1 "2") }}', "1 2"),
        ('{{ "foo.example.com:12345" | stripPort }}', "foo.example.com"),
        ('{{ "[2001:0DB8::1]:12345" | stripPort }}', "2001:0DB8::1"),
        ('{{ "[2001:0DB8::1]::12345" | stripPort }}', "[2001:0DB8::1]::12345"),
        ('{{ "2001:0DB8::1" | stripPort }}', "2001:0DB8::1"),
        ('{{ "foo.example.com:12345" | stripDomain }}', "foo:12345"),
        ('{{ "192.0.2.1:12345" | stripDomain }}', "192.0.2.1:12345"),
        ('{{ "[2001:0DB8::1]:12345" | stripDomain }}', "[2001:0DB8::1]:12345"),
        ('{{ reReplaceAll "(a)b" "x$1" "ab" }}', "xa"),
        ('{{ "aa bb CC" | title }} {{ "aa" | toUpper }} {{ "BB" | toLower }}', "Aa Bb CC AA bb"),
        ('{{ match "a+" "aa" }} {{ match "a+" "b" }}', "true false"),
        (
            '{{ graphLink "up" }} {{ tableLink "a b" }}',
            "/graph?g0.expr=up&g0.tab=0 /graph?g0.expr=a+b&g0.tab=1",
        ),
        ("{{ pathPrefix }} {{ externalURL }}", "/path/prefix http://testhost:9090/path/prefix"),
        ('{{ printf "%0.2f" (parseDuration "1h2m10ms") }}', "3720.01"),
        ('{{ printf "%0.2f" (parseDuration "-1h2m10ms") }}', "-3720.01"),
        ("{{ now }}", "1.353755652e+09"),
        ('{{ (now | toTime).Format "Mon Jan 2 15:04:05 2006" }}', "Sat Nov 24 11:14:12 2012"),
        (
            '{{ ("-30m" | parseDuration | toDuration | (now | toTime).Add).UnixMilli }}',
            "1353753852000",
        ),
        ("{{ (1800 | toDuration).String }}", "30m0s"),
        ("{{ 1435065584.128 | humanizeTimestamp }}", "2015-06-23 13:19:44.128 +0000 UTC"),
        (
            '{{ "-0.22222" | humanizePercentage }} {{ 1.23456 | humanizePercentage }}',
            "-22.22% 123.5%",
        ),
        ('{{ "a&b" | urlQueryEscape }}', "a%26b"),
        ("{{ .Foo }}", "<no value>"),
        ('{{ "<b>" | safeHtml }}', "<b>"),
    ],
)
def test_values(text: str, expected: str) -> None:
    """Each function gives what upstream's does."""
    assert render(text) == expected


@pytest.mark.parametrize(
    ("function", "given", "expected"),
    [
        ("humanize", [0.0, 1.0, 1234567.0, 0.12], "0:1:1.235M:120m:"),
        ("humanize", ["0.0", "1234567.0", ".12"], "0:1.235M:120m:"),
        ("humanize", [0, -1, 1234567, 2**63 - 1], "0:-1:1.235M:9.223E:"),
        ("humanize1024", [0.0, 1.0, 1048576.0, 0.12], "0:1:1Mi:0.12:"),
        ("humanize1024", [-1, 1234567, 2**63 - 1], "-1:1.177Mi:8Ei:"),
        (
            "humanizeDuration",
            [0, 1, 60, 3600, 86400, 90000, -(86400 * 2 + 3600 * 3 + 60 * 4 + 5), 899.99],
            "0s:1s:1m 0s:1h 0m 0s:1d 0h 0m 0s:1d 1h 0m 0s:-2d 3h 4m 5s:14m 59s:",
        ),
        (
            "humanizeDuration",
            [0.1, 0.0001, 0.12345, 60.1, 60.5, 1.2345, 12.345],
            "100ms:100us:123.5ms:1m 0s:1m 0s:1.234s:12.35s:",
        ),
        ("humanizePercentage", [0, -1, 1234567], "0%:-100%:1.235e+08%:"),
        (
            "humanizeTimestamp",
            [-1, 1234567],
            "1969-12-31 23:59:59 +0000 UTC:1970-01-15 06:56:07 +0000 UTC:",
        ),
        ("humanize", [math.inf, -math.inf, math.nan], "+Inf:-Inf:NaN:"),
        ("humanizeTimestamp", ["+Inf", "NaN"], "+Inf:NaN:"),
    ],
)
def test_humanize(function: str, given: list[object], expected: str) -> None:
    """Numbers, and texts that are numbers, are shown as a person reads them."""
    assert render(f"{{{{ range . }}}}{{{{ {function} . }}}}:{{{{ end }}}}", given) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{{", "template: test:1: unclosed action"),
        ("{{\xa0}}", "template: test:1: unrecognized character in action: U+00A0"),
        (
            '{{ query "missing" | first }}',
            'template: test:1:21: executing "test" at <first>: error calling first: '
            "first() called on vector with no elements",
        ),
        (
            '{{ (query "missing").banana }}',
            'template: test:1:10: executing "test" at <"missing">: '
            "can't evaluate field banana in type template.queryResult",
        ),
        (
            '{{ humanize "one" }}',
            'template: test:1:3: executing "test" at <humanize "one">: error calling humanize: '
            'strconv.ParseFloat: parsing "one": invalid syntax',
        ),
        (
            "{{ range . }}{{ humanizeTimestamp . }}{{ end }}",
            'template: test:1:16: executing "test" at <humanizeTimestamp .>: error calling '
            "humanizeTimestamp: -9.223372036854776e+18 cannot be represented as a nanoseconds "
            "timestamp since it overflows int64",
        ),
    ],
)
def test_errors(text: str, error: str) -> None:
    """Messages are those that upstream's users search for."""
    with pytest.raises(TemplateError) as failure:
        render(text, [-(2**63)])
    assert failure.value.reason == error


def test_the_variables_of_alerts() -> None:
    """A rule's texts see labels, value, external labels and the external URL."""
    data = AlertData.of(
        {"instance": "a"}, 0.25, external_labels={"dc": "x"}, external_url="http://p"
    )
    text = "{{ $labels.instance }} {{ $value }} {{ $externalLabels.dc }} {{ $externalURL }}"
    assert (
        render(PRELUDE + text + "{{ $labels.nope }}|{{ .Value }}", data) == "a 0.25 x http://p|0.25"
    )
