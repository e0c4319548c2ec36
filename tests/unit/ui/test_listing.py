"""The list of targets: filters, orders, and pages that neither repeat nor hide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.target import Provenance
from controlplane.targets.index import State
from controlplane.ui import listing
from controlplane.ui.listing import Readings, Wanted, listed, wanted
from tests.unit.ui.fleets import entries, target

_FLEET = entries(
    target("api", team="web"),
    target("db", Provenance.FILE, team="infra", tier="Gold"),
    target("shop", team="web"),
)
_STATES = [State.UP, State.DOWN, State.PAUSED]
_READINGS = Readings(
    {f"{'api':>032}": 0.5, f"{'db':>032}": 0.1, f"{'shop':>032}": 0.3}, {f"{'api':>032}": 0.9}
)


def names(asked: Wanted) -> list[str]:
    """Return the names that a list shows."""
    return [row.target.name for row in listed(_FLEET, _STATES, _READINGS, asked).rows]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (Wanted(), ["api", "db", "shop"]),
        (Wanted(search="SHOP.example"), ["shop"]),
        (Wanted(search="gold"), ["db"]),
        (Wanted(match='team="web"'), ["api", "shop"]),
        (Wanted(match='{team!="web"}'), ["db"]),
        (Wanted(match='team=~"w.*"', search="api"), ["api"]),
        (Wanted(state=State.DOWN), ["db"]),
        (Wanted(provenance=Provenance.FILE), ["db"]),
        (Wanted(sort="name", descending=True), ["shop", "db", "api"]),
        (Wanted(sort="state"), ["db", "shop", "api"]),
        (Wanted(sort="latency"), ["db", "shop", "api"]),
        (Wanted(sort="latency", descending=True), ["api", "shop", "db"]),
        (Wanted(sort="uptime", descending=True), ["api", "db", "shop"]),
    ],
)
def test_lists_are_filtered_and_sorted(asked: Wanted, shown: list[str]) -> None:
    """All that was asked for is fulfilled; what has no number comes last either way."""
    assert names(asked) == shown


def test_a_row_has_what_samples_say() -> None:
    """A paused target has no latency: its last probe is long ago."""
    rows = listed(_FLEET, _STATES, _READINGS, Wanted()).rows
    assert [(row.latency, row.uptime) for row in rows] == [(0.5, 0.9), (0.1, None), (None, None)]


@given(
    st.lists(st.sampled_from((None, 0.1, 0.2, 0.3)), min_size=1, max_size=30),
    st.sampled_from(listing.SORTS),
    st.booleans(),
    st.integers(1, 7),
)
def test_pages_neither_repeat_nor_hide(
    latencies: list[float | None], sort: str, descending: bool, size: int
) -> None:
    """Page by page, each target is seen once, in the order of the whole list."""
    fleet = entries(*(target(f"t{n:02}") for n in range(len(latencies))))
    numbers = {f"{f't{n:02}':>032}": each for n, each in enumerate(latencies) if each is not None}
    states = [State.UP] * len(fleet)
    seen: list[str] = []
    cursor: str | None = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "PAGE", size)
        while True:
            asked = Wanted(sort=sort, descending=descending, cursor=cursor)
            found = listed(fleet, states, Readings(numbers, numbers), asked)
            assert found.total == len(fleet)
            seen += [row.target.name for row in found.rows]
            cursor = found.next_cursor
            if cursor is None:
                break
        patch.setattr(listing, "PAGE", len(fleet))
        whole = listed(
            fleet, states, Readings(numbers, numbers), Wanted(sort=sort, descending=descending)
        )
    assert seen == [row.target.name for row in whole.rows]


def test_an_address_is_read_and_written() -> None:
    """What was asked for stands in the address of the next list, from its first page on."""
    given_ = {"search": "a", "match": 'x="y"', "state": "down", "sort": "-latency", "cursor": "z"}
    asked = wanted(given_)
    assert asked.narrows
    assert asked.descending
    assert asked.address() == {key: given_[key] for key in ("search", "match", "state", "sort")}
    assert asked.address(state="", sort="") == {"search": "a", "match": 'x="y"'}
    assert wanted({}).address() == {}
    assert not wanted({"sort": "state"}).narrows


@pytest.mark.parametrize(
    "parameters", [{"sort": "colour"}, {"state": "broken"}, {"provenance": "heaven"}]
)
def test_what_no_list_has_is_refused(parameters: dict[str, str]) -> None:
    """Nothing is ignored."""
    with pytest.raises(InvalidInput):
        wanted(parameters)


def test_bad_matchers_and_cursors_are_refused() -> None:
    """The error points at the parameter."""
    with pytest.raises(InvalidInput) as refused:
        names(Wanted(match="x{"))
    assert refused.value.pointer == "?match"
    for cursor in ("x", "W10", "bnVsbA"):
        with pytest.raises(InvalidInput):
            names(Wanted(cursor=cursor))
