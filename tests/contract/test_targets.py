"""Targets and the evidence of failures, kept the same on both engines."""

import dataclasses
from typing import Any

import pytest

from controlplane.errors import Conflict
from controlplane.model.dependency import parse_dependencies
from controlplane.model.labels import Labels
from controlplane.model.target import Operator, Provenance, Target, TargetSpec
from controlplane.storage.database import Database
from controlplane.storage.targets import SqlFailures, SqlTargets
from controlplane.targets.ports import Failure
from tests.support import plans


def _target(name: str, *, key: str = "", **spec: Any) -> Target:
    fields = {"url": f"http://{name}.test/", **spec}
    return Target(
        id=key or f"id-{name}",
        spec=TargetSpec(name=name, **fields),
        provenance=Provenance.API,
        created_at=1,
        updated_at=2,
        renewed_at=3,
    )


async def test_a_target_comes_back_whole(database: Database) -> None:
    """Every field survives, whatever JSON and UTF-8 can hold."""
    repository = SqlTargets(database)
    full = dataclasses.replace(
        _target(
            "checkout",
            url=None,
            address="[::1]:5432",
            module="tcp_connect",
            interval=1_500,
            labels=Labels({"team": 'ü"\\\n\x00', "instance": "x"}),
            metrics_url="https://checkout.test/metrics",
            lease=90_000,
            depends_on=parse_dependencies(["db", '{job="a\\"b",zone=~"x|y"}']),
            dashboard="red",
        ),
        provenance=Provenance.FILE,
        operator=Operator(paused=True, labels={"team": ""}, actor="ann", changed_at=9),
    )
    bare = _target("bare")
    await repository.save([full, bare])
    assert await repository.load() == [bare, full]


async def test_saving_again_replaces(database: Database) -> None:
    """A second save of an id changes its row and adds none."""
    repository = SqlTargets(database)
    before, after = _target("a"), _target("a", url="http://other.test/", lease=5_000)
    await repository.save([before])
    await repository.save([after, _target("b")])
    assert await repository.load() == [after, _target("b")]


async def test_a_name_has_one_owner(database: Database) -> None:
    """A second id with the same name is refused, and nothing of that save is kept."""
    repository = SqlTargets(database)
    await repository.save([_target("a")])
    with pytest.raises(Conflict):
        await repository.save([_target("b"), _target("a", key="other")])
    assert await repository.load() == [_target("a")]


async def test_the_schema_refuses_two_endpoints(database: Database) -> None:
    """Constraints stand in the schema, not only in the program."""
    with pytest.raises(Conflict):
        await SqlTargets(database).save([_target("a", address="a.test:1")])


async def test_renewals_are_written_together(database: Database) -> None:
    """Each named target is renewed, the others are not, and unknown ids are passed over."""
    repository = SqlTargets(database)
    await repository.save([_target("a"), _target("b")])
    gone = await repository.renew({"id-a": 50, "gone": 60})
    # On SQLite nobody else removes any.
    assert set(gone) == (set() if database.is_sqlite else {"gone"})
    await repository.renew({"id-a": 40})
    assert await repository.renewed(["id-a", "gone"]) == {"id-a": 50}
    assert {t.name: t.renewed_at for t in await repository.load()} == {"a": 50, "b": 3}


async def test_deleting_takes_the_evidence_along(database: Database) -> None:
    """A deleted target leaves neither row nor failures."""
    repository, failures = SqlTargets(database), SqlFailures(database)
    await repository.save([_target("a"), _target("b")])
    await failures.add([Failure("id-a", 1, "timeout", {}), Failure("id-b", 1, "dns", {})], 10)
    await repository.delete([_target("a")])
    assert [target.name for target in await repository.load()] == ["b"]
    assert await failures.list("id-a", 10) == []
    assert len(await failures.list("id-b", 10)) == 1


async def test_only_the_newest_failures_stay(database: Database) -> None:
    """Each write keeps the newest few of its targets and touches no other's."""
    failures = SqlFailures(database)
    await failures.add([Failure("b", 0, "dns", {})], 3)
    await failures.add([Failure("a", at, "connect", {"n": at}) for at in range(5)], 3)
    await failures.add([Failure("a", 5, "timeout", {"body": "\x00é"})], 3)
    assert [failure.at for failure in await failures.list("a", 10)] == [5, 4, 3]
    assert (await failures.list("a", 1))[0].evidence == {"body": "\x00é"}
    assert len(await failures.list("b", 10)) == 1


async def test_more_targets_than_a_statement_takes(database: Database) -> None:
    """Thousands of targets are saved, renewed and deleted at once."""
    repository = SqlTargets(database)
    many = [_target(f"t{number}") for number in range(2_500)]
    await repository.save(many)
    await repository.save(many)
    await repository.renew({target.id: 7 for target in many})
    await repository.delete([dataclasses.replace(target, renewed_at=7) for target in many[1:]])
    assert [target.renewed_at for target in await repository.load()] == [7]


async def test_no_statement_reads_a_table_whole(database: Database) -> None:
    """Every lookup, renewal, deletion and trim of failures has its index."""
    repository, failures = SqlTargets(database), SqlFailures(database)
    with plans.recording() as recorded:
        await repository.save([_target("a")])
        await repository.save([_target("a")])
        await repository.renew({"id-a": 2})
        await repository.renewed(["id-a"])
        await repository.find(["id-a"])
        await failures.add([Failure("id-a", 1, "dns", {})], 10)
        await failures.list("id-a", 10)
        await repository.delete([_target("a")])
    assert await plans.full_scans(database, recorded) == []
