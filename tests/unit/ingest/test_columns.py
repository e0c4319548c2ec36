"""Encoded samples decoded in columns, against protobuf one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.ingest.columns import sample_columns
from controlplane.ingest.wire import message_class
from controlplane.model.samples import STALE_BITS
from tests.support.remote_write import encoded_samples, stale_sample

TIMES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**36),
    st.integers(1_600_000_000_000, 1_900_000_000_000),
)
VALUES = st.one_of(st.just(0.0), st.just(-0.0), st.floats(allow_nan=False))


@given(st.lists(st.tuples(TIMES, VALUES), max_size=20))
def test_columns_are_what_protobuf_decodes(samples: list[tuple[int, float]]) -> None:
    """Every instant and value comes out as it went in, whatever its layout."""
    times, values = sample_columns(encoded_samples(samples))
    assert times.tolist() == [time for time, _ in samples]
    wanted = np.array([value for _, value in samples], dtype=np.float64)
    assert values.tobytes() == wanted.tobytes()


def test_a_staleness_marker_keeps_its_bits() -> None:
    """The marker is a NaN among others, told apart by its bits alone."""
    _, values = sample_columns([*encoded_samples([(1_700_000_000_000, 1.0)]), stale_sample(2)])
    assert values.view(np.uint64)[1] == STALE_BITS
    _, values = sample_columns([stale_sample(1_700_000_000_000)])
    assert values.view(np.uint64)[0] == STALE_BITS


def test_other_fields_and_orders_are_decoded() -> None:
    """A start time behind, or the time before the value, is no hindrance."""
    [plain] = encoded_samples([(1_700_000_000_000, 2.5)])
    turned = plain[9:] + plain[:9]
    times, values = sample_columns([plain + b"\x18\x05", turned, b""])
    assert times.tolist() == [1_700_000_000_000, 1_700_000_000_000, 0]
    assert values.tolist() == [2.5, 2.5, 0.0]


def test_what_is_no_sample_is_refused() -> None:
    """Bytes that break the encoding raise InvalidInput."""
    with pytest.raises(InvalidInput):
        sample_columns([b"\x09\x01"])
    assert message_class("Sample").FromString(b"").value == 0
