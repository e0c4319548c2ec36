"""Decisions of autoscaling policies in SQL."""

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from controlplane.autoscale.autoscaler import key_of
from controlplane.autoscale.decision import Decision, Outcome, Verdict
from controlplane.autoscale.options import Mode
from controlplane.autoscale.owned import Sent
from controlplane.autoscale.sentence import Sentence
from controlplane.errors import Fenced
from controlplane.model.fence import OPEN, Fence
from controlplane.storage.autoscaling import SqlDecisions, SqlPolicies
from controlplane.storage.database import Database
from controlplane.storage.options import RetentionOptions
from controlplane.storage.retention import trim
from controlplane.storage.tables.autoscaling import scaling_decisions
from tests.support.plans import full_scans, recording
from tests.support.share import moved

NOW = 1_700_000_000_000


_LIMITED = Sentence(
    "%(limit)s: %(allowed)s instead of %(asked)s",
    {
        "limit": Sentence("the policies of %(rules)s", {"rules": "scaleUp"}),
        "allowed": 6,
        "asked": 9,
    },
)


def decision(policy: str = "shop", at: int = NOW, desired: int | None = 6) -> Decision:
    """Return a decision in which every field holds something."""
    return Decision(
        policy,
        at,
        Mode.ACT,
        Outcome.SCALED,
        4,
        desired,
        (
            Verdict("cpu", 0.9, 6, "up", Sentence("%(value)s is über 0.7", {"value": "0.9"})),
            Verdict("queue", None, None, "missing", "it does not answer"),
        ),
        (Sentence("cpu asks for it"), _LIMITED),
        limited_by_max=True,
        correlation_id="c-1",
    )


async def test_a_decision_comes_back_whole(database: Database) -> None:
    """With its trace, of one policy only, the newest first, page by page, by an index."""
    store = SqlDecisions(database)
    made = [decision(at=NOW + number) for number in range(3)]
    for each in [*made, decision("other")]:
        await store.add(each, OPEN)
    with recording() as recorded:
        page = await store.list("shop", before=None, limit=2)
    assert await full_scans(database, recorded) == []
    assert [each for _, each in page] == [made[2], made[1]]
    rest = await store.list("shop", before=page[-1][0], limit=2)
    assert [each for _, each in rest] == [made[0]]
    assert await store.list("nobody", before=None, limit=2) == []


async def test_decisions_of_before_are_read_as_they_are(database: Database) -> None:
    """A trace has its texts in English, and that is all that older rows have."""
    store = SqlDecisions(database)
    await store.add(decision(), OPEN)
    async with database.begin() as connection:
        trace = (await connection.execute(select(scaling_decisions.c.trace))).scalar_one()
        assert trace["steps"] == ["cpu asks for it", "the policies of scaleUp: 6 instead of 9"]
        old = {name: trace[name] for name in ("verdicts", "steps")}
        await connection.execute(update(scaling_decisions).values(trace=old))
    (read,) = await store.latest()
    assert [each.because for each in read.verdicts] == ["0.9 is über 0.7", "it does not answer"]
    assert list(read.steps) == trace["steps"]


async def test_the_latest_of_each_policy(database: Database) -> None:
    """One each, whatever else was decided; numbers that are not known stay unknown."""
    store = SqlDecisions(database)
    unknown = replace(decision("other", desired=None), current=None, outcome=Outcome.HELD)
    for each in (decision(), decision(at=NOW + 1), unknown):
        await store.add(each, OPEN)
    assert await store.latest() == [unknown, decision(at=NOW + 1)]


async def test_old_decisions_go(database: Database) -> None:
    """By `storage.retention.ledger`, as those on alerts."""
    store = SqlDecisions(database)
    await store.add(decision(at=NOW - 11), OPEN)
    await store.add(decision(at=NOW - 9), OPEN)
    deleted = await trim(database, RetentionOptions(ledger=10), NOW)
    assert deleted["scaling_decisions.ledger"] == 1
    assert await store.latest() == [decision(at=NOW - 9)]


async def test_what_was_decided_under_an_old_token_is_refused(database: Database) -> None:
    """Who lost the policy meanwhile keeps nothing, and learns of it before the deed."""
    store, key = SqlDecisions(database), key_of("shop")
    held = Fence(frozenset({await moved(database, key)}))
    await store.confirm(held)
    await store.add(decision(), held)
    await moved(database, key)
    for refused in (store.confirm(held), store.add(decision(at=NOW + 1), held)):
        with pytest.raises(Fenced):
            await refused
    assert await store.latest() == [decision()]


async def test_policies_of_the_api_come_back(database: Database) -> None:
    """Each as it was sent, by name; one sent anew takes the place of the old one."""
    store = SqlPolicies(database)
    shop = Sent("shop", {"name": "shop", "metrics": [{"query": "ü"}]}, NOW, NOW, "mia")
    for each in (shop, replace(shop, name="aaa"), replace(shop, updated_at=NOW + 1, actor="ben")):
        await store.save(each)
    assert await store.load() == [
        replace(shop, name="aaa"),
        replace(shop, updated_at=NOW + 1, actor="ben"),
    ]
    await store.delete("aaa")
    assert [each.name for each in await store.load()] == ["shop"]
