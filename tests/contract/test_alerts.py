"""Active alerts in SQL."""

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


async def test_alerts_come_back_as_they_were(database: Database) -> None:
    """Every field survives, odd characters included."""
    repository = SqlAlerts(database)
    await repository.save([alert("a"), alert("b", timeout=True)])
    assert sorted(await repository.load(), key=lambda a: a.labels) == [
        alert("a"),
        alert("b", timeout=True),
    ]


async def test_saving_replaces_by_fingerprint(database: Database) -> None:
    """The same labels are one row."""
    repository = SqlAlerts(database)
    await repository.save([alert("a")])
    await repository.save([alert("a", ends_at=NOW + 99), alert("b")])
    assert sorted(a.ends_at for a in await repository.load()) == [NOW + 5, NOW + 99]
    await repository.save([])


async def test_deleting_takes_any_number(database: Database) -> None:
    """More fingerprints than one statement may hold, known or not, by their index."""
    repository = SqlAlerts(database)
    alerts = [alert(str(number)) for number in range(1_200)]
    await repository.save(alerts)
    with recording() as recorded:
        await repository.delete([a.fingerprint for a in alerts[1:]] + ["0" * 16])
    assert [a.labels for a in await repository.load()] == [alerts[0].labels]
    assert await full_scans(database, recorded) == []
