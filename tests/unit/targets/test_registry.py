"""The registry's decisions: who owns a name, what survives, who is told, what is durable."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from controlplane.errors import Conflict, InvalidInput, NotFound, TooLarge, Unavailable
from controlplane.model.dependency import parse_dependencies
from controlplane.model.labels import Labels
from controlplane.model.target import Provenance, TargetSpec
from controlplane.targets.index import Query, State
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.options import TargetOptions
from controlplane.targets.ports import Change, TargetChange
from controlplane.targets.registry import Edit, TargetRegistry
from tests.support.targets import MemoryTargets, build_registry

SPEC = TargetSpec("checkout", url="http://checkout.test/", labels=Labels({"team": "shop"}))


@pytest.fixture
def repository() -> MemoryTargets:
    """Give an empty repository."""
    return MemoryTargets()


@pytest.fixture
def registry(repository: MemoryTargets) -> TargetRegistry:
    """Give an empty registry over it."""
    return build_registry(repository)


def _listen(registry: TargetRegistry) -> list[tuple[Change, str]]:
    heard: list[tuple[Change, str]] = []
    registry.subscribe(lambda change: heard.append((change.kind, change.target.name)))
    return heard


async def test_a_registration_replaces_all_but_the_operators_part(
    registry: TargetRegistry, repository: MemoryTargets
) -> None:
    """POST again: same id, everything else as it says now, pause and overrides as they were."""
    target, new = await registry.register(replace(SPEC, lease=60_000), 100)
    assert new
    operated = await registry.update(
        target.id,
        lambda edit: replace(edit, paused=True, labels={"team": "", "tier": "1"}),
        actor="ann",
        now=150,
    )
    again, new = await registry.register(replace(SPEC, labels=Labels({"team": "pay"})), 200)
    assert not new
    assert again.id == target.id
    assert again.spec.lease is None
    assert again.operator == operated.operator
    assert (again.operator.actor, again.operator.changed_at) == ("ann", 150)
    assert (again.created_at, again.updated_at, again.renewed_at) == (100, 200, 200)
    assert again.labels() == Labels(
        {"job": "checkout", "instance": "http://checkout.test/", "tier": "1"}
    )
    assert repository.rows == {target.id: again}


async def test_the_same_registration_only_renews(registry: TargetRegistry) -> None:
    """A service that says nothing new changes nothing but its lease, and tells nobody."""
    target, _ = await registry.register(SPEC, 100)
    heard = _listen(registry)
    again, new = await registry.register(SPEC, 200)
    assert not new
    assert again == replace(target, renewed_at=200)
    assert heard == [(Change.ADDED, "checkout")]


async def test_an_unusable_registration_changes_nothing(
    registry: TargetRegistry, repository: MemoryTargets
) -> None:
    """A refusal comes before anything is written."""
    with pytest.raises(InvalidInput):
        await registry.register(replace(SPEC, module="nope"), 1)
    assert repository.transactions == 0


async def test_what_a_file_owns_is_read_only_but_for_operators(registry: TargetRegistry) -> None:
    """POST, DELETE and PATCH of the registration conflict; pausing works."""
    await registry.apply_file([SPEC], 1)
    target = registry.named("checkout")
    assert target is not None
    with pytest.raises(Conflict):
        await registry.register(SPEC, 2)
    with pytest.raises(Conflict):
        await registry.delete(target.id)
    spec = replace(SPEC, interval=5000)
    with pytest.raises(Conflict):
        await registry.update(target.id, lambda edit: replace(edit, spec=spec), actor="", now=2)
    paused = await registry.update(
        target.id, lambda edit: replace(edit, paused=True), actor="ann", now=2
    )
    assert registry.state(paused) is State.PAUSED


async def test_a_file_takes_over_and_lets_go(registry: TargetRegistry) -> None:
    """A file takes a registered name with its id; what left the file is removed; the rest stays."""
    await registry.register(SPEC, 1)
    await registry.register(TargetSpec("other", url="http://other.test/"), 1)
    before = registry.named("checkout")
    assert before is not None
    heard = _listen(registry)
    heard.clear()
    await registry.apply_file([SPEC, TargetSpec("third", url="http://third.test/")], 2)
    taken = registry.named("checkout")
    assert taken is not None
    assert (taken.id, taken.provenance) == (before.id, Provenance.FILE)
    await registry.apply_file([SPEC, TargetSpec("third", url="http://third.test/")], 3)
    assert heard == [(Change.CHANGED, "checkout"), (Change.ADDED, "third")]
    await registry.apply_file([], 4)
    assert heard[2:] == [(Change.REMOVED, "checkout"), (Change.REMOVED, "third")]
    assert [target.name for target in registry] == ["other"]


async def test_a_bad_file_changes_nothing(registry: TargetRegistry) -> None:
    """One unusable or repeated target refuses the whole file."""
    await registry.apply_file([SPEC], 1)
    for bad in ([SPEC, SPEC], [TargetSpec("UPPER", url="http://a.test/")]):
        with pytest.raises(InvalidInput):
            await registry.apply_file(bad, 2)
    assert [target.spec for target in registry] == [SPEC]


async def test_a_target_keeps_its_name(registry: TargetRegistry) -> None:
    """PATCH cannot rename, and an unusable edit leaves the target as it was."""
    target, _ = await registry.register(SPEC, 1)

    def rename(edit: Edit) -> Edit:
        return replace(edit, spec=replace(edit.spec, name="else"))

    def reserve(edit: Edit) -> Edit:
        return replace(edit, labels={"__name__": "x"})

    for edit, pointer in ((rename, "/name"), (reserve, "/label_overrides/__name__")):
        with pytest.raises(InvalidInput) as raised:
            await registry.update(target.id, edit, actor="ann", now=2)
        assert raised.value.pointer == pointer
    assert registry.get(target.id) == target


async def test_a_patch_that_changes_nothing_writes_nothing(
    registry: TargetRegistry, repository: MemoryTargets
) -> None:
    """An edit to the same values leaves actor, times and database alone."""
    target, _ = await registry.register(SPEC, 1)
    before = repository.transactions
    assert await registry.update(target.id, lambda edit: edit, actor="ann", now=2) == target
    assert repository.transactions == before


async def test_what_is_not_there_is_not_found(registry: TargetRegistry) -> None:
    """Every way to name a target by id says so when it is unknown."""
    with pytest.raises(NotFound):
        registry.get("x")
    with pytest.raises(NotFound):
        await registry.renew("x", 1)
    with pytest.raises(NotFound):
        await registry.delete("x")
    with pytest.raises(NotFound):
        await registry.update("x", lambda edit: edit, actor="", now=1)


async def test_ids_never_come_back(registry: TargetRegistry) -> None:
    """A name that is registered anew is another target."""
    first, _ = await registry.register(SPEC, 1)
    await registry.delete(first.id)
    second, new = await registry.register(SPEC, 2)
    assert new
    assert first.id != second.id


async def test_two_registrations_of_one_name_make_one_target(registry: TargetRegistry) -> None:
    """Of many at once, one is new, and the last one's word stands."""
    specs = [replace(SPEC, lease=1000 + number) for number in range(20)]
    results = await asyncio.gather(*(registry.register(spec, 1) for spec in specs))
    assert [new for _, new in results].count(True) == 1
    assert len({target.id for target, _ in results}) == 1
    assert len(registry) == 1


async def test_renewals_at_once_share_a_transaction(
    registry: TargetRegistry, repository: MemoryTargets
) -> None:
    """A thousand renewals cost a handful of transactions, and each is in force."""
    specs = [TargetSpec(f"t{n}", url="http://t.test/", lease=5000) for n in range(1000)]
    targets = [(await registry.register(spec, 1))[0] for spec in specs]
    before = repository.transactions
    await asyncio.gather(*(registry.renew(target.id, 77) for target in targets))
    assert repository.transactions - before <= 2
    assert {target.expires_at for target in registry} == {5077}


async def test_a_clock_that_jumps_back_shortens_no_lease(registry: TargetRegistry) -> None:
    """A renewal in the past leaves the later one in force."""
    target, _ = await registry.register(replace(SPEC, lease=5000), 1000)
    assert (await registry.renew(target.id, 500)).renewed_at == 1000
    assert (await registry.register(replace(SPEC, lease=6000), 400))[0].renewed_at == 1000


async def test_a_write_that_failed_is_not_there(
    registry: TargetRegistry, repository: MemoryTargets
) -> None:
    """Without the database nothing changes, nobody is told, and later all works again."""
    heard = _listen(registry)
    repository.failure = Unavailable("away")
    with pytest.raises(Unavailable):
        await registry.register(SPEC, 1)
    assert (len(registry), heard) == (0, [])
    repository.failure = None
    assert (await registry.register(SPEC, 2))[1]


async def test_a_write_of_unknown_outcome_is_found_out(
    registry: TargetRegistry, repository: MemoryTargets
) -> None:
    """A commit whose answer was lost is read back before the next change, and told."""
    heard = _listen(registry)
    repository.failure, repository.fails_after_writing = Unavailable("cut"), True
    with pytest.raises(Unavailable):
        await registry.register(SPEC, 1)
    assert heard == []
    repository.failure = None
    target, _ = await registry.register(replace(SPEC, lease=5000), 2)
    assert list(repository.rows) == [target.id]
    assert heard == [(Change.ADDED, "checkout"), (Change.CHANGED, "checkout")]


async def test_a_caller_that_goes_away_leaves_no_half_change(
    registry: TargetRegistry, repository: MemoryTargets
) -> None:
    """A cancelled request is finished: memory and database agree afterwards."""
    task = asyncio.create_task(registry.register(SPEC, 1))
    await asyncio.sleep(0)  # noqa: TID251 - lets the registration begin
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await registry.register(TargetSpec("other", url="http://o.test/"), 2)
    assert {target.name for target in registry} == {"checkout", "other"}
    assert {target.name for target in repository.rows.values()} == {"checkout", "other"}


async def test_a_listener_that_fails_hinders_no_other(repository: MemoryTargets) -> None:
    """Its fault is counted; the next one hears of the change, and the change stands."""
    registry_of_metrics = CollectorRegistry()
    registry = build_registry(repository, metrics=TargetMetrics(registry_of_metrics))

    def broken(_change: TargetChange) -> None:
        raise ZeroDivisionError

    registry.subscribe(broken)
    heard = _listen(registry)
    await registry.register(SPEC, 1)
    assert heard == [(Change.ADDED, "checkout")]
    counted = registry_of_metrics.get_sample_value("controlplane_target_listener_errors_total")
    assert counted == 1
    labels = {"provenance": "api"}
    assert registry_of_metrics.get_sample_value("controlplane_targets", labels) == 1


async def test_who_unsubscribed_hears_nothing_more(registry: TargetRegistry) -> None:
    """The subscription ends at once."""
    heard: list[TargetChange] = []
    unsubscribe = registry.subscribe(heard.append)
    unsubscribe()
    await registry.register(SPEC, 1)
    assert heard == []


async def test_a_full_registry_refuses_new_names_only(repository: MemoryTargets) -> None:
    """At its limit the registry still serves those whom it knows."""
    registry = build_registry(repository, options=TargetOptions(max_targets=1))
    await registry.register(SPEC, 1)
    with pytest.raises(TooLarge):
        await registry.register(TargetSpec("b", url="http://b.test/"), 1)
    await registry.register(replace(SPEC, lease=5000), 2)
    registry.configure(TargetOptions(max_targets=2))
    await registry.register(TargetSpec("b", url="http://b.test/"), 3)


async def test_everything_is_there_after_a_restart(
    registry: TargetRegistry, repository: MemoryTargets
) -> None:
    """A new process loads what the old one had, ids included."""
    await registry.register(SPEC, 1)
    await registry.apply_file([TargetSpec("b", url="http://b.test/")], 1)
    other = build_registry(repository)
    await other.load()
    assert set(other) == set(registry)
    await other.apply_file([TargetSpec("b", url="http://b.test/")], 9)
    assert set(other) == set(registry)
    assert [target.name for target, _ in other.find(Query()).items] == ["b", "checkout"]


async def test_nothing_may_come_to_depend_on_itself(registry: TargetRegistry) -> None:
    """Neither by a name nor by matchers, nor over others; what only leads there is taken."""
    gateway = TargetSpec("gateway", address="gw.test:443", module="tcp_connect")
    await registry.register(replace(gateway, depends_on=parse_dependencies(["checkout"])), 1)
    for text in ("gateway", '{job="gateway"}', "checkout"):
        with pytest.raises(InvalidInput) as caught:
            await registry.register(replace(SPEC, depends_on=parse_dependencies([text])), 2)
        assert caught.value.pointer == "/depends_on"
        assert caught.value.reason.endswith("checkout")
    by_own = replace(SPEC, depends_on=parse_dependencies(['{team="shop"}']))
    target, _ = await registry.register(by_own, 3)
    worse = replace(by_own, depends_on=parse_dependencies(["gateway"]))
    with pytest.raises(InvalidInput, match="checkout -> gateway -> checkout"):
        await registry.update(target.id, lambda edit: replace(edit, spec=worse), actor="", now=4)
    many = replace(SPEC, depends_on=parse_dependencies([f"t{n}" for n in range(65)]))
    with pytest.raises(InvalidInput, match="at most 64"):
        await registry.register(many, 5)
