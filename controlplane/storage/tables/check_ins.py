"""What came of the last turn of each check-in, for the replicas that do not make it."""

from typing import Final

from sqlalchemy import Column, String, Table, Text

from controlplane.storage.growth import Bounded, Growth
from controlplane.storage.schema import Millis, metadata

check_ins: Final = Table(
    "check_ins",
    metadata,
    Column("name", Text, primary_key=True),
    Column("result", String(16), nullable=False),
    Column("at", Millis, nullable=False),
    Column("problem", Text, nullable=False),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Bounded(check_ins, because="one for each name that a file ever gave to a check-in"),
)
