"""Policies of the file and of the API side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from controlplane.autoscale.options import MetricOptions, MetricTarget, Policy
from controlplane.autoscale.owned import Sent
from controlplane.autoscale.policies import Policies
from controlplane.errors import (
    Conflict,
    ControlPlaneError,
    InvalidInput,
    NotFound,
    TooLarge,
    Unavailable,
)
from controlplane.model.target import Provenance

_LOAD = (MetricOptions("load", "load", target=MetricTarget(1)),)


def read(document: Mapping[str, Any]) -> Policy:
    """Return the policy of a name and a maximum."""
    if "max" not in document:
        raise InvalidInput("max is missing", pointer="/max")
    return Policy(document["name"], document["max"], _LOAD)


@dataclass
class Rows:
    """A database, and what an autoscaler was told to do."""

    rows: dict[str, Sent] = field(default_factory=dict)
    away: ControlPlaneError | None = None
    applied: list[list[tuple[str, int]]] = field(default_factory=list)

    def policies(self) -> Policies:
        return Policies(self, read, self.apply)

    def apply(self, policies: Any) -> None:
        self.applied.append([(each.name, each.max_replicas) for each in policies])

    def answer(self) -> None:
        if self.away is not None:
            raise self.away

    async def load(self) -> Sequence[Sent]:
        self.answer()
        return list(self.rows.values())

    async def save(self, sent: Sent) -> None:
        self.answer()
        self.rows[sent.name] = sent

    async def delete(self, name: str) -> None:
        self.answer()
        del self.rows[name]


def document(name: str = "shop", most: int = 5) -> dict[str, Any]:
    """Return what is sent."""
    return {"name": name, "max": most}


async def test_a_policy_is_in_force_at_once() -> None:
    """A new one, its replacement, and its end; who sent it and when is known."""
    rows = Rows()
    policies = rows.policies()
    owned, created = await policies.put(document(), actor="mia", now=1)
    assert created
    assert (owned.provenance, owned.actor, owned.created_at) == (Provenance.API, "mia", 1)
    owned, created = await policies.put(document(most=6), actor="ben", now=2)
    assert not created
    assert (owned.created_at, owned.updated_at, owned.actor) == (1, 2, "ben")
    owned = await policies.change(
        "shop", lambda old: {**old, "max": old["max"] + 1}, actor="eve", now=3
    )
    assert (owned.policy.max_replicas, rows.rows["shop"].document["max"]) == (7, 7)
    await policies.delete("shop")
    assert rows.applied == [[("shop", 5)], [("shop", 6)], [("shop", 7)], []]
    with pytest.raises(NotFound):
        policies.get("shop")
    with pytest.raises(NotFound):
        await policies.delete("shop")


async def test_what_a_file_owns_is_the_files() -> None:
    """Its policy stands before the API's of that name, which comes back when it goes."""
    rows = Rows()
    policies = rows.policies()
    await policies.put(document(), actor="mia", now=1)
    policies.configure([read(document(most=9))])
    assert policies.get("shop").provenance is Provenance.FILE
    assert rows.applied[-1] == [("shop", 9)]
    with pytest.raises(Conflict, match="a file owns"):
        await policies.put(document(), actor="mia", now=2)
    with pytest.raises(Conflict):
        await policies.change("shop", dict, actor="mia", now=2)
    with pytest.raises(Conflict):
        await policies.delete("shop")
    policies.configure([])
    assert rows.applied[-1] == [("shop", 5)]


async def test_a_restart_and_other_replicas() -> None:
    """What was sent is taken up; what cannot be read is left where it is."""
    rows = Rows()
    await rows.policies().put(document("b"), actor="", now=1)
    await rows.policies().put(document("a"), actor="", now=1)
    rows.rows["broken"] = Sent("broken", {"name": "broken"}, 1, 1, "")
    policies = rows.policies()
    await policies.load()
    assert [each.policy.name for each in policies] == ["a", "b"]
    assert "broken" in rows.rows
    rows.away = Unavailable("the database is away")
    with pytest.raises(Unavailable):
        await policies.load()
    assert len(list(policies)) == 2
    rows.away = None
    del rows.rows["a"]
    await policies.load()
    assert [each.policy.name for each in policies] == ["b"]


async def test_nothing_changes_when_it_cannot_be() -> None:
    """Neither for a policy that makes no sense, nor for a database that is away."""
    rows = Rows()
    policies = rows.policies()
    with pytest.raises(InvalidInput):
        await policies.put({"name": "shop"}, actor="", now=1)
    await policies.put(document(), actor="", now=1)
    with pytest.raises(InvalidInput, match="keeps its name"):
        await policies.change("shop", lambda _: document("other"), actor="", now=1)
    rows.away = Unavailable("the database is away")
    with pytest.raises(Unavailable):
        await policies.put(document(most=6), actor="", now=1)
    with pytest.raises(Unavailable):
        await policies.delete("shop")
    assert rows.applied == [[("shop", 5)]]


async def test_there_is_a_bound() -> None:
    """A thousand by the API; those that are there can be changed."""
    rows = Rows()
    rows.rows = {f"p{n}": Sent(f"p{n}", document(f"p{n}"), 1, 1, "") for n in range(1000)}
    policies = rows.policies()
    await policies.load()
    with pytest.raises(TooLarge):
        await policies.put(document(), actor="", now=1)
    _, created = await policies.put(document("p1", 9), actor="", now=1)
    assert not created
