"""What replicas tell of each other, and of Redis."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controlplane.model.share import SHARED_ROLES, Role

_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class RedisMetrics:
    """How Redis answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge(
            "controlplane_redis_up",
            "1 when Redis answered the last command, else 0.",
            registry=registry,
        )
        self.commands = Counter(
            "controlplane_redis_commands_total",
            "Commands sent to Redis, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self.duration = Histogram(
            "controlplane_redis_command_duration_seconds",
            "Time until Redis had answered a command.",
            buckets=_BUCKETS,
            registry=registry,
        )
        for outcome in ("ok", "error"):
            self.commands.labels(outcome)


class LimitMetrics:
    """Whether limits hold for all replicas together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.shared = Gauge(
            "controlplane_limits_shared",
            "1 while limits count the requests to all replicas, 0 while only those to this one.",
            registry=registry,
        )
        self.shared.set(1)


class ClusterMetrics:
    """Who is there, and whose work is what."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.members = Gauge(
            "controlplane_cluster_members",
            "Replicas that are alive, this one included, as Redis said last.",
            registry=registry,
        )
        self.member = Gauge(
            "controlplane_cluster_member",
            "1 while this replica is a member, else 0.",
            registry=registry,
        )
        self.isolated = Gauge(
            "controlplane_cluster_members_isolated",
            "Replicas that are alive and reach none of their canaries, or not for a minute yet.",
            registry=registry,
        )
        self.configurations = Gauge(
            "controlplane_cluster_configurations",
            "Different configurations that the replicas have which are alive and say which.",
            registry=registry,
        )
        self.lapses = Counter(
            "controlplane_cluster_lapses_total",
            "Times that this replica had stood still for longer than its lease, and began anew.",
            registry=registry,
        )
        self.shards = Gauge(
            "controlplane_shards",
            "Shards of a role's work that are this replica's.",
            ["role"],
            registry=registry,
        )
        self.moves = Counter(
            "controlplane_shard_moves_total",
            "Shards that this replica claimed, released, and lost to another.",
            ["role", "move"],
            registry=registry,
        )
        self.refused = Counter(
            "controlplane_shard_claims_refused_total",
            "Shards that this replica wanted and another one had, or was taking.",
            ["role"],
            registry=registry,
        )
        for role in SHARED_ROLES:
            self.shards.labels(role.value)
            self.refused.labels(role.value)
            for move in ("claimed", "released", "lost"):
                self.moves.labels(role.value, move)

    def hold(self, role: Role, count: int) -> None:
        """Note how many shards of a role are held."""
        self.shards.labels(role.value).set(count)
