"""Bodies written by hand are what protobuf's own decoder reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.ingest.metadata import MetadataBook
from controlplane.ingest.remote_write import read_version_1, read_version_2
from controlplane.model.labels import Labels
from controlplane.tsdb.remote.messages import Version1, Version2, family_of, metadata_body
from controlplane.tsdb.remote.ports import Family
from controlplane.tsdb.remote.protobuf import samples, varint

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
LABELS = st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=4).map(
    lambda found: Labels({"__name__": "m", **found})
)
TIMES = st.integers(-(2**62), 2**62) | st.integers(1_600_000_000_000, 1_800_000_000_000)
SERIES = st.lists(
    st.tuples(
        LABELS, st.lists(st.tuples(TIMES, st.floats(allow_nan=False)), min_size=1, max_size=4)
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each[0],
)


@pytest.mark.parametrize("version", [1, 2])
@given(SERIES)
def test_labels_times_and_values(
    version: int, series: list[tuple[Labels, list[tuple[int, float]]]]
) -> None:
    """Any text, any instant, any value, in either version."""
    each = [pair for _, found in series for pair in found]
    times = np.array([time for time, _ in each], dtype=np.int64)
    values = np.array([value for _, value in each], dtype=np.float64)
    bounds = np.cumsum([0, *(len(found) for _, found in series)])
    encoded = samples(times, values, bounds)
    if version == 1:
        one = Version1()
        body = one.body([one.series(labels) for labels, _ in series], encoded)
        incoming = read_version_1(body, MetadataBook(10))
    else:
        two = Version2(dict)
        body = two.body([two.series(labels) for labels, _ in series], encoded)
        incoming = read_version_2(body, MetadataBook(10))
    assert [incoming.labels_of(key) for key in incoming.keys] == [labels for labels, _ in series]
    assert incoming.times.tolist() == times.tolist()
    assert incoming.values.tobytes() == values.tobytes()
    assert np.bincount(incoming.owners).tolist() == [len(found) for _, found in series]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (300, b"\xac\x02"),
        (-1, b"\xff" * 9 + b"\x01"),
    ],
)
def test_whole_numbers(number: int, written: bytes) -> None:
    """As the encoding's own documentation writes them."""
    assert varint(number) == written


def test_metadata() -> None:
    """A family's type, help and unit, in a body of its own."""
    book = MetadataBook(10)
    read_version_1(metadata_body([("m", Family("gauge", "Grüße.", "bytes"))]), book)
    said = book.families()["m"]
    assert (said.type, said.help, said.unit) == ("gauge", "Grüße.", "bytes")


def test_the_family_of_a_series() -> None:
    """By its name, or by its name without what series of a family end with."""
    families = {"m": Family("histogram", "a", ""), "n_total": Family("counter", "b", "")}
    assert family_of(("__name__", "m_bucket", "le", "1"), families) == families["m"]
    assert family_of(("__name__", "n_total"), families) == families["n_total"]
    assert family_of(("__name__", "other"), families) is None
    assert family_of(("job", "m"), families) is None
