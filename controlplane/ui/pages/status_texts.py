"""A status page in the words of programs: JSON, RSS, badges."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final
from xml.sax.saxutils import escape

from markupsafe import Markup

from controlplane.clock import Timestamp
from controlplane.model.duration import format_time
from controlplane.uptime.incident import Incident
from controlplane.uptime.view import PageView, ServiceState, ServiceView

# White text on each has a contrast of 4.5 at least.
_COLOURS: Final[Mapping[ServiceState, str]] = {
    ServiceState.OPERATIONAL: "#16703c",
    ServiceState.DEGRADED: "#8a5a00",
    ServiceState.DOWN: "#b3261e",
    ServiceState.MAINTENANCE: "#5a4fb0",
    ServiceState.UNKNOWN: "#56606d",
}
_CHARACTER: Final = 6.6  # how wide one is, about
_LONGEST_LABEL: Final = 60


def page_document(view: PageView) -> dict[str, Any]:
    """Return everything that a status page says, without who wrote it."""
    return {
        "name": view.name,
        "title": view.title,
        "state": view.state.value,
        "updated_at": format_time(view.at),
        "history_as_of": format_time(view.read_at) if view.read_at else None,
        "groups": [
            {
                **_service(group.whole),
                "services": [_service(service) for service in group.services],
            }
            for group in view.groups
        ],
        "incidents": [_incident(incident) for incident in view.incidents],
        "maintenance": [
            {
                "id": each.id,
                "title": each.title,
                "text": each.text,
                "starts_at": format_time(each.starts_at) if each.starts_at else None,
                "ends_at": None if each.ends_at is None else format_time(each.ends_at),
                "under_way": each.under_way,
                "services": list(each.services),
            }
            for each in view.maintenance
        ],
    }


def feed_of(view: PageView, address: str) -> str:
    """Return the incidents of a page as an RSS 2.0 channel, an item for each update."""
    items = [
        (update.at, number, incident, update)
        for incident in view.incidents
        for number, update in enumerate(incident.updates)
    ]
    entries = "".join(
        f"<item><title>{_xml(f'{incident.title}: {update.stage.value}')}</title>"
        f"<link>{_xml(address)}#incident-{_xml(incident.id)}</link>"
        f'<guid isPermaLink="false">{_xml(incident.id)}/{number}</guid>'
        f"<pubDate>{_rfc822(at)}</pubDate><description>{_xml(update.text)}</description></item>"
        for at, number, incident, update in sorted(
            items, key=lambda item: (item[0], item[1]), reverse=True
        )
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"<title>{_xml(view.title)}</title><link>{_xml(address)}</link>"
        f"<description>{_xml(view.text or view.title)}</description>{entries}</channel></rss>\n"
    )


def badge_of(label: str, words: str, state: ServiceState) -> str:
    """Return a badge: what it is about, and how it stands, in words and colour."""
    label = label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"
    left, right = (round(len(text) * _CHARACTER + 12) for text in (label, words))
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="20" role="img" '
            'aria-label="{label}: {words}"><title>{label}: {words}</title>'
            '<clipPath id="r"><rect width="{w}" height="20" rx="4"/></clipPath>'
            '<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3a424b"/>'
            '<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
            '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
            'text-anchor="middle"><text x="{lx}" y="14" textLength="{ll}">{label}</text>'
            '<text x="{rx}" y="14" textLength="{rl}">{words}</text></g></svg>'
        ).format(
            w=left + right,
            left=left,
            right=right,
            colour=_COLOURS[state],
            label=_clean(label),
            words=_clean(words),
            lx=left / 2,
            rx=left + right / 2,
            ll=left - 12,
            rl=right - 12,
        )
    )


def _service(service: ServiceView) -> dict[str, Any]:
    return {
        "name": service.name,
        "state": service.state.value,
        "uptime": service.ratio,
        "days": [
            {
                "date": format_time(bar.start)[:10],
                "uptime": bar.ratio,
                "down_seconds": round(bar.down, 3),
                "maintenance_seconds": round(bar.maintenance, 3),
                "unknown_seconds": round(bar.unknown, 3),
            }
            for bar in service.bars
        ],
    }


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "title": incident.title,
        "impact": incident.impact.value,
        "stage": incident.stage.value,
        "services": list(incident.services),
        "created_at": format_time(incident.created_at),
        "resolved_at": None if incident.resolved_at is None else format_time(incident.resolved_at),
        "updates": [
            {"at": format_time(each.at), "stage": each.stage.value, "text": each.text}
            for each in incident.updates
        ],
    }


def _xml(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """Return a text without the characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))


def _rfc822(time: Timestamp) -> str:
    return format_datetime(datetime.fromtimestamp(time / 1000, UTC), usegmt=True)
