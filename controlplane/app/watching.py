"""From registered targets to what is probed and what is scraped."""

from collections.abc import Mapping

from controlplane.clock import Duration
from controlplane.model.target import Target
from controlplane.mute.watched import TargetBook, Watched
from controlplane.probes.job import ProbeJob
from controlplane.probes.options import Module
from controlplane.probes.schedule import Schedule
from controlplane.scrape.job import registered_job
from controlplane.scrape.pool import ScrapePool
from controlplane.targets.ports import Change, TargetChange
from controlplane.targets.registry import TargetRegistry

_SCRAPE_KEY = "target/"


class Watching:
    """Keeps the prober and the scraper in step with the registry and the file's modules."""

    def __init__(
        self,
        schedule: Schedule,
        scrapes: ScrapePool,
        modules: Mapping[str, Module],
        default_interval: Duration,
        book: TargetBook,
    ) -> None:
        """`book` is where muting finds what is watched."""
        self._book = book
        self._schedule = schedule
        self._scrapes = scrapes
        self._modules = modules
        self._default_interval = default_interval

    def prober_of(self, module: str) -> str | None:
        """Return the prober of a module, or None when there is no such module."""
        found = self._modules.get(module)
        return None if found is None else found.prober

    def on_change(self, change: TargetChange) -> None:
        """Follow one change of the registry."""
        if change.kind is Change.REMOVED or change.target.operator.paused:
            self._schedule.remove(change.target.id)
            self._scrapes.remove(_SCRAPE_KEY + change.target.id)
            self._book.remove(change.target.id)
        else:
            self._watch(change.target)

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

    def _watch(self, target: Target) -> None:
        spec, labels = target.spec, target.labels()
        interval = spec.interval or self._default_interval
        self._book.put(
            Watched(target.id, target.name, labels, target.endpoint, interval, spec.depends_on)
        )
        self._schedule.put(
            ProbeJob(
                key=target.id,
                target=target.endpoint,
                module_name=spec.module,
                module=self._modules.get(spec.module),
                interval=interval,
                labels=labels,
            )
        )
        key = _SCRAPE_KEY + target.id
        if spec.metrics_url is None:
            self._scrapes.remove(key)
        else:
            self._scrapes.put(registered_job(key, spec.metrics_url, labels, interval))
