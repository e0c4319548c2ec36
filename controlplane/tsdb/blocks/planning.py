"""Which blocks to make one of: the levels of Prometheus' compactor."""

from collections.abc import Iterator, Sequence
from typing import Final

from controlplane.clock import Duration
from controlplane.tsdb.blocks.meta import BlockMeta

# Each level is three of the one below; upstream's longest block is 31 days.
_STEP: Final = 3
_LONGEST: Final[Duration] = 31 * 86_400_000
# No block is longer than this part of the retention, so that old samples go in time.
_PART: Final = 10


def levels(block_range: Duration, retention: Duration) -> list[Duration]:
    """Return the lengths that blocks may have, rising, beginning with `block_range`."""
    longest = min(retention // _PART, _LONGEST) if retention else _LONGEST
    found = [block_range]
    while found[-1] * _STEP <= longest:
        found.append(found[-1] * _STEP)
    return found


def plan(blocks: Sequence[BlockMeta], ranges: Sequence[Duration]) -> list[BlockMeta]:
    """Return the blocks to make one of next, none when all is well.

    Blocks that overlap come first. Then, length by length, those that together
    fill a range (or as much of one as will ever be filled), but for the newest
    block, so that nothing is rewritten while more of its range comes in.
    """
    blocks = sorted(blocks, key=lambda block: (block.min_time, block.max_time))
    overlapping = _overlapping(blocks)
    if overlapping:
        return overlapping
    older = blocks[:-1]
    for length in ranges[1:]:
        for part in _split(older, length):
            whole = part[-1].max_time - part[0].min_time == length
            if len(part) > 1 and (whole or part[-1].max_time <= older[-1].min_time):
                return part
    return []


def _overlapping(blocks: Sequence[BlockMeta]) -> list[BlockMeta]:
    """Return the first blocks that share a range of time, in order of time."""
    found: list[BlockMeta] = []
    reached = None
    for block in blocks:
        if reached is not None and block.min_time < reached:
            found.append(block)
        elif len(found) > 1:
            break
        else:
            found = [block]
        reached = block.max_time if reached is None else max(reached, block.max_time)
    return found if len(found) > 1 else []


def _split(blocks: Sequence[BlockMeta], length: Duration) -> Iterator[list[BlockMeta]]:
    """Yield the blocks that lie within each aligned range of a length, in order of time."""
    parts: dict[int, list[BlockMeta]] = {}
    for block in blocks:
        number = block.min_time // length
        if block.max_time <= (number + 1) * length:
            parts.setdefault(number, []).append(block)
    yield from parts.values()
