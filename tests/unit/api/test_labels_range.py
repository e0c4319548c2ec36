"""`/series` and its like: only series with a sample in the time that is asked for."""

import pytest

from controlplane.api.prometheus.labels import Asked
from controlplane.api.prometheus.parameters import Parameters
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.samples import STALE_NAN
from tests.support.samples import ListStore

STORE = ListStore(
    {
        Labels({"__name__": "old", "job": "a"}): [(1_000, 1.0), (2_000, 1.0)],
        Labels({"__name__": "ended", "job": "b"}): [(3_000, 1.0), (4_000, float(STALE_NAN))],
        Labels({"__name__": "new", "zone": "c"}): [(5_000, 1.0), (9_000, 1.0)],
    }
)
HAS_JOB = Matcher("job", MatchOp.NOT_EQUAL, "")


def asked(**parameters: str) -> Asked:
    pairs = tuple((name.replace("match", "match[]"), text) for name, text in parameters.items())
    return Asked.read(Parameters(pairs))


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({}, ["old", "ended", "new"]),
        ({"start": "2"}, ["old", "ended", "new"]),
        ({"start": "2.001"}, ["ended", "new"]),
        ({"start": "3.5"}, ["new"]),
        ({"end": "4.999"}, ["old", "ended"]),
        ({"end": "1"}, ["old"]),
        ({"start": "6", "end": "8"}, []),
        ({"start": "3", "end": "5"}, ["ended", "new"]),
        ({"start": "3", "match": '{job=~".+"}'}, ["ended"]),
        (
            {"start": "-292273086-05-16T16:47:06Z", "end": "9223372036854000"},
            ["old", "ended", "new"],
        ),
    ],
)
def test_series_without_a_sample_in_time_are_left_out(
    parameters: dict[str, str], names: list[str]
) -> None:
    """Both ends count; a staleness marker is no sample, and hides none before it."""
    assert [labels.name for labels in asked(**parameters).labels(STORE)] == names


def test_the_index_answers_only_when_nobody_is_left_out() -> None:
    """Of the series that have the label that is asked for."""
    assert asked().takes_all(STORE)
    assert asked(start="1").takes_all(STORE)
    assert not asked(start="2.5").takes_all(STORE)
    assert asked(start="2.5").takes_all(STORE, Matcher("zone", MatchOp.NOT_EQUAL, ""))
    assert not asked(start="1", match="new").takes_all(STORE)


def test_values_come_from_series_in_time() -> None:
    """A matcher besides narrows each selector."""
    found = asked(start="2.5").labels(STORE, HAS_JOB)
    assert [labels["job"] for labels in found] == ["b"]


def test_too_many_are_cut_with_a_warning() -> None:
    """The warning's words are upstream's; exactly the limit is not too many."""
    assert asked(limit="2").cut(["a", "b"]) == {"status": "success", "data": ["a", "b"]}
    cut = asked(limit="1").cut(["a", "b"])
    assert cut["data"] == ["a"]
    assert cut["warnings"] == ["results truncated due to limit"]
