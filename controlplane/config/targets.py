"""`targets`: what the file watches, field for field as the API registers it."""

from typing import Final

from controlplane.config.kinds import LABELS, NAME, NATURAL, POSITIVE_DURATION
from controlplane.config.places import URL
from controlplane.config.schema import Key, Section, UniqueList
from controlplane.model.target import TargetSpec
from controlplane.targets.options import TargetOptions

TARGET: Final = Section(
    "target",
    TargetSpec,
    {
        "name": Key(NAME, required=True),
        "url": Key(URL),
        "address": Key(NAME),
        "module": Key(NAME),
        "interval": Key(POSITIVE_DURATION),
        "labels": Key(LABELS),
        "metrics_url": Key(URL),
        "lease": Key(POSITIVE_DURATION),
    },
)
TARGETS: Final = UniqueList("a list of targets", TARGET, "name")

TARGET_SETTINGS: Final = Section(
    "target_settings",
    TargetOptions,
    {
        "min_interval": Key(POSITIVE_DURATION),
        "min_lease": Key(POSITIVE_DURATION),
        "lease_removal_after": Key(POSITIVE_DURATION),
        "lease_check_interval": Key(POSITIVE_DURATION),
        "max_targets": Key(NATURAL),
        "failures_kept": Key(NATURAL),
    },
)
