"""Reading a body: the first time line by line, from then on only what changed."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson

from controlplane.model.histogram import FloatHistogram
from controlplane.model.samples import NORMAL_NAN_BITS, Times, Values
from controlplane.scrape.exposition.grammar import (
    Directive,
    ExpositionError,
    Grammar,
    Malformed,
    parse_labels,
)
from controlplane.scrape.exposition.layout import Layout

# In `Page.times`: the sample has no timestamp of its own.
NO_TIME: Final = np.iinfo(np.int64).min

# All that a tail of one bare number may hold; anything else takes the slow way.
_NUMBER_BYTES: Final = b"0123456789.eE+-naNiIfFtTyY"
_NUMBERS_BYTES: Final = _NUMBER_BYTES + b"\n"

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
    `heads` has an entry for each line, `lines` (n,) the line of each slot. Text
    has a `layout`, by which it is read again.
    """

    grammar: Grammar
    heads: Sequence[bytes]
    lines: LineNumbers
    kinds: Sequence[str]
    metadata: dict[str, Metadata]
    layout: Layout | None = None

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
    values: Values
    times: Times | None
    histograms: Mapping[int, FloatHistogram] = field(default_factory=dict)


def read(body: bytes, grammar: Grammar, previous: Page | None = None) -> Page:
    """Read a body; `previous` is the page of the same target that was read before.

    Its shape is taken over when the same series stand on the same lines, which
    costs a fraction of reading anew. Raises ExpositionError.
    """
    known: AbstractSet[bytes] = frozenset()
    if previous is not None and previous.shape.grammar is grammar:
        page = _refreshed(body, previous.shape)
        if page is not None:
            return page
        known = frozenset(previous.shape.heads)
    text = body.split(b"\n")
    if not text[-1]:
        text.pop()
    return _read_all(text, grammar, known)


def _refreshed(body: bytes, shape: Shape) -> Page | None:
    """Return the page when only tails changed, else None."""
    tails = None if shape.layout is None else shape.layout.tails(body)
    if tails is None:
        return None
    values, times = _plain(tails, len(shape)), None
    if values is None:
        values, times = _convert(tails[:-1].split(b"\n"), shape)
    return Page(shape, values, times)


def _plain(tails: bytes, count: int) -> Values | None:
    """Return the numbers of tails that are all as JSON writes them, else None."""
    # JSON's -0 is a whole number, which has no sign.
    if tails.translate(None, _NUMBERS_BYTES) or b"-0\n" in tails:
        return None
    try:
        numbers = orjson.loads(b"[%b]" % tails[:-1].replace(b"\n", b","))
        return np.fromiter(numbers, dtype=np.float64, count=count)
    except ValueError:
        return None


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
    layout = Layout.of(text, heads, _NO_HEAD)
    shape = Shape(grammar, heads, np.array(lines, dtype=np.int64), kinds, metadata, layout)
    values, times = _convert(tails, shape)
    return Page(shape, values, times)


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


def _convert(tails: Sequence[bytes], shape: Shape) -> tuple[Values, Times | None]:
    """Return the values of the tails by slot, and their timestamps if any has one.

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
            line = int(shape.lines[n]) + 1
            raise ExpositionError(str(error), line=line, samples=n) from None
        if instant is not None:
            times = np.full(len(tails), NO_TIME) if times is None else times
            times[n] = instant
    return _canonical(values), times


def _canonical(values: Values) -> Values:
    """Give every NaN the one bit pattern that is not the staleness marker."""
    values.view(np.uint64)[np.isnan(values)] = NORMAL_NAN_BITS
    return values
