"""What is written into a block comes out again, bit by bit, or not at all."""

import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp, matches_all
from controlplane.model.samples import STALE_NAN
from controlplane.tsdb import runs
from controlplane.tsdb.blocks import integers, packing
from controlplane.tsdb.blocks.block import Block
from controlplane.tsdb.blocks.cache import PageCache
from controlplane.tsdb.blocks.errors import Corrupt, Interrupted
from controlplane.tsdb.blocks.integers import Runs
from controlplane.tsdb.blocks.meta import CHUNKS, INDEX, META, TOMBSTONES
from controlplane.tsdb.blocks.pages import HistogramPage, TimePage, ValuePage
from controlplane.tsdb.blocks.writing import Origin, write_block
from controlplane.tsdb.histograms import markers
from controlplane.tsdb.runs import Samples
from tests.unit.tsdb.model import bits

HOUR = 3_600_000
WHOLE = st.integers(-(2**63), 2**63 - 1)
LISTS = st.lists(st.lists(WHOLE | st.integers(-300, 300), min_size=1, max_size=9), min_size=1)
ODD = st.sampled_from([float(STALE_NAN), float("nan"), float("inf"), float("-inf"), -0.0, 5e-324])
VALUES = st.one_of(
    st.integers(-(2**40), 2**40).map(float),
    st.integers(-(10**6), 10**6).map(lambda n: n / 1000),
    st.floats(allow_nan=False),
    ODD,
)


def offsets_of(lists: Sequence[Sequence[object]]) -> np.ndarray:
    return np.concatenate(([0], np.cumsum([len(each) for each in lists])))


@settings(max_examples=200, deadline=None)
@given(LISTS)
def test_whole_numbers_come_back(lists: list[list[int]]) -> None:
    """Any 64 bits survive, whatever order and width they are written in."""
    given_runs = Runs(np.array(list(chain(*lists)), dtype=np.int64), offsets_of(lists))
    encoded = integers.encode(given_runs)
    found = integers.decode(packing.unpack(packing.pack(encoded.columns)))
    for place, number in enumerate(encoded.order.tolist()):
        run = slice(found.offsets[place], found.offsets[place + 1])
        assert found.numbers[run].tolist() == lists[number]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(VALUES, min_size=1, max_size=9), min_size=1, max_size=9))
def test_values_come_back_bit_by_bit(lists: list[list[float]]) -> None:
    """Counters, decimals, any floats, markers and NaNs survive a page side by side."""
    rows = np.arange(len(lists)) * 3
    page = ValuePage(rows, rows + 1, np.array(list(chain(*lists))), offsets_of(lists))
    found = ValuePage.decoded(page.encoded())
    for place, row in enumerate(found.rows.tolist()):
        run = slice(found.offsets[place], found.offsets[place + 1])
        assert found.columns[place] == row + 1
        assert [bits(v) for v in found.values[run].tolist()] == [bits(v) for v in lists[row // 3]]


def test_columns_of_instants_come_back_in_their_order() -> None:
    """A page of instants gives each column under its own number."""
    columns = [[5, 20, 35], [7], [5, 21, 35, 50_000]]
    page = TimePage(np.array(list(chain(*columns)), dtype=np.int64), offsets_of(columns))
    found = TimePage.decoded(page.encoded())
    assert found.times.tolist() == page.times.tolist()
    assert found.offsets.tolist() == page.offsets.tolist()


def test_counters_take_under_three_bytes_a_sample() -> None:
    """A page of counters at random rates is far below the promise of three bytes."""
    random = np.random.default_rng(1)
    counters = random.poisson(random.uniform(0, 3000, (200, 1)), (200, 240)).cumsum(axis=1)
    offsets = np.arange(201) * 240
    rows = np.arange(200)
    page = ValuePage(rows, rows, counters.reshape(-1).astype(np.float64), offsets)
    assert len(page.encoded()) / counters.size < 1.5


@pytest.mark.parametrize("damage", [b"", b"x", b"\x28\xb5\x2f\xfd" + b"\xff" * 20])
def test_a_damaged_frame_is_told(damage: bytes) -> None:
    """What is no frame of ours is Corrupt, whatever it is."""
    with pytest.raises(Corrupt):
        packing.unpack(damage)
    for page in (ValuePage, TimePage, HistogramPage):
        with pytest.raises(Corrupt):
            page.decoded(packing.pack([np.zeros(3, dtype=np.uint8)]))


class Lists:
    """A source of series in lists; some are empty."""

    def __init__(self, series: Sequence[tuple[Labels, list[tuple[int, float]]]]) -> None:
        self.series = series

    def __len__(self) -> int:
        return len(self.series)

    def labels(self, begin: int, end: int) -> Sequence[Labels]:
        return [labels for labels, _ in self.series[begin:end]]

    def read(self, begin: int, end: int) -> Samples:
        lists = [samples for _, samples in self.series[begin:end]]
        flat = list(chain(*lists))
        return Samples(
            np.array([value for _, value in flat], dtype=np.float64),
            np.array([time for time, _ in flat], dtype=np.int64),
            offsets_of(lists),
        )

    def histograms(self, numbers: Sequence[int]) -> Sequence[bytes]:
        return [b"histogram %d" % number for number in numbers]


def series_of(number: int) -> tuple[Labels, list[tuple[int, float]]]:
    """Return a series with its own interval, over two hours; each tenth has no sample."""
    labels = Labels(
        {"__name__": f"m{number % 3}", "n": str(number), "even": "yes" * (1 - number % 2)}
    )
    step = 15_000 * (1 + number % 4)
    times = range(number % 2, 2 * HOUR, step)
    return labels, [] if number % 10 == 9 else [(t, float(t + number)) for t in times]


SERIES = [series_of(number) for number in range(90)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_block(tmp_path_factory.mktemp("blocks"), Origin(0, 2 * HOUR), Lists(SERIES))
    assert path is not None
    return path


def opened(path: Path, cache: int = 1 << 20) -> Block:
    return Block(path, PageCache(cache))


@pytest.mark.parametrize("span", [(-1, 2 * HOUR), (HOUR - 20_000, HOUR + 20_000), (500, 500)])
@pytest.mark.parametrize("cache", [0, 1 << 24])
def test_a_block_gives_back_what_it_was_written_from(
    written: Path, span: tuple[int, int], cache: int
) -> None:
    """Any rows and any range of time, with and without a cache; twice."""
    block = opened(written, cache)
    present = [(labels, samples) for labels, samples in SERIES if samples]
    assert block.meta.series == len(present)
    assert block.meta.samples == sum(len(samples) for _, samples in present)
    for rows in (np.arange(len(present)), np.array([3, 17, 70]), np.array([], dtype=np.int64)):
        for _ in range(2):
            found = block.read(rows, *span)
            for place, row in enumerate(rows.tolist()):
                low, high = found.offsets[place : place + 2]
                got = list(
                    zip(
                        found.times[low:high].tolist(), found.values[low:high].tolist(), strict=True
                    )
                )
                assert got == [s for s in present[row][1] if span[0] < s[0] <= span[1]]
    assert block.index.labels(np.arange(len(present))) == [labels for labels, _ in present]


@pytest.mark.parametrize(
    "matchers",
    [
        [],
        [Matcher("__name__", MatchOp.EQUAL, "m1")],
        [Matcher("__name__", MatchOp.EQUAL, "nothing")],
        [Matcher("even", MatchOp.EQUAL, "")],
        [Matcher("even", MatchOp.NOT_EQUAL, "yes")],
        [Matcher("even", MatchOp.NOT_EQUAL, "")],
        [Matcher("n", MatchOp.REGEX, "1.*"), Matcher("__name__", MatchOp.NOT_EQUAL, "m0")],
        [Matcher("n", MatchOp.NOT_REGEX, "1.*|2"), Matcher("even", MatchOp.REGEX, "|no")],
        [Matcher("missing", MatchOp.EQUAL, "x")],
    ],
)
def test_series_are_found_as_in_memory(written: Path, matchers: list[Matcher]) -> None:
    """Selection is what comparing each label set gives."""
    index = opened(written).index
    every = index.labels(np.arange(len(index)))
    want = [row for row, labels in enumerate(every) if matches_all(matchers, labels)]
    assert index.select(matchers).tolist() == want


def test_names_and_values_are_those_of_the_series(written: Path) -> None:
    """Label names and values are listed; series are found by identity."""
    block = opened(written)
    assert sorted(block.index.names) == ["__name__", "even", "n"]
    assert sorted(block.index.values("__name__")) == ["m0", "m1", "m2"]
    assert block.index.values("other") == []
    rows = np.array([5, 1, 7])
    assert block.find(block.identities.take(rows)).tolist() == [5, 1, 7]


@pytest.mark.parametrize("file", [META, INDEX, CHUNKS])
def test_any_flipped_byte_is_noticed(written: Path, tmp_path: Path, file: str) -> None:
    """A block with one wrong byte cannot be opened, or read, as if nothing were."""
    copy = tmp_path / written.name
    size = (written / file).stat().st_size
    for position in range(0, size, max(1, size // 12)):
        shutil.copytree(written, copy)
        data = bytearray((copy / file).read_bytes())
        data[position] ^= 0x40
        (copy / file).write_bytes(data)
        try:
            block = opened(copy)
        except Corrupt:
            pass
        else:
            if file == CHUNKS:
                with pytest.raises(Corrupt) as told:
                    block.read(np.arange(block.meta.series), -1, 2 * HOUR)
                assert told.value.block == written.name
            else:  # between two sections nothing is read
                whole = block.read(np.arange(block.meta.series), -1, 2 * HOUR)
                assert len(whole.times) == block.meta.samples
        shutil.rmtree(copy)


@pytest.mark.parametrize("file", [INDEX, CHUNKS])
def test_a_shortened_file_is_noticed(written: Path, tmp_path: Path, file: str) -> None:
    """A block whose file ends early is not opened."""
    copy = tmp_path / written.name
    shutil.copytree(written, copy)
    (copy / file).write_bytes((written / file).read_bytes()[:-9])
    with pytest.raises(Corrupt):
        opened(copy)


def test_deleted_samples_stay_deleted(written: Path, tmp_path: Path) -> None:
    """A deletion is seen at once, by whoever opens the block later, and nothing else goes."""
    copy = tmp_path / written.name
    shutil.copytree(written, copy)
    block = opened(copy)
    rows = np.arange(block.meta.series)
    before = block.read(rows, -1, 2 * HOUR)
    for name in ("m1", "m2"):
        block.delete([Matcher("__name__", MatchOp.EQUAL, name)], 60_000, HOUR)
    block.delete([Matcher("__name__", MatchOp.EQUAL, "m0")], 5 * HOUR, 6 * HOUR)
    gone = np.isin(
        before.owners(), block.index.select([Matcher("__name__", MatchOp.REGEX, "m[12]")])
    )
    gone &= (before.times >= 60_000) & (before.times <= HOUR)
    want = runs.keep(before, ~gone)
    for each in (block, opened(copy)):
        after = each.read(rows, -1, 2 * HOUR)
        assert after.times.tolist() == want.times.tolist()
        assert after.offsets.tolist() == want.offsets.tolist()
        assert len(each.tombstones.stones) == 1
    (copy / TOMBSTONES).write_text("nonsense")
    with pytest.raises(Corrupt):
        opened(copy)


def test_histograms_are_kept_with_their_samples(tmp_path: Path) -> None:
    """Markers get the block's own numbers, which lead to the encoded histograms."""
    marked = markers(np.array([70_000, 12], dtype=np.int64)).tolist()
    labels = Labels({"__name__": "h"})
    source = Lists([(labels, [(0, marked[0]), (1, 5.0), (2, marked[1])])])
    path = write_block(tmp_path, Origin(0, HOUR), source)
    assert path is not None
    block = opened(path)
    found = block.read(np.array([0]), -1, HOUR)
    assert [bits(v) for v in found.values.tolist()] == [
        *map(bits, markers(np.array([0], dtype=np.int64)).tolist()),
        bits(5.0),
        *map(bits, markers(np.array([1], dtype=np.int64)).tolist()),
    ]
    assert block.histograms([0, 1]) == [b"histogram 70000", b"histogram 12"]
    with pytest.raises(Corrupt):
        block.histograms([2])


def test_nothing_is_left_of_a_block_that_was_not_finished(tmp_path: Path) -> None:
    """An empty block, a failing disk and a store that closes leave no file behind."""
    root = tmp_path / "blocks"
    assert write_block(root, Origin(0, HOUR), Lists([(Labels({"a": "b"}), [])])) is None
    with pytest.raises(Interrupted):
        write_block(root, Origin(0, HOUR), Lists(SERIES), lambda: True)

    class Failing(Lists):
        def read(self, begin: int, end: int) -> Samples:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_block(root, Origin(0, HOUR), Failing(SERIES))
    assert list(root.iterdir()) == []


def test_the_cache_keeps_to_its_bound() -> None:
    """The least recently used page goes; one that is larger than all is not kept."""
    loads: list[int] = []

    def get(cache: PageCache, size: int) -> None:
        def load() -> HistogramPage:
            loads.append(size)
            return HistogramPage((b"x" * size,))

        cache.get(size, load)

    cache = PageCache(100)
    for size in (40, 50, 40, 30, 50, 40, 500):
        get(cache, size)
    assert loads == [40, 50, 30, 50, 40, 500]
    assert cache.nbytes <= 100
