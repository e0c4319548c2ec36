"""One silence for some alerts, and for as little else as can be."""

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp, matches_all
from controlplane.mute.cover import covering

_LABELS = st.dictionaries(
    st.sampled_from(["alertname", "instance", "job", "rack"]),
    st.text(alphabet="ab.|*+(\\\n€", min_size=1, max_size=4),
    max_size=4,
).map(Labels)


def test_what_all_share_is_an_equality_and_the_rest_a_choice() -> None:
    """Values are literal, whatever they look like; a label that one lacks may be absent."""
    a = Labels({"alertname": "Full", "instance": "a.b"})
    b = Labels({"alertname": "Full", "instance": "c", "rack": "1"})
    assert covering([a, b]) == (
        Matcher("alertname", MatchOp.EQUAL, "Full"),
        Matcher("instance", MatchOp.REGEX, r"a\.b|c"),
        Matcher("rack", MatchOp.REGEX, "|1"),
    )


def test_one_alert_is_covered_by_its_own_labels() -> None:
    """As an acknowledgement by the API does it."""
    matchers = covering([Labels({"alertname": "Full", "instance": "a"})])
    assert {matcher.op for matcher in matchers} == {MatchOp.EQUAL}


def test_a_new_instance_is_not_covered() -> None:
    """What nobody has seen yet is told."""
    known = [Labels({"alertname": "Full", "instance": f"host-{n}"}) for n in range(1_000)]
    matchers = covering(known)
    assert all(matches_all(matchers, labels) for labels in known)
    assert not matches_all(matchers, Labels({"alertname": "Full", "instance": "host-1000"}))
    assert not matches_all(matchers, Labels({"alertname": "Full"}))


@given(st.lists(_LABELS, min_size=1, max_size=6), _LABELS)
def test_it_covers_all_of_them_and_no_value_that_none_has(
    alerts: list[Labels], other: Labels
) -> None:
    """For any labels: each alert fulfils it, and who does has only values that one of them has."""
    matchers = covering(alerts)
    assert all(matches_all(matchers, labels) for labels in alerts)
    if matches_all(matchers, other):
        for matcher in matchers:
            values = {labels.value(matcher.name) for labels in alerts}
            assert other.value(matcher.name) in values
