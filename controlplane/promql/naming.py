"""What happens to metric names when an operation changes what a value means."""

import numpy as np

from controlplane.promql.frame import Block
from controlplane.promql.series import (
    METADATA_LABELS,
    Relabelled,
    SeriesSet,
    marked,
    merge_equal,
    nameless,
)


def drop_names(block: Block, *, late: bool, whole: bool = False) -> Block:
    """Return the block without metric names, or, with `late`, marked to lose them.

    Raises EvaluationError when two series become equal that are present at the
    same instant (with `whole`: present at all).
    """
    if late:
        return Block(marked(block.series), block.values, block.present, block.histograms)
    return relabelled(block, nameless(block.series), whole=whole)


def relabelled(block: Block, change: Relabelled, *, whole: bool = False) -> Block:
    """Return the block under its changed labels."""
    if change.merge is None:
        return Block(change.series, block.values, block.present, block.histograms)
    values, present = change.merge.apply(block.values, block.present, whole=whole)
    if block.histograms is None:
        return Block(change.series, values, present)
    histograms = change.merge.objects(block.histograms, block.present)
    return Block(change.series, values, present, histograms)


def finish(block: Block) -> Block:
    """Return the block with late removals done and series that became equal merged."""
    if block.series.drops is None or not np.any(block.series.drops):
        return block
    return relabelled(block, block.series.kept("finished", _finished))


def _finished(series: SeriesSet) -> Relabelled:
    drops = np.zeros(len(series), dtype=bool) if series.drops is None else series.drops
    pairs = zip(series.labels, drops.tolist(), strict=True)
    return merge_equal([ls.drop(*METADATA_LABELS) if drop else ls for ls, drop in pairs])
