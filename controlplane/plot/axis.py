"""Where an axis has its marks, and what stands beside them."""

import math
from datetime import UTC, datetime
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.duration import DAY, HOUR, MINUTE, SECOND

_STEPS: Final = (
    *(SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(HOUR * n for n in (1, 2, 3, 6, 12)),
    DAY,
)
_PREFIXES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MOST_DIGITS: Final = 6


def value_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` + 1 round numbers, multiples of 1, 2 or 5, that lie in a range."""
    if not low < high:
        return [low]
    rough = (high - low) / most
    power: float = 10.0 ** math.floor(math.log10(rough))
    step = next((power * n for n in (1, 2, 5) if power * n >= rough), power * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def value_words(value: float, step: float) -> str:
    """Return a value beside marks that are `step` apart: `0.05`, `1.5k`, `2e-09`."""
    if value == 0:
        return "0"
    if abs(value) < 1e-4 or abs(value) >= 1e15:
        return f"{value:.3g}"
    size, prefix = next(
        ((size, prefix) for size, prefix in _PREFIXES if abs(value) >= size), (1.0, "")
    )
    digits = max(0, -math.floor(math.log10(step / size) + 1e-9)) if step else 3
    return f"{value / size:.{min(digits, _MOST_DIGITS)}f}{prefix}"


def number_words(value: float) -> str:
    """Return a number that stands alone: `0.05`, `2.5G`."""
    size, prefix = next(
        ((size, prefix) for size, prefix in _PREFIXES if size <= abs(value) < 1e15), (1.0, "")
    )
    return f"{value / size:.6g}{prefix}"


def time_ticks(start: Timestamp, end: Timestamp, most: int) -> list[Timestamp]:
    """Return at most `most` + 1 round instants, in UTC, that lie in a range."""
    step = next((step for step in _STEPS if (end - start) / step <= most), 0)
    if not step:
        step = DAY * math.ceil((end - start) / DAY / most)
    return list(range(-(-start // step) * step, end + 1, step))


def time_words(instant: Timestamp, span: int) -> str:
    """Return an instant beside marks over `span` milliseconds, in UTC."""
    moment = datetime.fromtimestamp(instant / 1000, tz=UTC)
    if span > 2 * DAY:
        return f"{moment:%m-%d}"
    return f"{moment:%H:%M:%S}" if span < 5 * MINUTE else f"{moment:%H:%M}"
