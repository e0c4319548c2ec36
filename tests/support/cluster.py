"""Replicas of one service, without the service: as many memberships as a test wants."""

import uuid

from prometheus_client import CollectorRegistry

from controlplane.clock import Clock
from controlplane.cluster.connection import Connection
from controlplane.cluster.membership import Membership
from controlplane.cluster.metrics import ClusterMetrics, RedisMetrics
from controlplane.cluster.options import ClusterOptions
from controlplane.model.member import Member
from controlplane.model.secret import Secret
from controlplane.model.share import ALL_ROLES, Role


def connect(url: str, clock: Clock) -> Connection:
    """Return a connection with a registry of its own."""
    return Connection(Secret(url), clock=clock, metrics=RedisMetrics(CollectorRegistry()))


def prefix() -> str:
    """Return what keeps the keys of a test apart from those of all others."""
    return f"test-{uuid.uuid4().hex[:12]}"


def member(name: str, roles: frozenset[Role] = ALL_ROLES) -> Member:
    """Return a process of that name, another one at each call."""
    return Member(name, uuid.uuid4().hex[:12], roles, f"http://{name}", 1_700_000_000_000)


def membership(
    connection: Connection,
    me: Member,
    clock: Clock,
    options: ClusterOptions,
) -> Membership:
    """Return the membership of a replica, which has not joined yet."""
    metrics = ClusterMetrics(CollectorRegistry())
    return Membership(connection, me, clock=clock, options=options, metrics=metrics)
