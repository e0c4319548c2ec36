"""Templates of HTML: values are text of the page, never markup."""

import pytest

from controlplane.templating import ALERTMANAGER_FUNCTIONS, alertmanager_functions, compile_template

NASTY = "<b>\"'&"


def page(text: str, value: object) -> str:
    template = compile_template(text, functions=ALERTMANAGER_FUNCTIONS, html=True)
    return template.render({"v": value}, alertmanager_functions(0))


@pytest.mark.parametrize(
    ("template", "value", "shown"),
    [
        ("<p>{{ .v }}</p>", NASTY, "<p>&lt;b&gt;&#34;&#39;&amp;</p>"),
        ('<i title="{{ .v }}">', NASTY, '<i title="&lt;b&gt;&#34;&#39;&amp;">'),
        ("{{ .v | safeHtml }}", NASTY, NASTY),
        ("{{ .v | html }}", "<", "&lt;"),
        ("{{ .v | toUpper }}", "<b>", "&lt;B&gt;"),
        ("{{ .nothing }}|", "", "|"),
        ('<a href="{{ .v }}">', "https://x/?a=1&b=2", '<a href="https://x/?a=1&amp;b=2">'),
        ('<a href="{{ .v }}">', "/relative:path", '<a href="/relative:path">'),
        ('<a href="{{ .v }}">', "javascript:alert(1)", '<a href="#ZgotmplZ">'),
        ("<a href='{{ .v }}'>", " JaVaScript:alert(1)", "<a href='#ZgotmplZ'>"),
        ("<a href={{ .v }}>", "data:text/html,x", "<a href=#ZgotmplZ>"),
        ('<a href="{{ .v | safeUrl }}">', "tel:+1&2", '<a href="tel:&#43;1&amp;2">'),
        ('<a href="http://x/{{ .v }}">', "a:b", '<a href="http://x/a:b">'),
        ('{{ define "x" }}{{ . }}{{ end }}{{ template "x" .v }}', "<", "&lt;"),
    ],
)
def test_values_are_escaped_where_they_stand(template: str, value: object, shown: str) -> None:
    """In text, in attributes and in links, unless the template says that they are safe."""
    assert page(template, value) == shown


def test_jinja_pages_are_escaped_too() -> None:
    """The other language of templates knows the same."""
    template = compile_template("{{/* jinja2 */}}<p>{{ v }}</p>", html=True)
    assert template.render({"v": "<b>"}, {}) == "<p>&lt;b&gt;</p>"


def test_a_text_is_as_it_was() -> None:
    """Outside of HTML nothing is escaped, whatever was rendered as a page before."""
    page("{{ .v }}", "<")
    template = compile_template("{{ .v }}", functions=ALERTMANAGER_FUNCTIONS)
    assert template.render({"v": "<"}, alertmanager_functions(0)) == "<"
