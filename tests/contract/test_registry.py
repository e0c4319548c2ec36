"""The registry over the real database: restarts, two at once, and kill -9."""

import asyncio
from dataclasses import replace
from multiprocessing.connection import Connection

import pytest

from controlplane.errors import NotFound
from controlplane.model.labels import Labels
from controlplane.model.origin import Origin
from controlplane.model.target import TargetSpec
from controlplane.storage.database import Database
from controlplane.storage.targets import SqlTargets
from controlplane.targets.ports import Change
from tests.support.killed import killed_after
from tests.support.targets import build_registry

SPEC = TargetSpec("checkout", url="http://checkout.test/", labels=Labels({"team": "shop"}))


async def test_everything_survives_a_restart(database: Database) -> None:
    """What one process registered, paused, renewed and deleted, the next one finds."""
    registry = build_registry(SqlTargets(database))
    await registry.load()
    target, _ = await registry.register(replace(SPEC, lease=5_000), 1)
    await registry.update(
        target.id, lambda edit: replace(edit, paused=True, labels={"x": "y"}), actor="ann", now=2
    )
    await registry.renew(target.id, 3)
    gone, _ = await registry.register(TargetSpec("gone", url="http://gone.test/"), 4)
    await registry.delete(gone.id)
    await registry.apply_file([TargetSpec("f", address="f.test:1", module="tcp_connect")], 5)
    restarted = build_registry(SqlTargets(database))
    await restarted.load()
    assert sorted(restarted, key=lambda t: t.id) == sorted(registry, key=lambda t: t.id)
    assert restarted.get(target.id).operator.actor == "ann"


async def test_two_registers_of_one_name_at_once(database: Database) -> None:
    """Within a process one is new and the other an update of it."""
    registry = build_registry(SqlTargets(database))
    specs = [replace(SPEC, lease=1_000 + number) for number in range(10)]
    results = await asyncio.gather(*(registry.register(spec, 1) for spec in specs))
    assert [new for _, new in results].count(True) == 1
    assert [target.id for target in await SqlTargets(database).load()] == [results[0][0].id]


async def test_two_processes_register_one_name(database: Database) -> None:
    """One of them is first; the other, which did not know of it, updates its target."""
    first = build_registry(SqlTargets(database))
    second = build_registry(SqlTargets(database))
    target, _ = await first.register(SPEC, 1)
    again, new = await second.register(replace(SPEC, lease=5_000), 2)
    assert (again.id, new) == (target.id, False)
    assert await SqlTargets(database).load() == [again]


async def test_two_processes_apply_one_file(database: Database) -> None:
    """They start together with the same file: each target is there once, and neither fails."""
    registries = [build_registry(SqlTargets(database)) for _ in range(2)]
    specs = [replace(SPEC, name=f"t{number}") for number in range(300)]
    await asyncio.gather(
        registries[0].apply_file(specs, 1), registries[1].apply_file(specs[::-1], 2)
    )
    assert sorted(registries[0], key=lambda t: t.name) == await SqlTargets(database).load()
    assert {t.id for t in registries[0]} == {t.id for t in registries[1]}


async def test_a_change_is_made_to_what_is_kept(database: Database) -> None:
    """What another process changed a moment ago is neither undone nor overlooked."""
    first = build_registry(SqlTargets(database))
    second = build_registry(SqlTargets(database))
    target, _ = await first.register(SPEC, 1)
    await second.load()
    await second.update(target.id, lambda edit: replace(edit, paused=True), actor="ann", now=2)
    await second.renew(target.id, 9)
    again, _ = await first.register(replace(SPEC, lease=5_000), 3)
    assert (again.operator.paused, again.spec.lease) == (True, 5_000)
    await second.refresh([target.id])
    assert (second.get(target.id).renewed_at, list(second)) == (
        9,
        await SqlTargets(database).load(),
    )


async def test_what_another_process_removed_is_gone(database: Database) -> None:
    """A target that was deleted elsewhere is registered anew, and found by nobody else."""
    first = build_registry(SqlTargets(database))
    second = build_registry(SqlTargets(database))
    target, _ = await first.register(SPEC, 1)
    await second.load()
    await second.delete(target.id)
    with pytest.raises(NotFound):
        await first.update(target.id, lambda edit: replace(edit, paused=True), actor="", now=2)
    again, new = await first.register(SPEC, 3)
    assert (new, again.id == target.id) == (True, False)
    await second.refresh([again.id])
    await second.delete(again.id)
    if not database.is_sqlite:  # where nobody else can
        registered, new = await first.register(SPEC, 4)
        assert (new, registered.id != again.id) == (True, True)


async def test_only_differences_are_told(database: Database) -> None:
    """Listeners hear what another process changed, once; what was renewed is no change."""
    first = build_registry(SqlTargets(database))
    second = build_registry(SqlTargets(database))
    heard: list[tuple[Change, str]] = []
    second.subscribe(
        lambda change: heard.append((change.kind, change.target.name)), origin=Origin.ELSEWHERE
    )
    target, _ = await first.register(SPEC, 1)
    for _ in range(2):
        await second.refresh([target.id])
    await first.renew(target.id, 5)
    await second.refresh([target.id])
    await first.renew(target.id, 6)
    await second.refresh_renewals([target.id])
    assert second.get(target.id).renewed_at == 6
    await second.register(replace(SPEC, lease=9_000), 7)
    await first.delete(target.id)
    await second.refresh([target.id])
    assert heard == [(Change.ADDED, "checkout"), (Change.REMOVED, "checkout")]


async def _register_many(url: str, acknowledged: Connection) -> None:
    registry = build_registry(SqlTargets(Database(url)))
    for number in range(1_000_000):
        await registry.register(TargetSpec(f"t{number}", url="http://t.test/"), 1)
        acknowledged.send(number)


def _until_killed(url: str, acknowledged: Connection) -> None:
    asyncio.run(_register_many(url, acknowledged))


async def test_what_was_answered_survives_kill_9(database_url: str) -> None:
    """Every registration that was answered is there after SIGKILL."""
    newest = killed_after(30, _until_killed, database_url)
    database = Database(database_url)
    found = {target.name for target in await SqlTargets(database).load()}
    await database.close()
    assert found >= {f"t{number}" for number in range(newest + 1)}
