"""How targets stand, in SQL."""

from dataclasses import replace

from controlplane.model.target import Provenance, Target, TargetSpec
from controlplane.storage.database import Database
from controlplane.storage.outcomes import SqlOutcomes
from controlplane.storage.targets import SqlTargets
from controlplane.targets.ports import TargetOutcome
from tests.support.plans import full_scans, recording

NOW = 1_700_000_000_000


def outcome(
    target_id: str, at: int = NOW, *, up: bool = True, replica: str = "one"
) -> TargetOutcome:
    return TargetOutcome(target_id, up, "" if up else "timeout", NOW - 5, at, replica)


async def registered(database: Database, *ids: str) -> SqlTargets:
    targets = SqlTargets(database)
    await targets.save(
        [
            Target(each, TargetSpec(each, url="http://x/"), Provenance.API, NOW, NOW, NOW)
            for each in ids
        ]
    )
    return targets


async def test_outcomes_come_back_as_they_were(database: Database) -> None:
    """All of them, or those that are asked for; no table is read whole for those."""
    await registered(database, *(f"t{n}" for n in range(1_200)))
    outcomes = SqlOutcomes(database)
    told = [outcome(f"t{n}", up=n % 2 == 0) for n in range(1_200)]
    await outcomes.save(told)
    await outcomes.save([])
    assert sorted(await outcomes.load(), key=told.index) == told
    with recording() as recorded:
        found = await outcomes.find([each.target_id for each in told[:700]] + ["none"])
    assert sorted(found, key=told.index) == told[:700]
    assert await full_scans(database, recorded) == []


async def test_the_later_word_counts_in_whichever_order_they_come(database: Database) -> None:
    """An older one, or the same once more, changes nothing."""
    await registered(database, "a")
    outcomes, late = SqlOutcomes(database), outcome("a", NOW + 1, up=False, replica="two")
    await outcomes.save([outcome("a")])
    await outcomes.save([late])
    await outcomes.save([outcome("a")])
    await outcomes.save([replace(late, replica="three")])
    assert await outcomes.load() == [late]


async def test_targets_that_are_gone_are_passed_over(database: Database) -> None:
    """One that was deleted meanwhile refuses none of the others, and takes its own along."""
    targets, outcomes = await registered(database, "a", "b"), SqlOutcomes(database)
    await outcomes.save([outcome("a"), outcome("gone"), outcome("b")])
    assert {each.target_id for each in await outcomes.load()} == {"a", "b"}
    await targets.delete(await targets.find(["a"]))
    await outcomes.save([outcome("a", NOW + 9), outcome("gone")])
    assert [each.target_id for each in await outcomes.load()] == ["b"]
