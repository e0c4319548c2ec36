"""How replicas share the work out; one that is alone has all of it, at no cost."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from controlplane import __version__
from controlplane.app.heartbeat import Heartbeat
from controlplane.app.supervisor import Supervisor
from controlplane.clock import Clock, Timestamp
from controlplane.config.config import Config
from controlplane.config.replicas import own_database, own_samples
from controlplane.errors import InvalidInput
from controlplane.model.member import Member, Network
from controlplane.model.share import ALL_ROLES, SHARED_ROLES, WHOLE, Role, Share
from controlplane.settings.settings import Settings
from controlplane.storage.database import Database
from controlplane.storage.replicas import SqlReplicas

if TYPE_CHECKING:
    from controlplane.app.clustering import Cluster
    from controlplane.cluster.connection import Connection
    from controlplane.cluster.reports import RedisReports
    from controlplane.cluster.shares import Quiet


class Sharing:
    """This replica among the others.

    `connection` is None when there is no Redis, and so are `reports`, by which
    replicas tell one another how their rule groups fare.
    """

    def __init__(
        self, me: Member, heartbeat: Heartbeat | None = None, cluster: "Cluster | None" = None
    ) -> None:
        self._me = me
        self._heartbeat = heartbeat
        self._cluster = cluster
        self._joined = False
        if cluster is not None:
            self._note_joined()
            cluster.membership.subscribe(self._note_joined)

    @property
    def me(self) -> Member:
        """This replica, as the others know it."""
        return self._me if self._cluster is None else self._cluster.membership.me

    def configured(self, digest: str) -> None:
        """Have the others know at once which configuration is in force here."""
        me = replace(self.me, config_digest=digest)
        if self._cluster is None:
            self._me = me
        else:
            self._cluster.membership.become(me)

    @property
    def connection(self) -> "Connection | None":
        return None if self._cluster is None else self._cluster.connection

    @property
    def reports(self) -> "RedisReports | None":
        return None if self._cluster is None else self._cluster.reports

    @property
    def run(self) -> str:
        """What tells this process from an earlier one of its name; nothing when it is alone."""
        return "" if self._cluster is None else self.me.incarnation

    def share(self, role: Role) -> Share:
        """Return this replica's part of a role's work."""
        if self._cluster is None or role not in SHARED_ROLES:
            return WHOLE
        return self._cluster.shares.share(role)

    def gained_since(self, role: Role, key: str) -> Timestamp | None:
        """Return until when another replica had a key, when it was taken over from one."""
        if self._cluster is None or role not in SHARED_ROLES:
            return None
        return self._cluster.shares.share(role).gained_since(key)

    def when_quiet(self, role: Role, quiet: "Quiet") -> None:
        """Have `quiet` awaited after work was told to stop, and before another may begin it."""
        if self._cluster is not None:
            self._cluster.shares.when_quiet(role, quiet)

    def members(self) -> Sequence[Member]:
        """Return who is alive, by name; this replica alone when there is no cluster."""
        return (self.me,) if self._cluster is None else self._cluster.membership.members()

    def networks(self) -> Mapping[str, Network]:
        """Return what each replica says of the network that it is in, by its name."""
        return {member.name: member.network for member in self.members()}

    def say(self, network: Network) -> None:
        """Have all replicas know how our own network is, at once."""
        if self._cluster is not None:
            membership = self._cluster.membership
            membership.become(replace(membership.me, network=network))

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when another replica is there, or says otherwise of itself."""
        if self._cluster is not None:
            self._cluster.membership.subscribe(changed)

    async def joined(self) -> None:
        """Return when our name is ours. Raises Conflict when another living process has it."""
        if self._cluster is not None:
            await self._cluster.joining

    def start(self, supervisor: Supervisor) -> None:
        """Begin, once `joined`.

        Start it last: it ends first, and all work has stopped before the rest ends.
        """
        if self._heartbeat is not None:
            supervisor.start("heartbeat", self._heartbeat.run)
        if self._cluster is not None:
            shares = self._cluster.shares
            supervisor.start("membership", self._cluster.membership.run)
            supervisor.start("shares", shares.run, drain=shares.drain)

    async def ready(self) -> str:
        """Return why this replica is not one to be asked, or nothing.

        One that has been a member stays ready while Redis is away: all the
        others are in the same place, and somebody has to answer.
        """
        if self._heartbeat is not None and self._heartbeat.strangers:
            return f"knows nothing of this replica: {', '.join(self._heartbeat.strangers)}"
        if self._cluster is None:
            return ""
        membership = self._cluster.membership
        if membership.name_taken:
            return f"another process is called {self.me.name}"
        if self._joined and not membership.known:
            return ""
        if membership.is_member:
            return ""
        return "not a member yet" if membership.known else "redis does not answer: no member yet"

    def _note_joined(self) -> None:
        """Remember that this replica has been a member, whoever asks for that and when."""
        if self._cluster is not None and self._cluster.membership.is_member:
            self._joined = True


def refuse(settings: Settings, config: Config, *, sqlite: bool) -> None:
    """Return when what was said of replicas fits together. Raises InvalidInput with what does not.

    Ask it of a new version of the file too, before that comes into force.
    """
    if config.cluster.url is None:
        if settings.roles != ALL_ROLES:
            missing = ", ".join(sorted(ALL_ROLES - settings.roles))
            raise InvalidInput(
                f"--role: nobody would be {missing}: without cluster.url there is one replica"
            )
        return
    if reason := own_database(config, sqlite=sqlite):
        raise InvalidInput(reason)
    if "/" in settings.replica:
        raise InvalidInput("CONTROLPLANE_REPLICA: no / in the name of a replica of several")
    if settings.roles != {Role.NOTIFIER} and (reason := own_samples(config)):
        raise InvalidInput(reason)


async def build_sharing(
    settings: Settings,
    config: Config,
    database: Database,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
) -> Sharing:
    """Find the other replicas. Leaving `stack` says goodbye to them.

    Raises InvalidInput for what does not fit together, Conflict when another
    process does not know of us, Unavailable for the database.
    """
    refuse(settings, config, sqlite=database.is_sqlite)
    me = Member(
        settings.replica,
        secrets.token_hex(6),
        settings.roles,
        settings.external_url,
        clock.now(),
        version=__version__,
        config_digest=config.digest,
    )
    if database.is_sqlite:
        return Sharing(me)
    options, clustered = config.cluster, config.cluster.url is not None
    heartbeat = Heartbeat(
        SqlReplicas(database), me, clustered=clustered, clock=clock, period=options.renew
    )
    await heartbeat.begin()
    stack.push_async_callback(heartbeat.leave)
    if options.url is None:
        return Sharing(me, heartbeat)
    # Half a second of imports and some megabytes, for those who have a Redis.
    from controlplane.app.clustering import join  # noqa: PLC0415 - as said

    cluster = join(me, options, database, clock=clock, registry=registry, stack=stack)
    return Sharing(me, heartbeat, cluster)
