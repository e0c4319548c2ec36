"""The list of targets: what a reader asked for, and the page of rows that this makes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from controlplane.api.v1.cursor import decode_cursor, encode_cursor
from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.matchers import Matcher, matches_all
from controlplane.model.target import Provenance, Target
from controlplane.targets.index import Entry, State

PAGE: Final = 100
SORTS: Final = ("name", "state", "latency", "uptime")
# What needs looking at comes first.
_URGENCY: Final[Mapping[State, int]] = {
    State.DOWN: 0,
    State.UNKNOWN: 1,
    State.PAUSED: 2,
    State.UP: 3,
}

# Whether the value is missing, the value, the name.
_Key = tuple[bool, float, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list shows and in which order; empty texts and None ask for all."""

    search: str = ""
    match: str = ""
    state: State | None = None
    provenance: Provenance | None = None
    sort: str = "name"
    descending: bool = False
    cursor: str | None = None

    @property
    def narrows(self) -> bool:
        """Tell whether anything is left out."""
        return bool(self.search or self.match or self.state or self.provenance)

    @property
    def backwards(self) -> bool:
        """Tell whether names descend; other keys descend by their sign."""
        return self.descending and self.sort == "name"

    def address(self, **changed: str) -> dict[str, str]:
        """Return the parameters of this list with some of them changed, from its first page on."""
        sort = f"-{self.sort}" if self.descending else self.sort
        parameters = {
            "search": self.search,
            "match": self.match,
            "state": self.state.value if self.state else "",
            "provenance": self.provenance.value if self.provenance else "",
            "sort": "" if sort == "name" else sort,
        }
        return {name: value for name, value in {**parameters, **changed}.items() if value}


@dataclass(frozen=True, slots=True)
class Readings:
    """What samples say, by the id of a target: seconds of the last probe, share of time up."""

    latency: Mapping[str, float]
    uptime: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One target of the list."""

    target: Target
    labels: Labels
    state: State
    latency: float | None
    uptime: float | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of rows, how many there are on all pages, and the cursor of the next one."""

    rows: Sequence[Row]
    total: int
    next_cursor: str | None


def wanted(parameters: Mapping[str, str]) -> Wanted:
    """Return what an address asks for. Raises InvalidInput for what it cannot mean."""
    sort = parameters.get("sort", "") or "name"
    if sort.removeprefix("-") not in SORTS:
        raise InvalidInput(f"a list is sorted by {', '.join(SORTS)}", pointer="?sort")
    try:
        state = State(parameters["state"]) if parameters.get("state") else None
        given = parameters.get("provenance")
        provenance = Provenance(given) if given else None
    except ValueError as error:
        raise InvalidInput(str(error), pointer="?state") from None
    return Wanted(
        search=parameters.get("search", "").strip()[:200],
        match=parameters.get("match", "").strip()[:2_000],
        state=state,
        provenance=provenance,
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        cursor=parameters.get("cursor") or None,
    )


def listed(
    entries: Sequence[Entry], states: Sequence[State], readings: Readings, asked: Wanted
) -> Listing:
    """Return the page that was asked for. Raises InvalidInput."""
    places = _fitting(entries, states, asked)
    numbers = readings.uptime if asked.sort == "uptime" else readings.latency
    keyed = sorted(
        ((_key(entries[place].target, states[place], numbers, asked), place) for place in places),
        reverse=asked.backwards,
    )
    left = keyed
    if asked.cursor:
        after = _from_cursor(asked.cursor)
        left = [each for each in keyed if (each[0] < after if asked.backwards else each[0] > after)]
    shown = left[:PAGE]
    rows = [_row(entries[place], states[place], readings) for _, place in shown]
    more = len(left) > PAGE
    return Listing(rows, len(keyed), _to_cursor(shown[-1][0]) if more else None)


def _fitting(entries: Sequence[Entry], states: Sequence[State], asked: Wanted) -> Sequence[int]:
    """Return the places of the targets that were asked for. Raises InvalidInput."""
    if not asked.narrows:
        return range(len(entries))
    fits = _fits(asked)
    return [
        place
        for place, entry in enumerate(entries)
        if (asked.state is None or states[place] is asked.state) and fits(entry)
    ]


def _fits(asked: Wanted) -> Callable[[Entry], bool]:
    """Return what tells whether a target is one of those asked for. Raises InvalidInput."""
    matchers = _matchers(asked.match)
    needle = asked.search.casefold()

    def fits(entry: Entry) -> bool:
        target = entry.target
        if asked.provenance is not None and target.provenance is not asked.provenance:
            return False
        if needle and not _holds(entry, needle):
            return False
        return not matchers or matches_all(matchers, entry.labels)

    return fits


def _matchers(text: str) -> tuple[Matcher, ...]:
    try:
        return parse_matchers(text) if text else ()
    except InvalidInput as error:
        error.pointer = "?match"
        raise


def _holds(entry: Entry, needle: str) -> bool:
    target = entry.target
    return (
        needle in target.name
        or needle in target.endpoint.casefold()
        or any(needle in value.casefold() for _, value in entry.labels.pairs)
    )


def _row(entry: Entry, state: State, readings: Readings) -> Row:
    target = entry.target
    return Row(
        target,
        entry.labels,
        state,
        readings.latency.get(target.id) if state in (State.UP, State.DOWN) else None,
        readings.uptime.get(target.id),
    )


def _key(target: Target, state: State, numbers: Mapping[str, float], asked: Wanted) -> _Key:
    if asked.sort == "name":
        return (False, 0.0, target.name)
    value = float(_URGENCY[state]) if asked.sort == "state" else numbers.get(target.id)
    if value is None:
        return (True, 0.0, target.name)
    return (False, -value if asked.descending else value, target.name)


def _to_cursor(key: _Key) -> str:
    return encode_cursor(orjson.dumps(key).decode())


def _from_cursor(cursor: str) -> _Key:
    try:
        missing, value, name = orjson.loads(decode_cursor(cursor) or "")
        return (bool(missing), float(value), str(name))
    except (ValueError, TypeError):
        reason = "not a cursor of this list: begin again without one"
        raise InvalidInput(reason, pointer="?cursor") from None
