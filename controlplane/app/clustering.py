"""What one replica of several has: Redis, its place among the others, its shares of the work."""

import asyncio
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
    """By `reports` replicas tell one another how their rule groups fare.

    `joining` ends when this one has its name, or raises Conflict: an earlier
    process of the name is waited for while everything else is made.
    """

    connection: Connection
    membership: Membership
    joining: asyncio.Task[None]
    shares: Shares
    reports: RedisReports


def join(
    me: Member,
    options: ClusterOptions,
    database: Database,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
) -> Cluster:
    """Begin to become a member; leaving `stack` ends that."""
    if options.url is None:
        raise InvalidInput("cluster.url: there is none")
    connection = Connection(options.url, clock=clock, metrics=RedisMetrics(registry))
    stack.push_async_callback(connection.close)
    metrics = ClusterMetrics(registry)
    membership = Membership(connection, me, clock=clock, options=options, metrics=metrics)
    stack.push_async_callback(membership.leave)
    joining = asyncio.create_task(membership.join(idle=True))
    stack.push_async_callback(_give_up, joining)
    shares = Shares(membership, SqlShares(database), clock=clock, options=options, metrics=metrics)
    reports = RedisReports(connection, options.prefix, clock)
    return Cluster(connection, membership, joining, shares, reports)


async def _give_up(joining: asyncio.Task[None]) -> None:
    """End what nobody waits for any more."""
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
