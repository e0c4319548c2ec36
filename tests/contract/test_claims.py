"""What several replicas ask of the outbox: whose a lease is, what is free, what others wrote."""

from typing import Any

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.notify.incident import Incident
from controlplane.notify.message import MessageState
from controlplane.storage.alerts import alert_row
from controlplane.storage.database import Database
from controlplane.storage.notifications import SqlNotifications
from controlplane.storage.tables.alerts import alerts as table
from controlplane.storage.writing import put
from tests.contract.test_notifications import (
    CHANNEL,
    FIRING,
    NOW,
    add,
    claimable,
    incident,
    message,
)
from tests.support.plans import full_scans, recording


def _numbered(place: int) -> Incident:
    """Return one of many incidents at the same integration."""
    labels = Labels({"job": str(place)})
    return incident(f"i{place}", group_key=f"{{}}:{place}", group_labels=labels)


async def test_leases_of_earlier_runs_are_freed_and_nobody_elses(database: Database) -> None:
    """A replica that starts anew has another run in its name; others keep what they send."""
    store = SqlNotifications(database)
    for place, owner in enumerate(("web_1/a", "web_1", "web-1/a", "web_10/a")):
        name = f"i{place}"
        life: dict[str, Any] = {"state": MessageState.SENDING, "owner": owner}
        await add(store, message(name, lease_until=NOW + 9, **life), of=_numbered(place))
    assert await store.release("web_1/b") == 2
    async with store.begin() as tx:
        freed = await claimable(tx, CHANNEL, NOW, 9)
    assert [m.owner for m in freed] == ["web_1/a", "web_1"]


async def test_alerts_that_nobody_has_ended(database: Database) -> None:
    """An end counts as soon as it is written, whatever the clock says; silence is no end."""
    alerts = {
        name: Alert(Labels({"alertname": name}), NOW - 9, ends_at, updated_at)
        for name, ends_at, updated_at in (
            ("fires", NOW + 9, NOW),
            ("fell silent", NOW - 1, NOW - 5),
            ("ended", NOW, NOW),
            ("ended by a clock that is ahead", NOW + 50, NOW + 50),
        )
    }
    async with database.begin() as connection:
        await put(connection, table, [alert_row(alert) for alert in alerts.values()])
    store = SqlNotifications(database)
    names = {alert.fingerprint for alert in alerts.values()}
    with recording() as recorded:
        async with store.begin() as tx:
            found = await tx.unended(names | {"0" * 16})
            assert await tx.unended(()) == frozenset()
    assert found == {alerts["fires"].fingerprint, alerts["fell silent"].fingerprint}
    assert await full_scans(database, recorded) == []


async def test_two_workers_claim_at_once(database: Database) -> None:
    """Neither waits for the other, and neither gets what the other has taken."""
    if database.is_sqlite:
        return  # one writer at a time
    store = SqlNotifications(database)
    for place in range(4):
        await add(store, message(f"i{place}"), of=_numbered(place))
    async with store.begin() as one, store.begin() as other:
        first = await claimable(one, CHANNEL, NOW, 2)
        second = await claimable(other, CHANNEL, NOW, 4)
        assert [m.incident_id for m in first] == ["i0", "i1"]
        assert [m.incident_id for m in second] == ["i2", "i3"]


async def test_a_message_comes_with_its_incident(database: Database) -> None:
    """What its integration needs to know of it is read in the same statement."""
    store = SqlNotifications(database)
    full = incident(delivered=FIRING, delivered_at=NOW, external={"ts": "1"}, exposed=True)
    (stored,) = await add(store, message(), of=full)
    async with store.begin() as tx:
        assert await tx.claimable(CHANNEL, NOW, 9) == [(stored, full)]
