"""The runs of scheduled jobs: one for each time at which a job was due."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table, Text, text

from controlplane.storage.growth import Expires, Growth
from controlplane.storage.schema import Millis, Serial, metadata

_UNFINISHED: Final = text("state IN ('running', 'waiting')")

job_runs: Final = Table(
    "job_runs",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("due_at", Millis, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", Millis, nullable=False),
    Column("retry_at", Millis, nullable=False),
    Column("started_at", Millis, nullable=False),
    Column("ended_at", Millis),
    Column("failure", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    CheckConstraint("state IN ('running', 'waiting', 'success', 'dead')", name="state"),
    # Whoever is first to put a time down makes the run.
    Index("uq_job_runs_name_due_at", "name", "due_at", unique=True),
    Index("ix_job_runs_unfinished", "name", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
    Index("ix_job_runs_ended_at", "ended_at"),
)

GROWTH: Final[tuple[Growth, ...]] = (Expires(job_runs, since=job_runs.c.ended_at, keep="job_runs"),)
