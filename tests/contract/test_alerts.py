"""Active alerts in SQL."""

from collections.abc import Sequence

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.storage.alerts import SqlAlerts
from controlplane.storage.database import Database
from tests.support.plans import full_scans, recording

NOW = 1_700_000_000_000


def alert(name: str, *, ends_at: int = NOW + 5, timeout: bool = False) -> Alert:
    return Alert(
        Labels({"alertname": name, "é\n": '"\\'}),
        NOW,
        ends_at,
        NOW + 1,
        annotations=Labels({"summary": "☃"}),
        generator_url="http://x/?a=b",
        correlation_id="c",
        timeout=timeout,
    )


async def save(repository: SqlAlerts, alerts: Sequence[Alert]) -> None:
    await repository.change([alert.fingerprint for alert in alerts], lambda _: alerts)


async def test_alerts_come_back_as_they_were(database: Database) -> None:
    """Every field survives, odd characters included."""
    repository = SqlAlerts(database)
    await save(repository, [alert("a"), alert("b", timeout=True)])
    assert sorted(await repository.load(), key=lambda a: a.labels) == [
        alert("a"),
        alert("b", timeout=True),
    ]


async def test_saving_replaces_by_fingerprint(database: Database) -> None:
    """The same labels are one row."""
    repository = SqlAlerts(database)
    await save(repository, [alert("a")])
    await save(repository, [alert("a", ends_at=NOW + 99), alert("b")])
    assert sorted(a.ends_at for a in await repository.load()) == [NOW + 5, NOW + 99]
    await save(repository, [])


async def test_deleting_takes_any_number(database: Database) -> None:
    """More fingerprints than one statement may hold, known or not, by their index."""
    repository = SqlAlerts(database)
    alerts = [alert(str(number)) for number in range(1_200)]
    await save(repository, alerts)
    with recording() as recorded:
        await repository.delete([a.fingerprint for a in alerts[1:]] + ["0" * 16], ended_by=NOW + 5)
    assert [a.labels for a in await repository.load()] == [alerts[0].labels]
    assert await full_scans(database, recorded) == []


async def test_some_are_found_by_their_names(database: Database) -> None:
    """More than one statement may ask for, by their index; unknown ones are passed over."""
    repository = SqlAlerts(database)
    alerts = [alert(str(number)) for number in range(700)]
    await save(repository, alerts)
    with recording() as recorded:
        found = await repository.find([a.fingerprint for a in alerts[:600]] + ["0" * 16])
    assert sorted(a.labels for a in found) == sorted(a.labels for a in alerts[:600])
    assert await full_scans(database, recorded) == []


async def test_what_was_spoken_of_again_is_not_deleted(database: Database) -> None:
    """Deleting names an instant: an alert that ends after it stays."""
    repository = SqlAlerts(database)
    await save(repository, [alert("old"), alert("new", ends_at=NOW + 9)])
    names = [alert("old").fingerprint, alert("new").fingerprint]
    await repository.delete(names, ended_by=NOW + 5)
    assert [a.labels.value("alertname") for a in await repository.load()] == ["new"]
