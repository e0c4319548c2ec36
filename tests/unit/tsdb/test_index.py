"""Series numbers and matchers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp, matches_all
from controlplane.tsdb.index import NO_SERIES, Index

SERIES = [
    Labels({"__name__": "up", "job": "a", "instance": "1"}),
    Labels({"__name__": "up", "job": "b", "instance": "1"}),
    Labels({"__name__": "up", "job": "b", "instance": "2", "zone": "eu"}),
    Labels({"__name__": "down", "job": "a"}),
    Labels({}),
]


def select(index: Index, *matchers: Matcher) -> list[int]:
    state, bound, _ = index.view()
    found: list[int] = state.select(matchers, bound).tolist()
    return found


@pytest.fixture
def index() -> Index:
    filled = Index()
    filled.refs(SERIES, now=0)
    return filled


def test_the_same_labels_have_the_same_number(index: Index) -> None:
    """Asking again creates nothing."""
    refs, created = index.refs(list(reversed(SERIES)), now=1)
    assert refs.tolist() == [4, 3, 2, 1, 0]
    assert created == 0


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (Matcher("job", MatchOp.EQUAL, "b"), [1, 2]),
        (Matcher("job", MatchOp.EQUAL, "nothing"), []),
        (Matcher("zone", MatchOp.EQUAL, ""), [0, 1, 3, 4]),
        (Matcher("absent", MatchOp.EQUAL, ""), [0, 1, 2, 3, 4]),
        (Matcher("absent", MatchOp.EQUAL, "x"), []),
        (Matcher("zone", MatchOp.NOT_EQUAL, ""), [2]),
        (Matcher("job", MatchOp.NOT_EQUAL, "a"), [1, 2, 4]),
        (Matcher("instance", MatchOp.REGEX, "1|2"), [0, 1, 2]),
        (Matcher("instance", MatchOp.REGEX, "1?"), [0, 1, 3, 4]),
        (Matcher("zone", MatchOp.REGEX, ".*"), [0, 1, 2, 3, 4]),
        (Matcher("zone", MatchOp.REGEX, ".+"), [2]),
        (Matcher("instance", MatchOp.NOT_REGEX, "1"), [2, 3, 4]),
        (Matcher("instance", MatchOp.NOT_REGEX, "1?"), [2]),
        (Matcher("zone", MatchOp.NOT_REGEX, ".*"), []),
    ],
)
def test_a_label_that_is_not_set_counts_as_empty(
    index: Index, matcher: Matcher, expected: list[int]
) -> None:
    """Each of the four operators takes absent labels exactly when it takes ''."""
    assert select(index, matcher) == expected


NAMES = st.sampled_from(["__name__", "a", "b"])
TEXTS = st.sampled_from(["", "x", "y", "xy"])
MATCHERS = st.builds(
    Matcher, NAMES, st.sampled_from(list(MatchOp)), st.sampled_from(["", "x", "y", "x.*", ".*"])
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(NAMES, TEXTS), max_size=20), st.lists(MATCHERS, max_size=4), st.data()
)
def test_selection_is_that_of_looking_at_every_series(
    sets: list[dict[str, str]], matchers: list[Matcher], data: st.DataObject
) -> None:
    """Postings give what matching each label set by itself gives, also after removals."""
    index = Index()
    labels = [Labels(each) for each in sets]
    refs, _ = index.refs(labels, now=0)
    gone = data.draw(st.sets(st.sampled_from(refs.tolist()))) if len(refs) else set()
    index.remove(np.array(sorted(gone), dtype=np.int64))
    alive = {ref: each for ref, each in zip(refs.tolist(), labels, strict=True) if ref not in gone}
    wanted = sorted(ref for ref, each in alive.items() if matches_all(matchers, each))
    assert select(index, *matchers) == wanted


def test_a_view_does_not_see_series_created_later(index: Index) -> None:
    """Selection, names and values of a view stay as they were."""
    state, bound, generation = index.view()
    index.refs([Labels({"__name__": "up", "job": "c", "new": "n"})], now=0)
    assert state.select([Matcher("__name__", MatchOp.EQUAL, "up")], bound).tolist() == [0, 1, 2]
    assert state.names(bound) == ["__name__", "instance", "job", "zone"]
    assert state.values("job", bound) == ["a", "b"]
    assert index.view()[2] != generation


def test_a_view_keeps_series_removed_later(index: Index) -> None:
    """Removal changes the generation and what new views see, not the old ones."""
    state, bound, generation = index.view()
    index.remove(np.array([1], dtype=np.int64))
    assert state.select([Matcher("job", MatchOp.EQUAL, "b")], bound).tolist() == [1, 2]
    assert state.labels([1]) == [SERIES[1]]
    assert select(index, Matcher("job", MatchOp.EQUAL, "b")) == [2]
    assert index.view()[2] != generation


def test_a_number_is_never_given_to_another_series(index: Index) -> None:
    """A removed series that comes back gets a new number."""
    index.remove(np.array([0, 4], dtype=np.int64))
    refs, created = index.refs([SERIES[0], Labels({"x": "y"})], now=0)
    assert refs.tolist() == [5, 6]
    assert created == 2


def test_series_over_the_limit_get_no_number() -> None:
    """The limit counts what is alive; room comes back with removal."""
    index = Index(max_series=2)
    assert index.refs(SERIES[:3], now=0)[0].tolist() == [0, 1, NO_SERIES]
    assert index.refs(SERIES[:1], now=0)[0].tolist() == [0]
    index.remove(np.array([0], dtype=np.int64))
    assert index.refs(SERIES[2:3], now=0)[0].tolist() == [2]
