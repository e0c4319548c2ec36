"""The addresses that messages lead to."""

from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import links
from controlplane.model.matcher_syntax import parse_utf8_matchers

BASE = "https://cp.example.org/console"


def test_links_lead_below_the_external_url() -> None:
    """Whatever path it has."""
    assert links.alerts(BASE) == f"{BASE}/alerts"
    assert links.story(BASE, "a/b") == f"{BASE}/alerts/a%2Fb"
    assert links.graph(BASE, "up == 0") == f"{BASE}/query?expr=up%20%3D%3D%200"
    until = links.graph(BASE, "up", 1_700_000_000_000)
    assert until.endswith("&end=2023-11-14T22%3A13%3A20.000Z")


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_graph_remembers_its_expression(expr: str) -> None:
    """Only links of our own are read back: what others plot is not ours to know."""
    assert links.expression(BASE, links.graph(BASE, expr, 0)) == expr
    assert links.expression(BASE, links.graph("http://other", expr)) == ""


@given(st.dictionaries(st.text('ab_é "\\,}\n', min_size=1), st.text('ab"\\,{}=\n é'), min_size=1))
def test_a_silence_form_is_filled_with_matchers(labels: dict[str, str]) -> None:
    """What it is filled with matches the labels, whatever is in them."""
    query = parse_qs(urlsplit(links.silence(BASE, labels)).query, strict_parsing=True)
    matchers = parse_utf8_matchers(query["match"][0])
    assert {matcher.name: matcher.value for matcher in matchers} == labels
