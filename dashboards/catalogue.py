"""The dashboards that there are, and where each is written."""

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Final

from dashboards.alerting import alerting
from dashboards.autoscaling import autoscaling
from dashboards.fleet import fleet
from dashboards.frame import Sheet
from dashboards.itself import itself
from dashboards.receivers import receivers
from dashboards.rules import rules
from dashboards.service_red import red_of, service_red
from dashboards.target import target

DASHBOARDS: Final[Sequence[Callable[[], Sheet]]] = (
    fleet,
    target,
    service_red,
    autoscaling,
    rules,
    alerting,
    receivers,
    itself,
)

# What a service that registers may ask for, by the template's name, given its job.
TEMPLATES: Final[dict[str, Callable[[str], Sheet]]] = {"red": red_of}

# Titles of the folders by their uids, in the order in which they are made.
FOLDERS: Final = {
    "services": "Services",
    "alerting": "Alerting",
    "control-plane": "Control plane",
}


def every_sheet() -> list[Sheet]:
    """Return all dashboards, built anew."""
    return [make() for make in DASHBOARDS]


def path_of(sheet: Sheet) -> PurePosixPath:
    """Return where a dashboard is written: its folder, its uid without our prefix."""
    return PurePosixPath(sheet.folder) / f"{sheet.uid.removeprefix('controlplane-')}.json"
