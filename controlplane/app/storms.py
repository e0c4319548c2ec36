"""What mutes alerts because of what is watched: dependencies, and our own network."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx
from prometheus_client import CollectorRegistry

from controlplane.alerts.provider import Alerts
from controlplane.clock import Clock, Timestamp
from controlplane.config.config import Config
from controlplane.errors import ControlPlaneError
from controlplane.model.alert import Alert
from controlplane.mute.dependencies import Dependencies, RuleDependencies, TargetDependencies
from controlplane.mute.metrics import StormMetrics
from controlplane.mute.networks import host_of
from controlplane.mute.options import MuteOptions
from controlplane.mute.own_network import OwnNetwork
from controlplane.mute.ports import LastOutcome, Release
from controlplane.mute.watched import TargetBook
from controlplane.targets.ports import TargetOutcome
from controlplane.transport.http_client import HTTPClients
from controlplane.transport.options import HTTPClientConfig


@dataclass(frozen=True, slots=True)
class Storms:
    """The two muters, and the targets that both know."""

    targets: TargetBook
    rules: RuleDependencies
    dependencies: Dependencies
    network: OwnNetwork

    def reload(
        self, config: Config, mute: MuteOptions, alerts: Sequence[Alert], now: Timestamp
    ) -> None:
        """Change to another configuration."""
        self.rules.reload(mute.dependencies, alerts, now)
        self.network.configure(config.canaries, config.storm_settings)

    def heard(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Take note of alerts that changed."""
        self.rules.heard(alerts, now)
        self.network.heard(alerts, now)

    def learned(self, outcome: TargetOutcome) -> None:
        """Take note of what another replica, which probes a target, said of it."""
        if not outcome.success:
            self.network.failed(outcome.target_id, outcome.at, outcome.reason, "")


@dataclass(frozen=True, slots=True)
class AskByConnecting:
    """Asks a canary: a URL by a request, which any answer answers, `host:port` by a connection."""

    clients: HTTPClients

    async def __call__(self, canary: str, seconds: float) -> bool:
        """Tell whether it answered in time. What the outbound policy denies never does."""
        with suppress(ControlPlaneError, httpx.HTTPError, OSError):
            if "://" in canary:
                async with self.clients.client(HTTPClientConfig(follow_redirects=False)) as client:
                    await client.get(canary, timeout=seconds)
            else:
                port = int(canary.rpartition(":")[2])
                (await self.clients.dial(host_of(canary), port, timeout=seconds)).close()
            return True
        return False


def build_storms(
    config: Config,
    alerts: Alerts,
    clients: HTTPClients,
    *,
    last_outcome: LastOutcome,
    release: Release,
    clock: Clock,
    registry: CollectorRegistry,
    replica: str = "",
) -> Storms:
    """Make the muters; they learn of targets and of failed probes as they come.

    `replica` is which one of several this is.
    """
    targets = TargetBook()
    rules = RuleDependencies(config.mute_options().dependencies)
    network = OwnNetwork(
        targets,
        clock,
        StormMetrics(registry),
        ask=AskByConnecting(clients),
        last_outcome=last_outcome,
        release=release,
        accept=alerts.put,
        find=alerts.get,
        replica=replica,
    )
    network.configure(config.canaries, config.storm_settings)
    dependencies = Dependencies(TargetDependencies(targets, last_outcome), rules)
    return Storms(targets, rules, dependencies, network)
