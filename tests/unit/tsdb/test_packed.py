"""Packed chunks read as the chunks that they were made of."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.labels import Labels
from controlplane.model.samples import NORMAL_NAN_BITS, STALE_NAN, Refs, Values
from controlplane.tsdb.chunk import ROWS, Chunk, Events
from controlplane.tsdb.lattice import BIAS
from controlplane.tsdb.narrowing import narrow_distances, narrow_values
from controlplane.tsdb.packed import PackedChunk, Packing
from controlplane.tsdb.ports import Write
from controlplane.tsdb.slab import Slab
from controlplane.tsdb.store import Store

NAN = np.array([NORMAL_NAN_BITS], dtype=np.uint64).view(np.float64)[0]
TICK = 15_000
START = 1_700_000_000_000 // (ROWS * TICK) * ROWS * TICK
COLUMNS = st.one_of(
    st.integers(-5, 300),
    st.integers(2**40, 2**40 + 2**17),
    st.integers(-(2**53), 2**53),
    st.integers(0, 10**7).map(lambda n: n / 1000),
    st.integers(0, 10**4).map(lambda n: n / 8),
    st.floats(width=32),
    st.floats(),
    st.sampled_from([0.0, -0.0, float("inf"), float(NAN), 1e300]),
)


def bits(values: Values) -> list[int]:
    """Return what tells all floats apart."""
    numbers: list[int] = np.ascontiguousarray(values).reshape(-1).view(np.int64).tolist()
    return numbers


@given(st.data())
def test_any_values_and_distances_come_back_bit_for_bit(data: st.DataObject) -> None:
    """Whatever a chunk holds, holes and staleness markers too, its packed form reads alike."""
    width = data.draw(st.integers(1, 5))
    chunk = Chunk(width)
    for col in range(width):
        kind = data.draw(COLUMNS.flatmap(lambda one: st.just(one) | COLUMNS))
        column = data.draw(st.lists(COLUMNS | st.just(kind), min_size=4, max_size=12))
        chunk.values[: len(column), col] = column
        apart = data.draw(st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=len(column)))
        chunk.distances[: len(apart), col] = np.array(apart) + BIAS
        if data.draw(st.booleans()):
            chunk.values[0, col] = STALE_NAN
    assert_alike(packed(chunk), chunk)


@pytest.mark.parametrize(
    ("column", "size"),
    [
        (np.full(ROWS, 7.25), 0),
        (np.full(ROWS, NAN), 0),
        (np.arange(ROWS) + 2.0**40, 1),
        (np.arange(ROWS) / 1000, 1),
        (np.arange(ROWS) * 900.0, 2),
        (np.arange(ROWS) * 1e7, 4),
        (np.arange(ROWS) / np.float64(2**10) * 2**-20, 4),
        (np.sqrt(np.arange(ROWS) + 2.0), 8),
        (np.where(np.arange(ROWS) % 2, 0.0, -0.0), 4),
    ],
)
def test_a_column_takes_as_few_bytes_a_row_as_hold_it(column: Values, size: int) -> None:
    """Constants take none, numbers near each other one or two, exact singles four."""
    narrow = narrow_values(column[:, None], np.ones((ROWS, 1), dtype=np.bool_))
    assert sum(codes.nbytes for codes in narrow.codes) == size * ROWS
    found = narrow.cells(np.arange(ROWS), np.zeros(ROWS, dtype=np.int64))
    assert bits(found) == bits(column)


def test_a_staleness_marker_does_not_make_its_column_wide() -> None:
    """Markers are set aside: the numbers beside them stay as narrow as they were."""
    column = np.arange(ROWS, dtype=np.float64)
    column[[3, 40]] = STALE_NAN
    narrow = narrow_values(column[:, None], np.ones((ROWS, 1), dtype=np.bool_))
    assert sum(codes.nbytes for codes in narrow.codes) == ROWS
    assert bits(narrow.block(slice(0, ROWS), np.array([0]))) == bits(column)


def test_series_that_come_together_share_their_instants() -> None:
    """Distances are kept once for all columns that have the same, whatever these are."""
    rows = np.arange(ROWS) * 7 + BIAS
    late = np.where(np.arange(ROWS) > 9, rows + 2**17, 0)
    distances = np.stack([rows, late, rows, rows, late], axis=1).astype(np.int32)
    narrow = narrow_distances(distances)
    assert narrow.shared.shape == (ROWS, 2)
    assert np.array_equal(narrow.block(slice(0, ROWS), np.arange(5)), distances)
    assert narrow_distances(distances[:, [0, 2]]).shared.dtype == np.uint16


def test_wide_chunks_are_packed_piece_by_piece() -> None:
    """No step looks at more than some thousand columns; what comes out is whole."""
    random = np.random.default_rng(1)
    chunk = Chunk(20_000)
    chunk.values[:] = random.integers(0, 500, chunk.values.shape)
    chunk.values[:, ::7] /= 8
    chunk.values[:, ::11] = random.random(chunk.values[:, ::11].shape)
    chunk.values[5, ::13] = STALE_NAN
    chunk.distances[:] = BIAS + random.integers(-5, 5, chunk.distances.shape)
    chunk.distances[:, 9000] += 2**18
    chunk.distances[9, ::3] = 0
    packing = Packing(0, chunk)
    assert packing.step() is None
    assert packing.step() is None
    found = packing.step()
    assert found is not None
    assert_alike(found, chunk)


def test_events_and_what_is_busy_survive_packing_and_opening() -> None:
    """Resets and holes are counted as before, also in a chunk that was opened again."""
    chunk = Chunk(4)
    one = np.array([2], dtype=np.int64)
    chunk.record(Events(one, one, np.array([5.0]), np.array([1])))
    opened = packed(chunk).opened(9)
    assert opened.width == 9
    assert opened.busy.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert opened.events().drops.tolist() == packed(chunk).events().drops.tolist() == [5.0]


def test_a_store_packs_what_is_old_and_answers_as_before() -> None:
    """Chunks behind the newest rows are packed; late samples of others open them again."""
    store, rows = Store.in_memory(), 3 * ROWS
    refs = store.refs([Labels({"__name__": "up", "n": str(n)}) for n in range(3)])
    for tick in range(rows):
        kept = refs if tick < 12 else refs[:2]
        store.append([write(tick, kept, [tick, tick / 4, tick * 3.7][: len(kept)])])
    assert kinds(store) == [PackedChunk, PackedChunk, Chunk]
    # One that stood still for long goes on where it was, in rows that are packed.
    for tick in range(12, 40):
        store.append([write(tick, refs[2:], [tick * 3.7])])
    assert kinds(store) == [Chunk, PackedChunk, Chunk]
    for tick in range(rows, rows + 12):
        store.append([write(tick, refs[:2], [tick, tick / 4])])
    assert kinds(store)[:2] == [PackedChunk, PackedChunk]
    window = store.querier().window(refs, 0, 2**45)
    wanted = [
        *(float(tick) for tick in range(rows + 12)),
        *(tick / 4 for tick in range(rows + 12)),
        *(tick * 3.7 for tick in range(40)),
    ]
    assert window.values.tolist() == wanted


def test_rows_that_are_written_to_are_never_packed() -> None:
    """A sender who is always late keeps his rows open: they are not packed at each look."""
    store = Store.in_memory()
    refs = store.refs([Labels({"__name__": "up", "n": str(n)}) for n in range(2)])
    for tick in range(2 * ROWS):
        store.append([write(tick + ROWS, refs[:1], [tick]), write(tick, refs[1:], [tick])])
    assert kinds(store) == [PackedChunk, Chunk, Chunk]
    window = store.querier().window(refs, 0, 2**45)
    assert window.values.tolist() == [*range(2 * ROWS)] * 2


def write(tick: int, refs: Refs, values: Sequence[float]) -> Write:
    return Write("test", START + tick * TICK, np.asarray(refs), np.array(values, dtype=np.float64))


def kinds(store: Store) -> list[type]:
    """Return what the chunks of the store's one slab are, older ones first."""
    (slab,) = store._head._slabs
    assert isinstance(slab, Slab)
    return [type(chunk) for _, chunk in sorted(slab.chunks.items())]


def packed(chunk: Chunk) -> PackedChunk:
    found = Packing(0, chunk).step()
    assert found is not None
    return found


def assert_alike(found: PackedChunk, chunk: Chunk) -> None:
    """Compare what is read in blocks, through lists and slices, and in single cells."""
    width = chunk.width
    filled = chunk.distances != 0
    for cols in (np.arange(width), np.arange(width)[::-2], np.array([0, width - 1, 0])):
        for rows in (slice(0, ROWS), slice(3, 9)):
            values, distances = found.block(rows, cols)
            there = filled[rows][:, cols]
            assert np.array_equal(distances, chunk.distances[rows][:, cols])
            assert bits(values[there]) == bits(chunk.values[rows][:, cols][there])
    rows_, cols_ = np.nonzero(filled)
    values, distances = found.cells(rows_, cols_)
    assert np.array_equal(distances, chunk.distances[filled])
    assert bits(values) == bits(chunk.values[filled])
    values, distances = found.block(slice(2, 5), slice(0, width))
    assert np.array_equal(distances, chunk.distances[2:5])
