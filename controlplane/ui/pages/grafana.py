"""Links to the Grafana dashboard that fits what a page is about, over the time it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from controlplane.clock import Timestamp
from controlplane.ui.console import Page

# The uids of the shipped dashboards, which never change.
TARGET: Final = "controlplane-target"
SERVICE: Final = "controlplane-service-red"
AUTOSCALING: Final = "controlplane-autoscaling"
RECEIVERS: Final = "controlplane-receivers"
ITSELF: Final = "controlplane-itself"
FLEET: Final = "controlplane-fleet"

# Dashboards, each with the labels that are its choices.
Fittings = Sequence[tuple[str, tuple[str, ...]]]

_OWN_JOB: Final = "controlplane"
# The first dashboard whose labels are all there fits; each becomes a choice of that name.
OF_SERVICES: Final[Fittings] = ((TARGET, ("job", "instance")), (SERVICE, ("job",)), (FLEET, ()))
# Of what has no job but our own, for `policy` and `receiver` may be anybody's labels.
OF_OURS: Final[Fittings] = ((AUTOSCALING, ("policy",)), (RECEIVERS, ("receiver",)))


@dataclass(frozen=True, slots=True)
class GrafanaLink:
    """A link and what it leads to."""

    title: str
    url: str


def of_labels(
    page: Page, labels: Mapping[str, str], start: Timestamp, end: Timestamp | None
) -> GrafanaLink | None:
    """Return the link for what has these labels, None where no Grafana is known.

    Without an `end` the time goes on to now.
    """
    uid, names = fitting(labels)
    return link(page, uid, {name: labels[name] for name in names}, start, end)


def fitting(labels: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the uid of the dashboard that fits, and which labels it has as choices."""
    own = labels.get("job") == _OWN_JOB
    known: Fittings = OF_SERVICES
    if own or not labels.get("job"):
        known = (*OF_OURS, (ITSELF if own else FLEET, ()))
    return next((uid, names) for uid, names in known if all(labels.get(name) for name in names))


def link(
    page: Page, uid: str, choices: Mapping[str, str], start: Timestamp, end: Timestamp | None
) -> GrafanaLink | None:
    """Return a link to a dashboard with choices made, None where no Grafana is known."""
    base = page.on.grafana_url
    if not base:
        return None
    asked = {f"var-{name}": value for name, value in choices.items()}
    time = {"from": str(start), "to": "now" if end is None else str(end)}
    return GrafanaLink(_title(page, uid), f"{base}/d/{uid}?{urlencode({**asked, **time})}")


def _title(page: Page, uid: str) -> str:
    titles = {
        TARGET: page.say("Target in Grafana"),
        SERVICE: page.say("Service in Grafana"),
        AUTOSCALING: page.say("Autoscaling in Grafana"),
        RECEIVERS: page.say("Receiver in Grafana"),
        ITSELF: page.say("Control plane in Grafana"),
        FLEET: page.say("Fleet in Grafana"),
    }
    return titles[uid]
