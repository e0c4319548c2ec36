"""From what is known of targets to what the public is told: pure decisions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from controlplane.uptime.incident import Impact, Incident
from controlplane.uptime.options import PageGroup
from controlplane.uptime.ports import Labelled
from controlplane.uptime.view import ServiceState

# From harmless to bad: the worse of a probe's and a person's word counts.
_SEVERITY = (
    ServiceState.UNKNOWN,
    ServiceState.OPERATIONAL,
    ServiceState.MAINTENANCE,
    ServiceState.DEGRADED,
    ServiceState.DOWN,
)
_IMPACT: Mapping[Impact, ServiceState] = {
    Impact.NONE: ServiceState.UNKNOWN,
    Impact.DEGRADED: ServiceState.DEGRADED,
    Impact.DOWN: ServiceState.DOWN,
}


def services_of(group: PageGroup, targets: Iterable[Labelled]) -> Mapping[str, Sequence[str]]:
    """Return the ids of the targets of each service of a group, services by name."""
    found: dict[str, list[str]] = {}
    for target_id, labels in targets:
        if group.selects(labels):
            name = labels.value(group.by) or labels.value("job")
            found.setdefault(name, []).append(target_id)
    return dict(sorted(found.items()))


def service_state(wells: Sequence[bool | None], maintained: int) -> ServiceState:
    """Return the state of a service by its targets: `wells` of those not in maintenance."""
    known = [well for well in wells if well is not None]
    if not wells and maintained:
        return ServiceState.MAINTENANCE
    if not known:
        return ServiceState.UNKNOWN
    if all(known):
        return ServiceState.OPERATIONAL
    return ServiceState.DEGRADED if any(known) else ServiceState.DOWN


def with_incidents(
    state: ServiceState, names: Collection[str], incidents: Iterable[Incident]
) -> ServiceState:
    """Return the worse of what probes say and what open incidents say of one of the names."""
    said = [
        _IMPACT[each.impact]
        for each in incidents
        if each.resolved_at is None and not set(names).isdisjoint(each.services)
    ]
    return max([state, *said], key=_SEVERITY.index)


def overall(states: Collection[ServiceState]) -> ServiceState:
    """Return the state of many: down only when all that are known are."""
    known: AbstractSet[ServiceState] = set(states) - {ServiceState.UNKNOWN}
    if not known:
        return ServiceState.UNKNOWN
    if len(known) == 1:
        return next(iter(known))
    if known & {ServiceState.DOWN, ServiceState.DEGRADED}:
        return ServiceState.DEGRADED
    return ServiceState.OPERATIONAL
