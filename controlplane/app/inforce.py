"""The parts that a configuration reaches, and how a new one is put in force."""

from dataclasses import dataclass

from controlplane.app.alerting import Alerting
from controlplane.app.notifying import configuration_change
from controlplane.app.probing import Probing
from controlplane.app.scaling import Scaling
from controlplane.app.sharing import Sharing
from controlplane.app.trying import Rehearsal
from controlplane.clock import Clock
from controlplane.config.config import Config
from controlplane.errors import ControlPlaneError
from controlplane.model.duration import SECOND
from controlplane.rules.manager import Manager
from controlplane.scrape.own import own_job
from controlplane.transport.policy import OutboundPolicy
from controlplane.tsdb.remote.engines import Engines
from controlplane.tsdb.remote.remotes import RemoteWrites

_OWN_INTERVAL = 15 * SECOND


@dataclass(frozen=True, slots=True)
class InForce:
    """Holds nothing but references: the configuration itself is the reloader's."""

    clock: Clock
    external_url: str
    replica: str
    policy: OutboundPolicy
    remote_writes: RemoteWrites
    engines: Engines
    alerting: Alerting
    rehearsal: Rehearsal
    rules: Manager
    scaling: Scaling
    probing: Probing
    sharing: Sharing

    async def begin(self, config: Config) -> None:
        """Put the first configuration in force, with what was kept from before."""
        await self.remote_writes.apply(config.remote_write_options())
        await self.probing.begin()
        await self.probing.targets.apply_file(config.targets, self.clock.now())
        await self.rules.apply(config.rules_options(self.external_url))
        self._scrape(config)
        await self.alerting.begin()
        await self.scaling.begin(config)
        await self.rehearsal.begin(config)
        self.probing.uptimes.change(config)

    async def change(self, old: Config, new: Config) -> None:
        """Put `new` in the place of `old`. Raises ControlPlaneError: then `old` stays."""
        integrations = self.alerting.senders.build(new)
        await self.scaling.listen(new)
        await self.remote_writes.apply(new.remote_write_options())
        self._watch(new)
        try:
            await self.probing.targets.apply_file(new.targets, self.clock.now())
        except ControlPlaneError:
            self._watch(old)
            await self.remote_writes.apply(old.remote_write_options())
            await self.scaling.listen(old)
            raise
        self.policy.replace(new.outbound.deny)
        await self.alerting.change(new, integrations)
        self.rehearsal.change(new)
        self.probing.uptimes.change(new)
        await self.rules.apply(new.rules_options(self.external_url))
        self.scaling.change(new)
        await self.engines.keep_only([*new.datasources(), *self.scaling.datasources()])
        self._scrape(new)
        self.sharing.configured(new.digest)
        self.alerting.changes.announce(configuration_change(old, new, self.clock.now()))

    def _watch(self, config: Config) -> None:
        options = config.target_options()
        probing = self.probing
        probing.targets.configure(options)
        probing.leases.configure(options)
        probing.failures.configure(options.failures_kept)
        interval = config.global_.scrape_interval
        probing.watching.reload(config.modules, interval, probing.targets)

    def _scrape(self, config: Config) -> None:
        self.probing.scrapes.configure(config.scrape_configs)
        interval = min(_OWN_INTERVAL, config.global_.scrape_interval)
        self.probing.scrapes.put(own_job(self.replica, interval))
