"""Policies that the API was sent, and what policies decided: changes, not repeats."""

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from controlplane.storage.growth import Bounded, Expires, Growth
from controlplane.storage.schema import Document, Millis, Serial, metadata

scaling_decisions: Final = Table(
    "scaling_decisions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("policy", Text, nullable=False),
    Column("at", Millis, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("current", Integer),
    Column("desired", Integer),
    Column("limited_by_max", Boolean, nullable=False),
    # The verdicts of the metrics, the steps, and of what their sentences are made, as JSON.
    Column("trace", Document, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Index("ix_scaling_decisions_policy_id", "policy", "id"),
    Index("ix_scaling_decisions_at", "at"),
)

# What each policy says now, repeats too. Written where several replicas are to show it.
scaling_states: Final = Table(
    "scaling_states",
    metadata,
    Column("policy", Text, primary_key=True),
    Column("at", Millis, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("current", Integer),
    Column("desired", Integer),
    Column("limited_by_max", Boolean, nullable=False),
    Column("trace", Document, nullable=False),
    Column("correlation_id", Text, nullable=False),
)

# What the API was sent, with the secrets in it.
scaling_policies: Final = Table(
    "scaling_policies",
    metadata,
    Column("name", Text, primary_key=True),
    Column("document", Document, nullable=False),
    Column("created_at", Millis, nullable=False),
    Column("updated_at", Millis, nullable=False),
    Column("actor", Text, nullable=False),
)

GROWTH: Final[tuple[Growth, ...]] = (
    Bounded(scaling_policies, because="at most a thousand, of people and programs that send them"),
    Bounded(scaling_states, because="one for each policy; it goes with one that the API deletes"),
    Expires(scaling_decisions, since=scaling_decisions.c.at, keep="ledger"),
)
