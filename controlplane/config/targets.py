"""`targets`: what the file watches, field for field as the API registers it."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from controlplane.config.dependencies import DEPENDENCIES
from controlplane.config.kinds import LABELS, NATURAL, POSITIVE_DURATION, TEXT
from controlplane.config.schema import Key, Section, UniqueList
from controlplane.model.target import TargetSpec
from controlplane.targets.options import TargetOptions
from controlplane.targets.validation import check_spec

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


def _target(settings: TargetOptions, probers: Mapping[str, str], **values: Any) -> TargetSpec:
    spec = TargetSpec(**values)
    check_spec(spec, settings, probers.get)
    return spec


def targets(settings: TargetOptions, probers: Mapping[str, str]) -> UniqueList[TargetSpec]:
    """Return the list of targets; `probers` names the prober of each module."""
    section = Section(
        "target",
        partial(_target, settings, probers),
        {
            "name": Key(TEXT, required=True),
            "url": Key(TEXT),
            "address": Key(TEXT),
            "module": Key(TEXT),
            "interval": Key(POSITIVE_DURATION),
            "labels": Key(LABELS),
            "metrics_url": Key(TEXT),
            "lease": Key(POSITIVE_DURATION),
            "depends_on": Key(DEPENDENCIES),
            "dashboard": Key(TEXT),
        },
    )
    return UniqueList("a list of targets", section, "name")
