"""What this replica mirrors, and what reads it anew when another replica has changed it."""

from collections.abc import Collection

from prometheus_client import CollectorRegistry

from controlplane.app.alerting import Alerting
from controlplane.app.mirroring import MirrorMetrics, Mirrors
from controlplane.app.probing import Probing
from controlplane.app.scaling import Scaling
from controlplane.app.trying import Rehearsal
from controlplane.clock import Clock
from controlplane.rules.manager import Manager
from controlplane.storage.changes import SqlChanges
from controlplane.storage.database import Database


def build_mirrors(
    database: Database,
    probing: Probing,
    alerting: Alerting,
    rules: Manager,
    scaling: Scaling,
    rehearsal: Rehearsal,
    *,
    clock: Clock,
    registry: CollectorRegistry,
) -> Mirrors:
    """Return the mirrors of a replica of several, in the order in which one needs the other."""

    async def policies(_names: Collection[str] | None) -> None:
        await scaling.policies.load()

    uptimes = probing.uptimes
    return Mirrors(
        SqlChanges(database),
        {
            "target": probing.targets.refresh,
            "renewal": probing.targets.refresh_renewals,
            **probing.mirrors(),
            # First the alert, then the silence that acknowledges it, which would else be taken for
            # over. No group is looked at in between: that waits for a whole look.
            "alert": alerting.alerts.refresh,
            "silence": alerting.silences.refresh,
            "rule": rules.refresh,
            "incident": uptimes.incidents.refresh,
            "maintenance": uptimes.plans.refresh,
            "scaling_policy": policies,
            "scaling_state": scaling.autoscaler.refresh,
            "check_in": rehearsal.parts.check_ins.refresh,
        },
        clock,
        MirrorMetrics(registry),
    )
