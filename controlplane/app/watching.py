"""From registered targets to what is probed and what is scraped, by this replica or another."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.share import WHOLE, Share
from controlplane.model.target import Target
from controlplane.mute.watched import TargetBook, Watched
from controlplane.probes.job import ProbeJob, Taken
from controlplane.probes.options import Module
from controlplane.probes.outcome import Reason
from controlplane.probes.schedule import Schedule
from controlplane.scrape.job import ScrapeJob, registered_job
from controlplane.scrape.pool import ScrapePool
from controlplane.targets.outcomes import Outcomes
from controlplane.targets.ports import Change, TargetChange
from controlplane.targets.registry import TargetRegistry

_SCRAPE_KEY = "target/"

# What is under way ends as it began, also when it takes longer than this (seconds): its slot
# had no other probe. Others wait meanwhile, and their slots pass.
_QUIET: Final = 0.5

# Targets taken over before others get their turn on the event loop.
_AT_ONCE: Final = 100

# Until when another replica had a key, when it was taken over; None when nobody had it.
GainedSince = Callable[[str], Timestamp | None]


@dataclass(frozen=True, slots=True)
class TakingOver:
    """What is known of a target when its probes become this replica's."""

    outcomes: Outcomes
    gained_since: GainedSince

    def __call__(self, target: Target) -> Taken:
        """Return how another replica left it."""
        known, since = self.outcomes.get(target.id), self.gained_since(target.id)
        if since is not None:
            since = max(since, target.created_at)
        if known is None:
            return Taken(since=since)
        # A newer version may know of more reasons.
        reason = next((each for each in Reason if each == known.reason), None)
        return Taken(known.success, reason, since)


class Watching:
    """Keeps the prober and the scraper in step with the registry and the file's modules.

    Probes and scrapes of a registered target go by its id: those in the share
    are this replica's. Muting finds all targets, whoever probes them.
    """

    def __init__(
        self,
        schedule: Schedule,
        scrapes: ScrapePool,
        modules: Mapping[str, Module],
        default_interval: Duration,
        book: TargetBook,
        *,
        share: Share = WHOLE,
        taken: Callable[[Target], Taken | None] = lambda _target: None,
    ) -> None:
        """`book` is where muting finds what is watched; `taken` tells of what is gained."""
        self._share = share
        self._taken = taken
        self._targets: dict[str, Target] = {}  # all that are not paused
        self._mine: set[str] = set()
        self._gaining: deque[str] = deque()
        self._book = book
        self._schedule = schedule
        self._scrapes = scrapes
        self._modules = modules
        self._default_interval = default_interval
        share.subscribe(self._share_out)

    def prober_of(self, module: str) -> str | None:
        """Return the prober of a module, or None when there is no such module."""
        found = self._modules.get(module)
        return None if found is None else found.prober

    def on_change(self, change: TargetChange) -> None:
        """Follow one change of the registry."""
        target = change.target
        if change.kind is Change.REMOVED or target.operator.paused:
            self._targets.pop(target.id, None)
            self._mine.discard(target.id)
            self._schedule.remove(target.id)
            self._scrapes.remove(_SCRAPE_KEY + target.id)
            self._book.remove(target.id)
        else:
            self._targets[target.id] = target
            self._watch(target)

    def reload(
        self,
        modules: Mapping[str, Module],
        default_interval: Duration,
        targets: TargetRegistry,
    ) -> None:
        """Probe with other modules; a target whose module is gone fails with reason `config`."""
        self._modules = modules
        self._default_interval = default_interval
        for target in targets:
            if not target.operator.paused:
                self._watch(target)

    async def quiet(self) -> None:
        """Return when hardly anything is under way for targets that are another replica's now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_QUIET):
                await asyncio.gather(self._schedule.quiet(), self._scrapes.quiet())

    def make_up(self) -> Timestamp:
        """Probe what became another's where a slot has begun since; others go on from then."""
        return self._schedule.make_up()

    def _share_out(self) -> None:
        """Leave what is not this replica's any more, at once; then begin with what is now."""
        gained = []
        for target_id, target in self._targets.items():
            mine = self._share.owns(target_id)
            if mine is not (target_id in self._mine):
                if mine:
                    gained.append(target_id)
                else:
                    self._leave(target)
        idle, self._gaining = not self._gaining, deque(gained)
        if idle:
            self._gain()

    def _gain(self) -> None:
        """Take over some targets; the loop has its turn before the next ones."""
        for _ in range(min(_AT_ONCE, len(self._gaining))):
            target = self._targets.get(self._gaining.popleft())
            if target is None or target.id in self._mine or not self._share.owns(target.id):
                continue  # it has changed hands again, or is gone
            self._mine.add(target.id)
            self._schedule.put(self._probe_of(target), self._taken(target))
            self._scrape(target)
        if self._gaining:
            asyncio.get_running_loop().call_soon(self._gain)

    def _leave(self, target: Target) -> None:
        self._mine.discard(target.id)
        self._schedule.release(target.id)
        self._scrape(target)

    def _watch(self, target: Target) -> None:
        spec, labels, interval = target.spec, target.labels(), self._interval(target)
        self._book.put(
            Watched(target.id, target.name, labels, target.endpoint, interval, spec.depends_on)
        )
        if self._share.owns(target.id):
            self._mine.add(target.id)
            self._schedule.put(self._probe_of(target))
            self._scrape(target)
        else:
            self._leave(target)

    def _scrape(self, target: Target) -> None:
        job = self._scrape_of(target)
        if job is None:
            self._scrapes.remove(_SCRAPE_KEY + target.id)
        elif target.id in self._mine:
            self._scrapes.put(job)
        else:
            self._scrapes.release(job)

    def _probe_of(self, target: Target) -> ProbeJob:
        return ProbeJob(
            key=target.id,
            target=target.endpoint,
            module_name=target.spec.module,
            module=self._modules.get(target.spec.module),
            interval=self._interval(target),
            labels=target.labels(),
        )

    def _scrape_of(self, target: Target) -> ScrapeJob | None:
        url = target.spec.metrics_url
        if url is None:
            return None
        key = _SCRAPE_KEY + target.id
        return registered_job(key, url, target.labels(), self._interval(target))

    def _interval(self, target: Target) -> Duration:
        return target.spec.interval or self._default_interval
