"""What a replica does next with its shards: one function that shows all transitions.

    free ──claim──> ours ──release──> free     a healthy move: stopped before it is let go
                     │
                     └──lost──> another's      we were taken for dead: the token has moved
    another's, gone ──claim──> ours

Whose a shard is stands in the database; who should have it follows from who is
alive. What is held here is only what this process believes, and so acts upon.

A prober whose own network is down is alive, and of no use: who is isolated has
no shards of that role while another one is not. Where all are, nothing moves.
Who recovers keeps what it has, and gets nothing else before its network stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from controlplane.cluster.rendezvous import wanted
from controlplane.model.member import Member, Network, Ownership
from controlplane.model.share import SHARED_ROLES, Role

# One shard of one role.
Place = tuple[Role, int]

_CUT_OFF: Final = (Network.ISOLATED, Network.RECOVERING)


@dataclass(frozen=True, slots=True)
class View:
    """All that is known when it is decided.

    `members` is None while Redis does not answer. `settled` tells that who is
    alive has had time to say so. `held` are the tokens of what we believe ours.
    """

    me: Member
    members: Sequence[Member] | None
    settled: bool
    rows: Sequence[Ownership]
    held: Mapping[Place, int]


@dataclass(frozen=True, slots=True)
class Moves:
    """What is to be done, in this order.

    `lost` is stopped at once. `found` is ours already, with its tokens, and is
    taken up. `release` is stopped, then let go. `claim` may be reached for.
    """

    lost: frozenset[Place] = frozenset()
    found: Mapping[Place, int] = field(default_factory=dict)
    release: frozenset[Place] = frozenset()
    claim: Mapping[Role, frozenset[int]] = field(default_factory=dict)


def decide(view: View) -> Moves:
    """Return what follows from a view."""
    ours = {(row.role, row.shard): row.token for row in view.rows if row.owner == view.me.owner}
    lost = frozenset(place for place, token in view.held.items() if ours.get(place) != token)
    if view.members is None:  # as before: nobody can tell who should have what
        return Moves(lost, _missing(ours, view.held, lost))
    wants = _wants(view.me, view.members)
    stays = wants | (_of_prober(ours) if _keeps_probes(view.me, view.members) else frozenset())
    kept = {place: token for place, token in ours.items() if place in stays}
    claim = {
        role: frozenset(
            row.shard
            for row in view.rows
            if row.role is role and (role, row.shard) in wants and _may_be_free(row, view)
        )
        for role in SHARED_ROLES
    }
    return Moves(
        lost,
        _missing(kept, view.held, lost),
        frozenset(place for place in ours if place not in stays),
        {role: shards for role, shards in claim.items() if shards},
    )


def _wants(me: Member, members: Sequence[Member]) -> frozenset[Place]:
    places: set[Place] = set()
    for role in SHARED_ROLES:
        names = [member.name for member in _fit(role, members)]
        places.update((role, shard) for shard in wanted(role, me.name, names))
    return frozenset(places)


def _fit(role: Role, members: Sequence[Member]) -> Sequence[Member]:
    """Return who may have shards of a role: of probers those that can reach something, if any."""
    having = [member for member in members if role in member.roles]
    if role is not Role.PROBER:
        return having
    return [each for each in having if each.network not in _CUT_OFF] or having


def _keeps_probes(me: Member, members: Sequence[Member]) -> bool:
    """Tell whether we are cut off, or were a moment ago, and probe on for the time being.

    When the network of all breaks they find out one after the other, and it
    comes back to them so: what the first one let go, or took, would change
    hands again a moment later. So an isolated one waits until somebody is
    certain of itself, and one that recovers reaches its targets.
    """
    probers = {each.name: each.network for each in members if Role.PROBER in each.roles}
    mine = probers.get(me.name)
    certain = Network.CONNECTED in probers.values()
    return mine is Network.RECOVERING or (mine is Network.ISOLATED and not certain)


def _of_prober(places: Iterable[Place]) -> frozenset[Place]:
    return frozenset(place for place in places if place[0] is Role.PROBER)


def _missing(
    ours: Mapping[Place, int], held: Mapping[Place, int], lost: frozenset[Place]
) -> Mapping[Place, int]:
    """Return what is ours and not held: an answer that never came, or a pause that is over."""
    return {place: token for place, token in ours.items() if place not in held or place in lost}


def _may_be_free(row: Ownership, view: View) -> bool:
    """Tell whether a shard may be reached for; the database has the last word."""
    if row.owner == view.me.owner:
        return False
    if not row.owner or row.owner.rpartition("/")[0] == view.me.name:
        return True
    alive = {member.owner for member in view.members or ()}
    return view.settled and row.owner not in alive
