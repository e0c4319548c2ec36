"""Samples of the same series from several places, made one."""

from collections.abc import Iterator, Sequence

import numpy as np

from controlplane.model.samples import Refs
from controlplane.tsdb import runs
from controlplane.tsdb.runs import Samples


def joined(series: int, parts: Sequence[Samples]) -> Samples:
    """Return the samples of all parts, mostly one after the other in time.

    Where parts overlap they are sorted; of two samples at one instant the one
    of the later part counts.
    """
    whole = runs.merge(series, parts)
    rising = np.diff(whole.times) > 0
    bounds = whole.offsets[1:-1]
    rising[bounds[(bounds > 0) & (bounds < len(whole.times))] - 1] = True
    if rising.all():
        return whole
    owners = whole.owners()
    # Stable: at one instant they stay in the order of the parts.
    order = np.lexsort((whole.times, owners))
    times, owners = whole.times[order], owners[order]
    last = np.concatenate(((times[1:] != times[:-1]) | (owners[1:] != owners[:-1]), [True]))
    return runs.keep(Samples(whole.values[order], times, whole.offsets), last)


def rising_only(refs: Refs) -> tuple[Refs, Refs | None]:
    """Return numbers rising and each once, and where each of `refs` went; None: as they are."""
    if (refs[1:] > refs[:-1]).all():
        return refs, None
    unique, places = np.unique(refs, return_inverse=True)
    return unique, places


def groups(size: int, each: int) -> Iterator[slice]:
    """Cut `size` things into slices of `each`."""
    for begin in range(0, size, max(each, 1)):
        yield slice(begin, begin + max(each, 1))
