"""From targets to samples: what is registered, probed, scraped and counted, put together."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from controlplane.app.mirroring import Refresh
from controlplane.app.outside import Outside
from controlplane.app.storms import Storms
from controlplane.app.supervisor import Supervisor
from controlplane.app.telling import Telling
from controlplane.app.uptimes import Uptimes, build_uptimes
from controlplane.app.watching import GainedSince, TakingOver, Watching
from controlplane.clock import Clock, Timestamp
from controlplane.config.config import Config
from controlplane.errors import Unavailable
from controlplane.model.share import WHOLE, Share
from controlplane.probes.metrics import ProbeMetrics
from controlplane.probes.outcome import Outcome
from controlplane.probes.schedule import Schedule
from controlplane.probes.table import PROBERS
from controlplane.scrape.fetch import HttpFetch
from controlplane.scrape.metrics import ScrapeMetrics
from controlplane.scrape.own import own_fetch
from controlplane.scrape.pool import ScrapePool
from controlplane.storage.database import Database
from controlplane.storage.outcomes import SqlOutcomes
from controlplane.storage.targets import SqlFailures, SqlTargets
from controlplane.targets.failures import FailureLog
from controlplane.targets.leases import LeaseWatch
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.outcomes import Outcomes
from controlplane.targets.registry import TargetRegistry
from controlplane.tsdb.ports import Appender

# What is known of targets that are another replica's now is written within so many seconds.
_WRITTEN: Final = 2.0


@dataclass(frozen=True, slots=True)
class Prober:
    """Which replica this is, and its part of the work. One that is alone has all of it."""

    replica: str
    share: Share = WHOLE
    gained_since: GainedSince = lambda _key: None


@dataclass(frozen=True, slots=True)
class Probing:
    """What is watched, who watches it, and what came of it. `outcomes` are of several replicas."""

    targets: TargetRegistry
    watching: Watching
    schedule: Schedule
    scrapes: ScrapePool
    failures: FailureLog
    leases: LeaseWatch
    uptimes: Uptimes
    outcomes: Outcomes | None

    def last_outcome(self, target_id: str) -> bool | None:
        """Tell whether a target's last probe was a success, whoever probed it."""
        if self.outcomes is None:
            return self.schedule.succeeded(target_id)
        return self.outcomes.last(target_id)

    async def begin(self) -> None:
        """Take up the targets that are kept, and follow all changes. Raises Unavailable."""
        await self.targets.load()
        self.targets.subscribe(self.watching.on_change)
        self.targets.subscribe(self.uptimes.on_change)
        if self.outcomes is not None:
            self.targets.subscribe(self.outcomes.on_change)
            await self.outcomes.load()

    def mirrors(self) -> Mapping[str, Refresh]:
        """Return what reads anew what other replicas wrote, by kind of change."""
        return {} if self.outcomes is None else {"outcome": self.outcomes.refresh}

    async def quiet(self) -> Timestamp:
        """Return when what is another replica's now is left, and what came of it is written.

        What the database does not take in time waits, here: slots do not. Return
        until when there was none without a probe.
        """
        await self.watching.quiet()
        writing = [self.uptimes.quiet(), self.failures.flush()]
        if self.outcomes is not None:
            writing.append(self.outcomes.flush())
        errors: Sequence[BaseException | None] = ()
        with suppress(TimeoutError):
            async with asyncio.timeout(_WRITTEN):
                errors = await asyncio.gather(*writing, return_exceptions=True)
        until = self.watching.make_up()
        for error in errors:
            if error is not None and not isinstance(error, Unavailable):
                raise error
        return until

    def start(self, supervisor: Supervisor) -> None:
        """Set everything in motion: what is started last ends first, and hands on what it has."""
        supervisor.start("failures", self.failures.run, drain=self.failures.drain)
        if self.outcomes is not None:
            supervisor.start("outcomes", self.outcomes.run, drain=self.outcomes.drain)
        supervisor.start("leases", self.leases.run)
        supervisor.start("scrapes", self.scrapes.run)
        self.uptimes.start(supervisor)
        supervisor.start("probes", self.schedule.run, drain=self.schedule.drain)


def build_probing(
    config: Config,
    database: Database,
    store: Appender,
    outside: Outside,
    storms: Storms,
    telling: Telling,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
    prober: Prober,
    pages: Path,
) -> Probing:
    """Make the parts, in the order in which a target meets them; leaving `stack` ends them.

    Copies of status pages lie in `pages`.
    """
    metrics, share = TargetMetrics(registry), prober.share
    failures = FailureLog(
        SqlFailures(database),
        clock=clock,
        keep=config.target_settings.failures_kept,
        metrics=metrics,
    )
    outcomes: Outcomes | None = None
    if share is not WHOLE:
        outcomes = Outcomes(
            SqlOutcomes(database),
            clock=clock,
            replica=prober.replica,
            own=lambda target_id: schedule.succeeded(target_id),  # noqa: PLW0108 - made below
            told=telling.outcome,
            learned=storms.learned,
            metrics=metrics,
        )
    uptimes = build_uptimes(
        database,
        lambda: targets,
        telling,
        clock=clock,
        registry=registry,
        directory=pages,
        share=share,
        last_outcome=lambda target_id: None if outcomes is None else outcomes.last(target_id),
    )
    schedule = Schedule(
        outside.tools,
        PROBERS,
        store,
        ProbeMetrics(registry),
        partial(_keep_evidence, failures, storms),
        telling.outcome if outcomes is None else outcomes.take,
        uptimes.recorder.observe,
        owns=share.owns,
    )
    scrapes = ScrapePool(
        own_fetch(registry, HttpFetch(outside.client)),
        store,
        clock,
        ScrapeMetrics(registry),
        share,
    )
    stack.push_async_callback(scrapes.close)
    watching = Watching(
        schedule,
        scrapes,
        config.modules,
        config.global_.scrape_interval,
        storms.targets,
        share=share,
        taken=(
            (lambda _target: None)
            if outcomes is None
            else TakingOver(outcomes, prober.gained_since)
        ),
    )
    targets = TargetRegistry(
        SqlTargets(database),
        options=config.target_options(),
        prober_of=watching.prober_of,
        last_outcome=schedule.succeeded if outcomes is None else outcomes.last,
        metrics=metrics,
    )
    leases = LeaseWatch(
        targets,
        store,
        clock=clock,
        options=config.target_options(),
        metrics=metrics,
        share=share,
    )
    return Probing(targets, watching, schedule, scrapes, failures, leases, uptimes, outcomes)


def _keep_evidence(
    log: FailureLog, storms: Storms, target_id: str, time: Timestamp, outcome: Outcome
) -> None:
    evidence = {} if outcome.evidence is None else asdict(outcome.evidence)
    evidence |= {"phases": dict(evidence.get("phases", ()))}
    reason = "" if outcome.reason is None else outcome.reason.value
    log.add(target_id, time, reason, {**evidence, "duration_seconds": outcome.duration})
    peer = "" if outcome.evidence is None else outcome.evidence.peer
    storms.network.failed(target_id, time, reason, peer)
