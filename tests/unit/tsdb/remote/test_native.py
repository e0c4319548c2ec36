"""Native histograms in remote write's message: what is sent is what is read."""

from hypothesis import given

from controlplane.ingest.histograms import read_histogram
from controlplane.model.histogram import CounterResetHint, FloatHistogram
from controlplane.tsdb.remote.native import histogram
from tests.support.histograms import histograms


@given(histograms())
def test_what_is_sent_is_what_is_read(sample: FloatHistogram) -> None:
    """Of whole and of fractional counts, of exponential and of custom buckets."""
    time, found = read_histogram(histogram(sample, 1_700_000_000_123))
    assert time == 1_700_000_000_123
    assert found is not None
    assert found.compact().same(sample.compact())
    # A receiver looks for resets itself; whether it is a gauge it must be told.
    gauge = CounterResetHint.GAUGE
    assert (found.hint is gauge) is (sample.hint is gauge)
