"""A script's text into its commands."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput, ParseError
from controlplane.model.duration import parse_duration
from controlplane.promql.numbers import parse_number
from controlplane.promql.quoting import unquote
from controlplane.promql.testing.notation import SeriesLine, parse_series

_LOAD: Final = re.compile(r"load(?:_(?P<nhcb>with_nhcb))?\s+(?P<step>.+?)\Z")
_INSTANT: Final = re.compile(
    r"eval(?:_(?P<mode>fail|warn|ordered|info))?\s+instant\s+(?:at\s+(?P<at>.+?))?\s+(?P<expr>.+)\Z"
)
_RANGE: Final = re.compile(
    r"eval(?:_(?P<mode>fail|warn|info))?\s+range\s+from\s+(?P<start>.+)\s+to\s+(?P<end>.+)"
    r"\s+step\s+(?P<step>.+?)\s+(?P<expr>.+)\Z"
)
_EXPECT: Final = re.compile(
    r"expect\s+(?P<kind>ordered|fail|warn|no_warn|info|no_info)"
    r"(?:\s+(?P<how>regex|msg):(?P<text>.+))?\Z"
)
_RANGE_VECTOR: Final = re.compile(
    r"expect range vector\s+from\s+(?P<start>.+)\s+to\s+(?P<end>.+)\s+step\s+(?P<step>.+)\Z"
)
_STRING: Final = "expect string"
_FAIL_MESSAGE: Final = "expected_fail_message"
_FAIL_REGEXP: Final = "expected_fail_regexp"


class Kind(StrEnum):
    """What an `expect` line speaks of."""

    ORDERED = "ordered"
    FAIL = "fail"
    WARN = "warn"
    NO_WARN = "no_warn"
    INFO = "info"
    NO_INFO = "no_info"


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is expected: this very one, or one in which a pattern is found."""

    text: str
    is_pattern: bool = False

    def matches(self, text: str) -> bool:
        if self.is_pattern:
            return re.search(self.text, text) is not None
        return self.text == text


_ANY: Final = Text("", is_pattern=True)


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget all samples."""

    line: int


@dataclass(frozen=True, slots=True)
class Load:
    """Store series, one value a step from instant 0 on.

    `with_custom_buckets` stores classic histograms a second time, as native
    ones with custom buckets.
    """

    line: int
    step: Duration
    series: Sequence[SeriesLine]
    with_custom_buckets: bool = False


@dataclass(frozen=True, slots=True)
class Eval:
    """Evaluate an expression and compare.

    An instant query when `step` is 0; then `start` and `end` are its instant.
    `expected` has a series for each line, `scalar` or `string` the only value.
    `vector_range` are start, end and step of an expected range vector.
    """

    line: int
    expr: str
    start: Timestamp
    end: Timestamp
    step: Duration
    expected: Sequence[SeriesLine]
    scalar: float | None = None
    string: str | None = None
    vector_range: tuple[Timestamp, Timestamp, Duration] | None = None
    expects: tuple[tuple[Kind, Text], ...] = ()
    # From the older forms `eval_warn` and `eval_info`: any annotation will do.
    some: frozenset[Kind] = frozenset()

    def texts(self, kind: Kind) -> Sequence[Text]:
        return [text for found, text in self.expects if found is kind]

    @property
    def is_range(self) -> bool:
        return self.step > 0

    @property
    def fails(self) -> bool:
        return bool(self.texts(Kind.FAIL))

    @property
    def ordered(self) -> bool:
        return bool(self.texts(Kind.ORDERED))


Command = Clear | Load | Eval


def parse_script(text: str) -> Sequence[Command]:
    """Return the commands of a script. Raises ParseError with the line."""
    lines = [_stripped(line) for line in text.split("\n")]
    commands: list[Command] = []
    at = 0
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        block = _block(lines, at)
        try:
            command, used = _command(block, at + 1)
        except InvalidInput as error:
            raise ParseError(error.reason, line=at + 1, column=1) from error
        commands.append(command)
        at += used
    return commands


def _stripped(line: str) -> str:
    line = line.strip()
    return "" if line.startswith("#") else line


def _block(lines: Sequence[str], at: int) -> Sequence[str]:
    end = at
    while end < len(lines) and lines[end]:
        end += 1
    return lines[at:end]


def _command(block: Sequence[str], line: int) -> tuple[Command, int]:
    """Return the command at the head of a block, and how many lines it takes."""
    word = block[0].split(maxsplit=1)[0].lower()
    if word == "clear":
        return Clear(line), 1
    if word.startswith("load"):
        match = _LOAD.match(block[0])
        if match is None:
            raise InvalidInput("invalid load command. (load[_with_nhcb] <step:duration>)")
        # Lines of start timestamps, which no store of ours keeps, are passed over.
        lines = [text for text in block[1:] if not _is_start_timestamps(text)]
        series = [parse_series(text) for text in lines]
        custom = match["nhcb"] is not None
        return Load(line, parse_duration(match["step"]), series, custom), len(block)
    if word.startswith("eval"):
        return _eval(block, line)
    raise InvalidInput(f"invalid command {block[0]!r}")


def _is_start_timestamps(text: str) -> bool:
    return text.split(maxsplit=1)[0].endswith("@st")


def _eval(block: Sequence[str], line: int) -> tuple[Eval, int]:
    instant, ranged = _INSTANT.match(block[0]), _RANGE.match(block[0])
    match = instant or ranged
    if match is None:
        raise InvalidInput(f"invalid evaluation command {block[0]!r}")
    if instant is not None:
        start = end = parse_duration(match["at"] or "")
        step = 0
    else:
        start, end, step = _times(match)
    mode = match["mode"]
    draft = _Draft(mode)
    used = 1 + draft.read(block[1:])
    return (
        Eval(
            line,
            match["expr"],
            start,
            end,
            step,
            draft.expected,
            draft.scalar,
            draft.string,
            draft.vector_range,
            tuple(draft.expects),
            frozenset({Kind(mode)} if mode in ("warn", "info") else ()),
        ),
        used,
    )


def _times(match: re.Match[str]) -> tuple[Timestamp, Timestamp, Duration]:
    start, end = parse_duration(match["start"]), parse_duration(match["end"])
    if end < start:
        raise InvalidInput(f"end {match['end']} is before start {match['start']}")
    return start, end, parse_duration(match["step"])


class _Draft:
    """What the lines under an `eval` say."""

    def __init__(self, mode: str | None) -> None:
        self.expected: list[SeriesLine] = []
        self.scalar: float | None = None
        self.string: str | None = None
        self.vector_range: tuple[Timestamp, Timestamp, Duration] | None = None
        self.expects: list[tuple[Kind, Text]] = []
        if mode in ("fail", "ordered"):
            self.expects.append((Kind(mode), _ANY))

    def read(self, lines: Sequence[str]) -> int:
        """Read lines until one ends the command; return how many were read."""
        for index, text in enumerate(lines):
            if self._line(text):
                return index + 1
        return len(lines)

    def _line(self, text: str) -> bool:
        """Read one line; return whether it is the last one."""
        if text.startswith(_FAIL_MESSAGE):
            self.expects = [(Kind.FAIL, Text(text.removeprefix(_FAIL_MESSAGE).strip()))]
            return True
        if text.startswith(_FAIL_REGEXP):
            pattern = text.removeprefix(_FAIL_REGEXP).strip()
            self.expects = [(Kind.FAIL, Text(pattern, is_pattern=True))]
            return True
        if match := _RANGE_VECTOR.match(text):
            self.vector_range = _times(match)
        elif text.startswith(_STRING):
            self.string = _string(text.removeprefix(_STRING).strip())
        elif text.split(maxsplit=1)[0] == "expect":
            self.expects.append(_expect(text))
        elif (number := _number(text)) is not None:
            self.scalar = number
            return True
        else:
            self.expected.append(parse_series(text))
        return False


def _string(literal: str) -> str:
    if len(literal) < 2 or literal[0] not in "\"'`" or literal[-1] != literal[0]:
        raise InvalidInput("a quoted string is expected")
    try:
        return unquote(literal)
    except ValueError as error:
        raise InvalidInput(str(error)) from None


def _number(text: str) -> float | None:
    sign = -1.0 if text.startswith("-") else 1.0
    try:
        return sign * parse_number(text.lstrip("+-"))
    except ValueError:
        return None


def _expect(text: str) -> tuple[Kind, Text]:
    match = _EXPECT.match(text)
    if match is None:
        raise InvalidInput(f"invalid expect statement {text!r}")
    if match["how"] is None:
        return Kind(match["kind"]), _ANY
    return Kind(match["kind"]), Text(match["text"].strip(), is_pattern=match["how"] == "regex")
