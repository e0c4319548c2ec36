"""`convert_classic_histograms_to_nhcb`: classic histograms of a page as native ones.

Which samples belong to one histogram is found once for a shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from controlplane.errors import InvalidInput
from controlplane.model.classic_histogram import ClassicHistogram, base_name
from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import STALE_NAN
from controlplane.scrape.exposition.grammar import Malformed, parse_float, series_head
from controlplane.scrape.exposition.page import NO_TIME, Page, Shape

_HISTOGRAMS = frozenset({"histogram", "gaugehistogram"})


@dataclass(slots=True)
class _Parts:
    """The slots of one histogram."""

    kind: str
    head: bytes
    buckets: dict[float, int] = field(default_factory=dict)
    count: int | None = None
    sum: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """What a shape becomes: the slots that stay, then one for each histogram."""

    source: Shape
    shape: Shape
    kept: list[int]
    parts: list[_Parts]


class CustomBuckets:
    """Converts the pages of one target, and remembers how the last one lay."""

    def __init__(self, *, keep_classic: bool) -> None:
        self._keep_classic = keep_classic
        self._layout: _Layout | None = None

    def convert(self, page: Page) -> Page:
        """Return a page with native histograms. Raises ExpositionError."""
        if self._layout is None or self._layout.source is not page.shape:
            self._layout = self._made(page)
        layout = self._layout
        histograms = dict[int, FloatHistogram]()
        place_of = {slot: place for place, slot in enumerate(layout.kept)}
        for slot, histogram in page.histograms.items():
            histograms[place_of[slot]] = histogram
        values = [page.values[layout.kept], np.zeros(len(layout.parts))]
        times = np.full(len(layout.kept) + len(layout.parts), NO_TIME)
        if page.times is not None:
            times[: len(layout.kept)] = page.times[layout.kept]
        for number, parts in enumerate(layout.parts):
            place = len(layout.kept) + number
            try:
                histograms[place] = _histogram(parts, page)
            except InvalidInput:
                # Counts that make no sense are no sample.
                values[1][number] = STALE_NAN
            if page.times is not None:
                times[place] = page.times[_any_slot(parts)]
        timed = times if page.times is not None else None
        return Page(layout.shape, np.concatenate(values), timed, histograms)

    def _made(self, page: Page) -> _Layout:
        shape = page.shape
        found: dict[Labels, _Parts] = {}
        natives = {Labels(shape.labels(slot)) for slot in page.histograms}
        classic: list[int] = []
        for slot, kind in enumerate(shape.kinds):
            if kind not in _HISTOGRAMS or slot in page.histograms:
                continue
            labels = shape.labels(slot)
            name, suffix = base_name(labels.get(METRIC_NAME, ""))
            if suffix and _put(found, natives, labels, (name, suffix), (slot, kind)):
                classic.append(slot)
        gone = set() if self._keep_classic else set(classic)
        kept = [slot for slot in range(len(shape)) if slot not in gone]
        parts = list(found.values())
        series = shape.series()
        heads = [*(series[slot] for slot in kept), *(each.head for each in parts)]
        kinds = [*(shape.kinds[slot] for slot in kept), *(each.kind for each in parts)]
        lines = np.arange(len(heads), dtype=np.int64)
        made = Shape(shape.grammar, heads, lines, kinds, shape.metadata)
        return _Layout(shape, made, kept, parts)


def _put(
    found: dict[Labels, _Parts],
    natives: set[Labels],
    labels: Mapping[str, str],
    named: tuple[str, str],
    found_at: tuple[int, str],
) -> bool:
    """Note a slot as part of a histogram; tell whether it is one."""
    (name, suffix), (slot, kind) = named, found_at
    bound = 0.0
    if suffix == "_bucket":
        try:
            bound = parse_float(labels.get("le", "").encode())
        except Malformed:
            return False
    own = {key: value for key, value in labels.items() if key not in ("le", METRIC_NAME)}
    key = Labels({**own, METRIC_NAME: name})
    if key in natives:
        return False
    parts = found.get(key)
    if parts is None:
        parts = found[key] = _Parts(kind, series_head(name, own.items()))
    if suffix == "_bucket":
        parts.buckets.setdefault(bound, slot)
    elif suffix == "_count":
        parts.count = slot
    else:
        parts.sum = slot
    return True


def _histogram(parts: _Parts, page: Page) -> FloatHistogram:
    values = page.values
    classic = ClassicHistogram(
        {bound: float(values[slot]) for bound, slot in parts.buckets.items()}
    )
    if parts.count is not None:
        classic.count = float(values[parts.count])
    if parts.sum is not None:
        classic.sum = float(values[parts.sum])
    return classic.converted()


def _any_slot(parts: _Parts) -> int:
    slots = [parts.count, parts.sum, *parts.buckets.values()]
    return next(slot for slot in slots if slot is not None)
