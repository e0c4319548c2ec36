"""What is told of who is there: who comes and goes, who is cut off, and who is configured how.

Each thing once. While Redis has just come back, perhaps with nothing in it,
those who are missing may yet return: until all have had the time to, nobody
has left, and nothing has changed.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from controlplane.cluster.metrics import ClusterMetrics
from controlplane.cluster.roster import Seen
from controlplane.model.member import Member, Network
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# So much of a digest tells two apart.
_SHOWN: Final = 12
# It may go on like this for a while: that is told as one.
_CUT_OFF: Final = (Network.ISOLATED, Network.RECOVERING)


class Chronicle:
    """Writes the log of one replica's membership. Belongs to the event loop."""

    def __init__(self, metrics: ClusterMetrics) -> None:
        self._metrics = metrics
        # Who was said to be there, by owner, and which configurations there were.
        self._there: dict[str, Member] = {}
        self._isolated: frozenset[str] = frozenset()
        self._digests: frozenset[str] = frozenset()
        self._taken = False

    def note(self, seen: Seen, *, settled: bool, joining: bool) -> None:
        """Tell what differs from what was told last.

        `settled` says that everyone alive has had time to be seen, `joining` that
        this replica waits for its name.
        """
        self._note_comings(seen)
        self._note_networks(seen)
        if settled:
            self._note_goings(seen)
            self._note_configurations(seen)
        self._note_name(seen, joining=joining)

    def _note_comings(self, seen: Seen) -> None:
        there = _working(seen)
        for owner in sorted(there.keys() - self._there.keys()):
            roles = sorted(role.value for role in there[owner].roles)
            log.info("replica joined", replica=there[owner].name, roles=roles)
        self._there |= there

    def _note_goings(self, seen: Seen) -> None:
        for owner in sorted(self._there.keys() - _working(seen).keys()):
            log.info("replica left", replica=self._there.pop(owner).name)

    def _note_networks(self, seen: Seen) -> None:
        members = {member.name: member.network for member in seen.members}
        isolated = frozenset(name for name in members if members[name] in _CUT_OFF)
        before, self._isolated = self._isolated, isolated
        self._metrics.isolated.set(len(isolated))
        for name in sorted(isolated - before):
            log.warning("replica isolated", replica=name)
        for name in sorted((before - isolated) & members.keys()):
            log.info("replica connected again", replica=name)

    def _note_configurations(self, seen: Seen) -> None:
        found = configurations(seen.members)
        self._metrics.configurations.set(len(found))
        before, self._digests = self._digests, frozenset(found)
        if self._digests == before:
            return
        if len(found) > 1:
            told = [f"{digest[:_SHOWN]}: {', '.join(names)}" for digest, names in found.items()]
            log.warning("replicas differ in configuration", configurations=told)
        elif len(before) > 1:
            log.info("replicas agree in configuration again")

    def _note_name(self, seen: Seen, *, joining: bool) -> None:
        before, self._taken = self._taken, seen.taken_for > 0
        if before or not self._taken:
            return
        if joining:
            log.info("an earlier process of this name is waited for", lease_ms=seen.taken_for)
        else:
            log.error("another process has the name of this replica", lease_ms=seen.taken_for)


def configurations(members: Iterable[Member]) -> Mapping[str, tuple[str, ...]]:
    """Return the replicas of each configuration, by its digest.

    A replica that does not say which it has, being of an older version, is in none.
    """
    found: dict[str, tuple[str, ...]] = {}
    for member in members:
        if member.config_digest:
            found[member.config_digest] = (*found.get(member.config_digest, ()), member.name)
    return found


def _working(seen: Seen) -> dict[str, Member]:
    """Return who has roles: one that is idle, at its start, is not there yet for the reader."""
    return {member.owner: member for member in seen.members if member.roles}
