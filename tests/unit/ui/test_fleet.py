"""The map of the fleet: groups, cells, paths."""

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from controlplane.targets.index import State
from controlplane.ui.fleet import Standing, blocks, columns_of, group, paths, prefix_length
from controlplane.ui.kept import Kept
from tests.unit.ui.fleets import entries, target


@given(st.lists(st.sampled_from(State), max_size=90), st.integers(1, 12), st.integers(2, 20))
def test_paths_draw_each_cell_once_in_its_state(
    states: list[State], columns: int, pitch: int
) -> None:
    """Read back, the strokes are the cells: none twice, none missing."""
    drawn: dict[int, State] = {}
    for state, path in paths(states, columns, pitch).items():
        for x, y, length in re.findall(r"M(\d+) ([\d.]+)h(\d+)", path):
            row = round((float(y) - pitch / 2) / pitch)
            for cell in range((int(length) + 1) // pitch):
                place = row * columns + int(x) // pitch + cell
                assert place not in drawn
                drawn[place] = state
    assert [drawn[place] for place in range(len(states))] == states


def test_neighbours_of_one_state_are_one_stroke() -> None:
    """Ten thousand that are up are a few kilobytes."""
    drawn = paths([State.UP] * 10_000, 100, 6)
    assert drawn[State.UP].count("M") == 100
    assert drawn[State.DOWN] == ""


def test_a_fleet_is_grouped_by_a_label_that_divides_it() -> None:
    """`job` where it is shared; where each has its own, what they share; nothing if nothing."""
    shared = entries(*(target(f"t{n}", job=f"j{n % 3}", zone=f"z{n % 2}") for n in range(12)))
    assert group(shared).label == "job"
    assert group(shared, "zone").label == "zone"
    assert group(shared, "nothing").label == "job"
    own = entries(*(target(f"t{n}", zone=f"z{n % 2}") for n in range(12)))
    assert group(own).label == "zone"
    alone = group(entries(*(target(f"t{n}") for n in range(12))))
    assert (alone.label, len(alone.groups)) == ("", 1)


def test_every_target_is_in_one_group() -> None:
    """What would be too many groups is one of its own, without a filter."""
    fleet = entries(*(target(f"t{n:03}", job=f"j{n % 90}") for n in range(300)))
    found = group(fleet, "job")
    assert len(found.groups) == 81
    assert found.groups[-1].value is None
    assert Counter(place for each in found.groups for place in each.members) == Counter(range(300))
    drawn = blocks(found, [State.UP] * 300)
    assert drawn[-1].selector == ""
    assert drawn[0].selector == '{job="j0"}'


def test_blocks_count_and_measure() -> None:
    """Numbers by state, and room for every cell."""
    fleet = entries(*(target(f"t{n}", job="a" if n % 2 else "b") for n in range(8)))
    states = [State.DOWN if n < 3 else State.UP for n in range(8)]
    first, second = blocks(group(fleet), states)
    assert (first.value, first.size, first.counts[State.DOWN]) == ("a", 4, 1)
    assert (second.value, second.size, second.counts[State.DOWN]) == ("b", 4, 2)
    assert first.width // first.columns * first.height // first.columns >= first.size
    assert Standing.of(states).counts == {State.DOWN: 3, State.UP: 5}


@given(st.integers(1, 10_000))
def test_a_block_is_never_wider_than_a_page(size: int) -> None:
    """However many cells it has."""
    assert 1 <= columns_of(size, 6) * 6 <= 1_100


def test_ids_are_shortened_as_far_as_they_differ() -> None:
    """The beginnings of ids name cells, so they have to tell them apart."""
    assert prefix_length(["a" * 32, "b" * 32]) == 8
    assert prefix_length(["a" * 32, "a" * 8 + "b" * 24]) == 12
    assert prefix_length([]) == 8


def test_what_is_kept_is_made_once_for_a_version() -> None:
    """A new version is made anew; of too many names the oldest goes."""
    made: list[str] = []

    def make(value: str) -> str:
        made.append(value)
        return value

    kept = Kept(most=2)
    assert kept.get("a", 1, lambda: make("a1")) == "a1"
    assert kept.get("a", 1, lambda: make("never")) == "a1"
    assert kept.get("a", 2, lambda: make("a2")) == "a2"
    kept.get("b", 1, lambda: make("b"))
    kept.get("c", 1, lambda: make("c"))
    kept.get("a", 2, lambda: make("a3"))
    assert made == ["a1", "a2", "b", "c", "a3"]
