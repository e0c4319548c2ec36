"""Reading a body: the first time line by line, from then on only what changed."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import compress
from operator import ne
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.histogram import FloatHistogram
from controlplane.model.samples import NORMAL_NAN_BITS, Times, Values
from controlplane.scrape.exposition.grammar import (
    Directive,
    ExpositionError,
    Grammar,
    Malformed,
    parse_labels,
)

# In `Page.times`: the sample has no timestamp of its own.
NO_TIME: Final = np.iinfo(np.int64).min

# All that a tail of one bare number may hold; anything else takes the slow way.
_NUMBER_BYTES: Final = b"0123456789.eE+-naNiIfFtTyY"

# In place of a head for lines without a sample: no line can begin with it.
_NO_HEAD: Final = b"\n"

# See `_frame`.
Frame = tuple[bytes, ...]

LineNumbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a target says of a metric family."""

    type: str = "unknown"
    help: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Which series stand on which lines. The same object as long as that holds.

    A *slot* is the place of a sample among the n samples of the body.
    `heads` has an entry for each line, `lines` (n,) the line of each slot.
    """

    grammar: Grammar
    heads: Sequence[bytes]
    lines: LineNumbers
    kinds: Sequence[str]
    metadata: dict[str, Metadata]

    def __len__(self) -> int:
        return len(self.kinds)

    def series(self) -> list[bytes]:
        """Return the head of each slot."""
        heads = self.heads
        return [heads[line] for line in self.lines.tolist()]

    def labels(self, slot: int) -> dict[str, str]:
        """Return the labels of a slot, the metric name among them.

        Raises ExpositionError where they are no valid label set.
        """
        line = int(self.lines[slot])
        try:
            return parse_labels(self.heads[line], self.kinds[slot])
        except Malformed as error:
            raise ExpositionError(str(error), line=line + 1, samples=slot) from None


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One body that was read: arrays (n,) by slot. `times` is None when no sample has one.

    A slot among `histograms` has a native histogram, and its value means nothing.
    """

    shape: Shape
    text: Sequence[bytes] = field(repr=False)
    values: Values
    times: Times | None
    histograms: Mapping[int, FloatHistogram] = field(default_factory=dict)


def read(body: bytes, grammar: Grammar, previous: Page | None = None) -> Page:
    """Read a body; `previous` is the page of the same target that was read before.

    Its shape is taken over when the same series stand on the same lines, which
    costs a fraction of reading anew. Raises ExpositionError.
    """
    text = body.split(b"\n")
    if not text[-1]:
        text.pop()
    if previous is not None and previous.shape.grammar is grammar:
        page = _refreshed(text, previous)
        if page is not None:
            return page
        return _read_all(text, grammar, frozenset(previous.shape.heads))
    return _read_all(text, grammar, frozenset())


def _refreshed(text: list[bytes], previous: Page) -> Page | None:
    """Return the page when only tails changed, else None."""
    if len(text) != len(previous.text):
        return None
    # Nothing but C code looks at a single line: there are hundreds of thousands a second.
    differs = list(map(ne, text, previous.text))
    lines = list(compress(text, differs))
    heads = list(compress(previous.shape.heads, differs))
    if not all(map(bytes.startswith, lines, heads)):
        return None
    tails = [line[len(head) :] for line, head in zip(lines, heads, strict=True)]
    changed = np.flatnonzero(np.fromiter(differs, dtype=np.bool_, count=len(differs)))
    slots = np.searchsorted(previous.shape.lines, changed)
    new_values, new_times = _convert(tails, previous.shape, slots)
    values = previous.values.copy()
    values[slots] = new_values
    times = previous.times
    if times is not None or new_times is not None:
        times = np.full(len(values), NO_TIME) if times is None else times.copy()
        times[slots] = NO_TIME if new_times is None else new_times
    return Page(previous.shape, text, values, times)


def _read_all(text: list[bytes], grammar: Grammar, known: AbstractSet[bytes]) -> Page:
    """Read every line. `known` are heads that need no second look at their grammar."""
    heads: list[bytes] = []
    tails: list[bytes] = []
    lines: list[int] = []
    kinds: list[str] = []
    kind = ""
    metadata: dict[str, Metadata] = {}
    frames: set[Frame] = set()
    number = -1
    try:
        for number, line in enumerate(text):
            head = line[: line.rfind(b" ") + 1]
            if head not in known and (frame := _frame(head)) not in frames:
                head = b"" if line.startswith(b"#") else grammar.head(line)
                if frame and len(head) == line.rfind(b" ") + 1:
                    frames.add(frame)
            if head:
                heads.append(head)
                tails.append(line[len(head) :])
                lines.append(number)
                kinds.append(kind)
                continue
            heads.append(_NO_HEAD)
            directive = grammar.directive(line)
            if directive is not None:
                kind = directive.text if directive.keyword == "TYPE" else kind
                _note(metadata, directive)
        _check_trailer(text, grammar.trailer)
    except Malformed as error:
        raise ExpositionError(str(error), line=number + 1, samples=len(tails)) from None
    shape = Shape(grammar, heads, np.array(lines, dtype=np.int64), kinds, metadata)
    values, times = _convert(tails, shape, np.arange(len(lines)))
    return Page(shape, text, values, times)


def _frame(head: bytes) -> Frame:
    """Return what stands around the quoted texts of a head; nothing when there are none.

    The grammars look into no quoted text but for backslashes: heads of one
    frame are all good, or none is.
    """
    parts = head.split(b'"')
    if len(parts) % 2 == 0 or len(parts) == 1 or b"\\" in head:
        return ()
    return tuple(parts[::2])


def _check_trailer(text: list[bytes], trailer: bytes) -> None:
    if not trailer:
        return
    if text[-1:] != [trailer]:
        raise Malformed(f"data does not end with {trailer.decode()}")
    if text.index(trailer) + 1 < len(text):
        raise Malformed(f"unexpected data after {trailer.decode()}")


def _note(metadata: dict[str, Metadata], directive: Directive) -> None:
    known = metadata.get(directive.name, Metadata())
    match directive.keyword:
        case "TYPE":
            known = Metadata(directive.text, known.help, known.unit)
        case "HELP":
            known = Metadata(known.type, directive.text, known.unit)
        case _:
            known = Metadata(known.type, known.help, directive.text)
    metadata[directive.name] = known


def _convert(
    tails: Sequence[bytes], shape: Shape, slots: LineNumbers
) -> tuple[Values, Times | None]:
    """Return the values of tails, and their timestamps if any has one.

    Bare numbers are converted at once. The rest, and what came out as no
    finite number, is read again by the grammar, which also finds the errors.
    """
    bare = tails
    if b"".join(tails).translate(None, _NUMBER_BYTES):
        bare = [b"nan" if tail.translate(None, _NUMBER_BYTES) else tail for tail in tails]
    try:
        values = np.fromiter(map(float, bare), dtype=np.float64, count=len(bare))
        odd = np.flatnonzero(~np.isfinite(values)).tolist()
    except ValueError:
        values, odd = np.zeros(len(tails)), list(range(len(tails)))
    times: Times | None = None
    for n in odd:
        try:
            values[n], instant = shape.grammar.tail(tails[n])
        except Malformed as error:
            slot = int(slots[n])
            line = int(shape.lines[slot]) + 1
            raise ExpositionError(str(error), line=line, samples=slot) from None
        if instant is not None:
            times = np.full(len(tails), NO_TIME) if times is None else times
            times[n] = instant
    return _canonical(values), times


def _canonical(values: Values) -> Values:
    """Give every NaN the one bit pattern that is not the staleness marker."""
    values.view(np.uint64)[np.isnan(values)] = NORMAL_NAN_BITS
    return values
