"""Lists of targets: filters, states, and pages that neither repeat nor hide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.target import Operator, Provenance, Target, TargetSpec
from controlplane.targets.index import Query, State, TargetIndex, page


def _target(
    name: str,
    provenance: Provenance = Provenance.API,
    *,
    paused: bool = False,
    **labels: str,
) -> Target:
    spec = TargetSpec(name, url=f"http://{name}/", labels=Labels(labels))
    return Target(f"id-{name}", spec, provenance, 1, 1, 1, Operator(paused=paused))


def _index(*targets: Target) -> TargetIndex:
    index = TargetIndex()
    for target in targets:
        index.put(target)
    return index


def _names(index: TargetIndex, query: Query, outcomes: dict[str, bool] | None = None) -> list[str]:
    found = page(index.ordered(), query, (outcomes or NO_OUTCOMES).get)
    return [target.name for target, _ in found.items]


NO_OUTCOMES: dict[str, bool] = {}


def _no_outcome(_target_id: str) -> None:
    return None


names = st.text("ab.-", min_size=1, max_size=4)


@given(st.sets(names, max_size=30), st.integers(1, 7), st.data())
def test_pages_neither_repeat_nor_hide(initial: set[str], limit: int, data: st.DataObject) -> None:
    """While others come and go between pages, who was there throughout is shown once."""
    index = _index(*(_target(name) for name in initial))
    stayed, shown, cursor = set(initial), [], None
    while True:
        result = page(index.ordered(), Query(limit=limit, cursor=cursor), _no_outcome)
        shown += [target.name for target, _ in result.items]
        assert len(result.items) <= limit
        if result.next_cursor is None:
            break
        cursor = result.next_cursor
        for target in list(index):
            if data.draw(st.integers(0, 9)) == 0:
                index.remove(target)
                stayed.discard(target.name)
        newcomer = data.draw(names)
        if index.named(newcomer) is None:
            index.put(_target(newcomer))
    assert shown == sorted(set(shown))
    assert stayed <= set(shown)


def test_filters_are_all_fulfilled() -> None:
    """Matchers, states and provenances narrow the list together; match[] sets add up."""
    index = _index(
        _target("a", team="x"),
        _target("b", team="y"),
        _target("c", Provenance.FILE, team="y"),
        _target("d", paused=True, team="y"),
    )
    outcomes = {"id-a": True, "id-b": False, "id-d": True}
    team_y = (Matcher("team", MatchOp.EQUAL, "y"),)
    job_a = (Matcher("job", MatchOp.REGEX, "a|z"),)
    assert _names(index, Query(match=(team_y,))) == ["b", "c", "d"]
    assert _names(index, Query(match=(team_y, job_a))) == ["a", "b", "c", "d"]
    assert _names(index, Query(match=(team_y + job_a,))) == []
    assert _names(index, Query(provenances=(Provenance.FILE,))) == ["c"]
    expected = {
        State.UP: ["a"],
        State.DOWN: ["b"],
        State.UNKNOWN: ["c"],
        State.PAUSED: ["d"],
    }
    for state, wanted in expected.items():
        assert _names(index, Query(states=(state,)), outcomes) == wanted
    assert _names(index, Query(states=(State.UP, State.DOWN), match=(team_y,)), outcomes) == ["b"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        (Query(limit=0), "?limit"),
        (Query(limit=1001), "?limit"),
        (Query(cursor="?"), "?cursor"),
        (Query(cursor="_w"), "?cursor"),
        (Query(cursor="ü"), "?cursor"),
    ],
)
def test_what_no_page_has_is_refused(query: Query, pointer: str) -> None:
    """A limit out of range and a cursor that we did not give are told apart."""
    with pytest.raises(InvalidInput) as raised:
        page((), query, _no_outcome)
    assert raised.value.pointer == pointer


def test_the_version_moves_with_the_labels_only() -> None:
    """Renewals and other fields do not disturb who keeps something for each label set."""
    index = _index(_target("a"))
    before = index.version
    index.renew(_target("a"))
    index.put(_target("a", paused=True))
    assert index.version == before
    index.put(_target("a", team="x"))
    index.remove(_target("a"))
    assert index.version == before + 2
    assert index.counts[Provenance.API] == 0
