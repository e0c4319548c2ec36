"""What pages keep for their next readers: what changes it, and how old it may be."""

from typing import Final

from controlplane.api.cache import Shelf
from controlplane.events.event import Kind
from controlplane.model.duration import SECOND

# Messages that wait, and those that were given up: read from the database.
MESSAGES: Final = Shelf("messages", 2 * SECOND, frozenset({Kind.NOTIFICATION, Kind.ALERT}))
# What fires, by severity and name, and which of it nobody is told of.
FIRING: Final = Shelf(
    "firing",
    SECOND,
    frozenset({Kind.ALERT, Kind.SILENCE, Kind.TARGET, Kind.RULES, Kind.CONFIG}),
)
# What changed last.
CHANGES: Final = Shelf(
    "changes", SECOND, frozenset({Kind.ALERT, Kind.SILENCE, Kind.TARGET, Kind.CONFIG})
)
# Groups of alerts, by what a reader wants to see of them.
GROUPS: Final = Shelf(
    "groups",
    SECOND,
    frozenset({Kind.ALERT, Kind.SILENCE, Kind.TARGET, Kind.RULES, Kind.CONFIG, Kind.NOTIFICATION}),
    most=32,
)
# Pages for the public, as they are sent.
STATUS: Final = Shelf(
    "status", 2 * SECOND, frozenset({Kind.INCIDENT, Kind.TARGET, Kind.CONFIG}), most=512
)
# What charts draw. Samples change it with time alone: it may be as old as a step, and no older.
RANGES: Final = Shelf("ranges", 15 * SECOND, frozenset({Kind.CONFIG}), most=64)
