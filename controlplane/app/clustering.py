"""What one replica of several has: Redis, its place among the others, its shares of the work."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from controlplane.clock import Clock
from controlplane.cluster.connection import Connection
from controlplane.cluster.membership import Membership
from controlplane.cluster.metrics import ClusterMetrics, RedisMetrics
from controlplane.cluster.options import ClusterOptions
from controlplane.cluster.reports import RedisReports
from controlplane.cluster.shares import Shares
from controlplane.errors import InvalidInput
from controlplane.model.member import Member
from controlplane.storage.database import Database
from controlplane.storage.shares import SqlShares


@dataclass(frozen=True, slots=True)
class Cluster:
    """By `reports` replicas tell one another how their rule groups fare."""

    connection: Connection
    membership: Membership
    shares: Shares
    reports: RedisReports


async def join(
    me: Member,
    options: ClusterOptions,
    database: Database,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
) -> Cluster:
    """Become a member; leaving `stack` ends that. Raises Conflict when our name is taken."""
    if options.url is None:
        raise InvalidInput("cluster.url: there is none")
    connection = Connection(options.url, clock=clock, metrics=RedisMetrics(registry))
    stack.push_async_callback(connection.close)
    metrics = ClusterMetrics(registry)
    membership = Membership(connection, me, clock=clock, options=options, metrics=metrics)
    await membership.join(idle=True)
    stack.push_async_callback(membership.leave)
    shares = Shares(membership, SqlShares(database), clock=clock, options=options, metrics=metrics)
    return Cluster(connection, membership, shares, RedisReports(connection, options.prefix, clock))
