"""The file as a whole: its sections, in the order in which people write them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controlplane.config.autoscaling import AUTOSCALING, EXTERNAL_SCALER
from controlplane.config.cluster import CLUSTER
from controlplane.config.globals import GLOBAL, GlobalOptions
from controlplane.config.limits import LIMITS
from controlplane.config.muting import INHIBIT_RULES, TIME_INTERVALS
from controlplane.config.notifications import NOTIFICATION_SETTINGS
from controlplane.config.places import PATHS, PATTERNS
from controlplane.config.probes import MODULES
from controlplane.config.receivers import receivers
from controlplane.config.remote import DATASOURCE, REMOTE_WRITE_SETTINGS, RemoteWrites
from controlplane.config.routing import ROUTE
from controlplane.config.rules import RULE_SETTINGS
from controlplane.config.schema import Key, Section
from controlplane.config.scrape import scrape_configs
from controlplane.config.status_pages import PLANNED_MAINTENANCE, STATUS_PAGES
from controlplane.config.stores import OUTBOUND, STORAGE
from controlplane.config.storms import CANARIES, SILENCE_SETTINGS, STORM_SETTINGS
from controlplane.config.targets import TARGET_SETTINGS, targets
from controlplane.config.templates import Check, unchecked
from controlplane.config.trying import CHECK_INS, DRILLS
from controlplane.targets.options import TargetOptions

_PROMETHEUS: Final = (
    "alerting",
    "otlp",
    "remote_read",
    "runtime",
    "scrape_config_files",
)
_ALERTMANAGER: Final = ("event_recorder",)
_LATER: Final = (
    "forward_alerts",
    "slos",
)


@dataclass(frozen=True, slots=True)
class Context:
    """What some sections say that others stand on.

    `probers` holds the prober of each module; `check_template` knows the files of `templates`.
    """

    defaults: GlobalOptions = field(default_factory=GlobalOptions)
    target_settings: TargetOptions = field(default_factory=TargetOptions)
    probers: Mapping[str, str] = field(default_factory=dict)
    check_template: Check = unchecked


def every_section() -> dict[str, Section[Any]]:
    """Return all sections by name: the file itself first, then those below it."""
    found: dict[str, Section[Any]] = {}
    waiting = [document(Context())]
    while waiting:
        section = waiting.pop(0)
        if section.name not in found:
            found[section.name] = section
            waiting += section.below()
    return found


def document(context: Context) -> Section[Any]:
    """Return the section of the whole file."""
    return Section(
        "the configuration",
        dict,
        {
            "include": Key(PATHS),
            "global": Key(GLOBAL, field="global_"),
            "modules": Key(MODULES),
            "targets": Key(targets(context.target_settings, context.probers)),
            "target_settings": Key(TARGET_SETTINGS),
            "scrape_configs": Key(scrape_configs(context.defaults)),
            "remote_write": Key(RemoteWrites()),
            "remote_write_settings": Key(REMOTE_WRITE_SETTINGS),
            "datasource": Key(DATASOURCE),
            "rule_files": Key(PATTERNS),
            "rule_settings": Key(RULE_SETTINGS),
            "route": Key(ROUTE),
            "notification_settings": Key(NOTIFICATION_SETTINGS),
            "receivers": Key(receivers(context.defaults, context.check_template)),
            "inhibit_rules": Key(INHIBIT_RULES),
            "time_intervals": Key(TIME_INTERVALS),
            "mute_time_intervals": Key(TIME_INTERVALS),
            "silence_settings": Key(SILENCE_SETTINGS),
            "canaries": Key(CANARIES),
            "storm_settings": Key(STORM_SETTINGS),
            "templates": Key(PATTERNS),
            "drills": Key(DRILLS),
            "check_ins": Key(CHECK_INS),
            "autoscaling": Key(AUTOSCALING),
            "external_scaler": Key(EXTERNAL_SCALER),
            "status_pages": Key(STATUS_PAGES),
            "planned_maintenance": Key(PLANNED_MAINTENANCE),
            "storage": Key(STORAGE),
            "cluster": Key(CLUSTER),
            "limits": Key(LIMITS),
            "outbound": Key(OUTBOUND),
        },
        unsupported={
            **dict.fromkeys(_PROMETHEUS, "a Prometheus key"),
            **dict.fromkeys(_ALERTMANAGER, "an Alertmanager key"),
            **dict.fromkeys(_LATER, "a key of a later version"),
            "tracing": "a key of Prometheus and Alertmanager",
        },
    )
