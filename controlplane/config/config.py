"""What the files say, in the options of the packages that act on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlplane.alerts.options import AlertOptions
from controlplane.auth.limits import LimitOptions
from controlplane.autoscale.options import ExternalScalerOptions
from controlplane.autoscale.options import Policy as ScalingPolicy
from controlplane.cluster.options import ClusterOptions
from controlplane.config.dependencies import rule_dependencies
from controlplane.config.globals import GlobalOptions
from controlplane.config.probes import DEFAULT_MODULES
from controlplane.config.stores import OutboundOptions
from controlplane.model.target import TargetSpec
from controlplane.mute.options import (
    InhibitRule,
    MuteOptions,
    NamedIntervals,
    SilenceOptions,
    StormOptions,
)
from controlplane.notify.check_in import CheckInOptions
from controlplane.notify.drill import DrillOptions
from controlplane.notify.options import DeliveryOptions, Receiver
from controlplane.probes.options import Module
from controlplane.routing.options import Route
from controlplane.rules.options import RuleGroup, RuleSettings, RulesOptions
from controlplane.scrape.options import ScrapeConfig
from controlplane.storage.options import StorageOptions
from controlplane.targets.options import TargetOptions
from controlplane.tsdb.remote.options import (
    Datasource,
    RemoteWrite,
    RemoteWriteOptions,
    RemoteWriteSettings,
)
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.options import StatusPage

# Where alerts go while no file says anything about it: nowhere.
NOBODY = Receiver("nobody")


@dataclass(frozen=True, slots=True)
class Config:
    """One version of the configuration. Paths are as the process can open them.

    `digest` changes whenever a byte of the files does, and is the same wherever
    their directory lies; it is empty without a file. `files` are all that were
    read, rule files among them. `groups` are the rules of `rule_files`.
    """

    path: str = ""
    digest: str = ""
    files: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    global_: GlobalOptions = field(default_factory=GlobalOptions)
    modules: Mapping[str, Module] = field(default_factory=lambda: dict(DEFAULT_MODULES))
    targets: tuple[TargetSpec, ...] = ()
    target_settings: TargetOptions = field(default_factory=TargetOptions)
    scrape_configs: tuple[ScrapeConfig, ...] = ()
    remote_write: tuple[RemoteWrite, ...] = ()
    remote_write_settings: RemoteWriteSettings = field(default_factory=RemoteWriteSettings)
    datasource: Datasource | None = None
    rule_files: tuple[str, ...] = ()
    rule_settings: tuple[RuleSettings, ...] = ()
    groups: tuple[RuleGroup, ...] = ()
    route: Route = field(default_factory=lambda: Route(receiver=NOBODY.name))
    receivers: tuple[Receiver, ...] = (NOBODY,)
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: tuple[NamedIntervals, ...] = ()
    mute_time_intervals: tuple[NamedIntervals, ...] = ()
    silence_settings: SilenceOptions = field(default_factory=SilenceOptions)
    # Addresses that answer as long as our own network does.
    canaries: tuple[str, ...] = ()
    storm_settings: StormOptions = field(default_factory=StormOptions)
    notification_settings: DeliveryOptions = field(default_factory=DeliveryOptions)
    drills: tuple[DrillOptions, ...] = ()
    check_ins: tuple[CheckInOptions, ...] = ()
    autoscaling: tuple[ScalingPolicy, ...] = ()
    external_scaler: ExternalScalerOptions = field(default_factory=ExternalScalerOptions)
    templates: tuple[str, ...] = ()
    # What stood in the files of `templates` when they were read, by file.
    template_texts: tuple[tuple[str, str], ...] = ()
    status_pages: tuple[StatusPage, ...] = ()
    planned_maintenance: tuple[Maintenance, ...] = ()
    storage: StorageOptions = field(default_factory=StorageOptions)
    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    limits: LimitOptions = field(default_factory=LimitOptions)
    outbound: OutboundOptions = field(default_factory=OutboundOptions)

    def target_options(self) -> TargetOptions:
        """Return what the registry is told."""
        return replace(self.target_settings, targets=self.targets)

    def rules_options(self, external_url: str) -> RulesOptions:
        """Return what the rule manager is told; `external_url` begins the links in alerts."""
        return RulesOptions(
            groups=self.groups,
            settings=self.rule_settings,
            evaluation_interval=self.global_.evaluation_interval,
            rule_query_offset=self.global_.rule_query_offset,
            external_labels=self.global_.external_labels,
            external_url=external_url,
            datasource=self.datasource,
        )

    def datasources(self) -> Sequence[Datasource]:
        """Return every engine that the file names."""
        named = [self.datasource, *(setting.datasource for setting in self.rule_settings)]
        return [each for each in named if isinstance(each, Datasource)]

    def remote_write_options(self) -> RemoteWriteOptions:
        """Return what the senders are told."""
        return RemoteWriteOptions(
            self.remote_write, self.global_.external_labels, self.remote_write_settings
        )

    def mute_options(self) -> MuteOptions:
        """Return what mutes alerts, whichever of its two names the intervals stand under."""
        named = (*self.mute_time_intervals, *self.time_intervals)
        depends = rule_dependencies(self.groups, self.rule_settings)
        return MuteOptions(
            self.inhibit_rules,
            {each.name: each.time_intervals for each in named},
            tuple(edge for _, edge in depends),
        )

    def alert_options(self) -> AlertOptions:
        """Return what bounds the active alerts."""
        return AlertOptions(resolve_timeout=self.global_.resolve_timeout)


def default_config() -> Config:
    """Return what is in force when no file is given."""
    return Config()
