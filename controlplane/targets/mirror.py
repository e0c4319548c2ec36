"""The targets in memory, made equal to those that are kept, and whoever wants to know told."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from controlplane.model.origin import Origin
from controlplane.model.target import Provenance, Target
from controlplane.targets.feed import ChangeFeed
from controlplane.targets.index import TargetIndex
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.ports import Change


class Mirror:
    """Changes the index of a registry and tells its feed, each target in turn."""

    def __init__(self, index: TargetIndex, feed: ChangeFeed, metrics: TargetMetrics) -> None:
        self._index = index
        self._feed = feed
        self._metrics = metrics

    def publish(self, changed: Sequence[Target], removed: Sequence[Target], origin: Origin) -> None:
        """Take changes that are durable into memory, and tell them."""
        for target in removed:
            self._index.remove(target)
            self._feed.tell(Change.REMOVED, target, origin)
        for target in changed:
            kind = Change.ADDED if self._index.get(target.id) is None else Change.CHANGED
            self._index.put(target)
            self._feed.tell(kind, target, origin)
        for provenance in Provenance:
            self._metrics.targets.labels(provenance.value).set(self._index.counts[provenance])

    def take_up(self, found: Sequence[Target], asked: Collection[str], origin: Origin) -> None:
        """Make what was asked for what was found, and tell what differs."""
        there = {target.id for target in found}
        gone = [t for each in asked if each not in there and (t := self._index.get(each))]
        changed: list[Target] = []
        for target in found:
            known = self._index.get(target.id)
            if known is not None and replace(known, renewed_at=target.renewed_at) == target:
                self._index.renew(target)
            else:
                changed.append(target)
        self.publish(changed, gone, origin)
