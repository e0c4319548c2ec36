"""Templates of receivers and of `templates:` files are looked at when the file is read."""

from pathlib import Path

import pytest

from tests.unit.config.reading import problems, read

RECEIVERS = """\
route: {receiver: ops}
templates: [own.tmpl]
receivers:
  - name: ops
    slack_configs:
      - api_url: https://hooks.example/x
        {slack}
    pagerduty_configs:
      - routing_key: {key}
        {pagerduty}
    webhook_configs:
      - url: {url}
        {webhook}
"""
GOOD = {
    "slack": 'title: {{ template "own.title" . }}',
    "key": "abc",
    "pagerduty": "description: x",
    "url": "https://hook.example/",
    "webhook": "payload: {text: '{{ .Status }}'}",
}
BROKEN = "'{{ .Status'"


def written(directory: Path, **keys: str) -> str:
    """Return a configuration whose templates are good but for those given."""
    own = '{{ define "own.title" }}{{ .Status }}{{ end }}'
    (directory / "own.tmpl").write_text(keys.pop("own", own))
    text = RECEIVERS
    for name, value in {**GOOD, "slack": "title: '{{ template \"own.title\" . }}'", **keys}.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def test_good_templates_are_taken(tmp_path: Path) -> None:
    """Texts may call what the files of `templates` and the defaults define."""
    config = read(
        tmp_path,
        written(tmp_path, pagerduty="description: '{{ template \"slack.default.title\" . }}'"),
    )
    assert config.receivers[0].slack_configs[0].title == '{{ template "own.title" . }}'
    assert str(tmp_path / "own.tmpl") in config.files


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("slack", f"title: {BROKEN}", 7),
        ("slack", f"channel: {BROKEN}", 7),
        ("slack", f"fields: [{{title: a, value: {BROKEN}}}]", 7),
        ("slack", f"actions: [{{type: button, text: {BROKEN}, url: x}}]", 7),
        ("slack", f"actions: [{{type: b, text: t, name: n, confirm: {{text: {BROKEN}}}}}]", 7),
        ("pagerduty", f"class: {BROKEN}", 10),
        ("pagerduty", f"details: {{a: {{b: [{BROKEN}]}}}}", 10),
        ("pagerduty", "details: {'{{ .Status': b}", 10),
        ("pagerduty", f"links: [{{href: {BROKEN}}}]", 10),
        ("pagerduty", f"images: [{{src: x, alt: {BROKEN}}}]", 10),
        ("webhook", f"payload: [{{a: {BROKEN}}}]", 13),
    ],
)
def test_a_broken_template_is_told_with_its_line(
    tmp_path: Path, key: str, value: str, line: int
) -> None:
    """Every key that is a template is parsed; nested ones too."""
    [(found, reason)] = problems(tmp_path, written(tmp_path, **{key: value}))
    assert found == line
    assert "template: :1: unclosed action" in reason


def test_the_line_is_that_of_the_text_inside_a_tree(tmp_path: Path) -> None:
    """A payload over many lines is told at the line of the text that is wrong."""
    payload = (
        "payload:\n          good: x\n          list:\n            - y\n            - '{{ end }}'"
    )
    [(line, _)] = problems(tmp_path, written(tmp_path, webhook=payload))
    assert line == 17


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ nosuch .Status }}", 'function "nosuch" not defined'),
        ('{{ template "nosuch" . }}', 'template "nosuch" not defined'),
        (
            '{{ if .Status }}{{ range .Alerts }}{{ template "nosuch" . }}{{ end }}{{ end }}',
            "nosuch",
        ),
        ("{{/* jinja2 */}}{% include 'nosuch.j2' %}", "no template file 'nosuch.j2'"),
        ("{{/* jinja2 */}}{% if %}", "template: "),
    ],
)
def test_what_is_called_must_be_there(tmp_path: Path, text: str, reason: str) -> None:
    """A function or named template that nothing defines is found before an alert needs it."""
    quoted = text.replace("'", "''")
    [(_, told)] = problems(tmp_path, written(tmp_path, slack=f"title: '{quoted}'"))
    assert reason in told


@pytest.mark.parametrize("key", ["key", "url"])
def test_a_secret_template_is_refused_without_its_text(tmp_path: Path, key: str) -> None:
    """The routing key and the webhook's URL are secrets, whatever is wrong with them."""
    [(_, reason)] = problems(tmp_path, written(tmp_path, **{key: "'{{ tops3cret'"}))
    assert reason.endswith("not a valid template")
    assert "tops3cret" not in reason


def test_a_broken_template_file_is_told_by_its_own_name_and_line(tmp_path: Path) -> None:
    """The problem names the file of `templates`, once, and nothing that calls it is blamed."""
    text = written(tmp_path, own='{{ define "own.title" }}\n{{ if }}\n{{ end }}')
    [(line, reason)] = problems(tmp_path, text)
    assert (line, reason) == (2, "missing value for if")


def test_another_template_file_is_another_configuration(tmp_path: Path) -> None:
    """The digest changes with what the files of `templates` say."""
    first = read(tmp_path, written(tmp_path))
    second = read(tmp_path, written(tmp_path, own='{{ define "own.title" }}other{{ end }}'))
    assert first.digest != second.digest
