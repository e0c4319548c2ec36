"""Native histograms as hypothesis draws them."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from controlplane.model.histogram import (
    CUSTOM_BUCKETS,
    NO_BUCKETS,
    Buckets,
    CounterResetHint,
    FloatHistogram,
    buckets_at,
)
from controlplane.model.histogram_layout import with_zero_threshold

# Drawing takes its time on a loaded machine.
SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WHOLE = st.integers(0, 1000).map(float)
ANY = st.floats(0, 1e6, allow_nan=False)


def buckets(
    lowest: int, highest: int, counts: st.SearchStrategy[float]
) -> st.SearchStrategy[Buckets]:
    """Return buckets with indices in a range."""
    rows = st.dictionaries(st.integers(lowest, highest), counts, max_size=6)
    return rows.map(
        lambda found: (
            buckets_at(sorted(found), [found[at] for at in sorted(found)]) if found else NO_BUCKETS
        )
    )


@st.composite
def histograms(
    draw: st.DrawFn, *, custom: bool | None = None, whole: bool | None = None
) -> FloatHistogram:
    """Return a histogram whose count is that of its buckets."""
    whole = draw(st.booleans()) if whole is None else whole
    counts = WHOLE if whole else ANY
    hint = draw(st.sampled_from(CounterResetHint))
    total = draw(st.integers(-1000, 1000).map(float) if whole else st.floats(-1e6, 1e6))
    if draw(st.booleans()) if custom is None else custom:
        bounds = tuple(sorted(draw(st.sets(st.integers(-20, 20).map(float), max_size=6))))
        side = draw(buckets(0, len(bounds), counts))
        count = float(side.counts.sum())
        return FloatHistogram(
            CUSTOM_BUCKETS, count, total, positive=side, custom_values=bounds, hint=hint
        )
    positive, negative = draw(buckets(-20, 20, counts)), draw(buckets(-20, 20, counts))
    zero_count = draw(counts)
    histogram = FloatHistogram(
        schema=draw(st.integers(-4, 8)),
        count=float(positive.counts.sum() + negative.counts.sum()) + zero_count,
        sum=total,
        zero_count=zero_count,
        positive=positive,
        negative=negative,
        hint=hint,
    )
    # No program counts what is inside the zero bucket elsewhere.
    threshold = draw(st.sampled_from([0.0, 1e-128, 0.001, 0.25, 3.0]))
    return with_zero_threshold(histogram, threshold)
