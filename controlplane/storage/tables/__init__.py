"""Every table, a module for each area. Importing this fills `schema.metadata`.

A module declares its tables and `GROWTH`: for each table why it stays small,
or how it is trimmed. Needs nothing but the column types in `schema`, and
knows no repository.
"""

from typing import Final

from controlplane.storage.growth import Growth
from controlplane.storage.schema import metadata
from controlplane.storage.tables import (
    alerts,
    autoscaling,
    changes,
    check_ins,
    cluster,
    failures,
    jobs,
    ledger,
    notifications,
    outcomes,
    rules,
    silences,
    status,
    targets,
    uptime,
)

# Every area, in the order of its migrations; one line more for each new one.
AREAS: Final = (
    targets,
    rules,
    alerts,
    notifications,
    failures,
    silences,
    ledger,
    uptime,
    status,
    autoscaling,
    cluster,
    changes,
    outcomes,
    jobs,
    check_ins,
)


def growth() -> tuple[Growth, ...]:
    """Return what each area says about its tables."""
    return tuple(entry for area in AREAS for entry in area.GROWTH)


__all__ = ["AREAS", "growth", "metadata"]
