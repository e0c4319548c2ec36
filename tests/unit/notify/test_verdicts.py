"""Why an integration is told of an alert or is not, as the pipeline says it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from controlplane.demo.standins import WebhookStandIn
from controlplane.errors import Unavailable
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.incident import Incident, Told
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import Receiver
from controlplane.notify.pipeline import Pipeline
from controlplane.notify.ports import GroupFlush
from controlplane.notify.verdicts import QUEUED, UNCHANGED, Verdict, left_out
from controlplane.routing.options import Route
from controlplane.routing.ports import Flush
from tests.support.alerting import QUICK, alerting, firing, resolved

NOW = 1_700_000_000_000
CHANNEL = ("ops", "webhook/0")
HOUR = 3_600_000


def flush(*alerts: Alert, at: int = NOW) -> Flush:
    return Flush("{}:{}", Labels(), "{}", "ops", HOUR, alerts, at)


def incident(told: Told, *, exposed: bool = True) -> Incident:
    known = Incident("i", *CHANNEL, "{}:{}", Labels(), "{}:{}", NOW - 60_000, exposed=exposed)
    return replace(known, delivered=told, delivered_at=NOW - 60_000)


def reasons(
    alert: Alert, known: Incident | None, told: Sequence[str] = ()
) -> list[dict[str, object]]:
    found = left_out(CHANNEL, flush(alert), known, (alert,), told)
    return [dict(verdict.detail) for verdict in found]


def test_what_is_known_is_repeated_later() -> None:
    """The verdict says when: `repeat_interval` after it was told."""
    alert = firing(NOW - 1_000)
    known = incident(Told(frozenset({alert.fingerprint})))
    detail = {"reason": "told already", "repeat_at": NOW - 60_000 + HOUR}
    assert reasons(alert, known) == [detail]


def test_what_is_in_the_message_is_not_left_out() -> None:
    """Nor is an end that was told before."""
    alert = firing(NOW - HOUR)
    assert reasons(alert, None, [alert.fingerprint]) == []
    ended = resolved(alert, NOW - 1)
    assert reasons(ended, incident(Told(resolved=frozenset({alert.fingerprint})))) == []


def test_what_ended_before_anybody_heard_of_it() -> None:
    """Without an incident, not in the one that is open, or never attempted."""
    ended = resolved(firing(NOW - HOUR), NOW - 1)
    wanted = [{"reason": "ended before it was told"}]
    assert reasons(ended, None) == wanted
    assert reasons(ended, incident(Told(frozenset({"f" * 16})))) == wanted
    queued = replace(
        incident(Told(), exposed=False),
        delivered=None,
        delivered_at=None,
        queued=Told(frozenset({ended.fingerprint})),
    )
    assert reasons(ended, queued) == wanted


def test_an_end_that_the_receiver_does_not_want() -> None:
    """It knows the alert, and `send_resolved` is false."""
    ended = resolved(firing(NOW - HOUR), NOW - 1)
    known = incident(Told(frozenset({ended.fingerprint})))
    assert reasons(ended, known) == [{"reason": "send_resolved is false"}]


class Rack:
    """Mutes what has the label `rack`."""

    kind = "silence"

    def muted_by(self, labels: Labels, _flush: GroupFlush) -> tuple[str, ...]:
        return ("s-1", "s-2") if "rack" in labels else ()


async def test_a_flush_says_what_it_did_with_each_alert(tmp_path: Path) -> None:
    """Silenced by whom, in which message, and the next time that nothing was new."""
    said: list[Verdict] = []
    async with WebhookStandIn() as server:
        receiver = Receiver("ops", webhook_configs=(WebhookConfig(Secret(server.url)),))
        async with alerting(tmp_path, Route(receiver="nobody"), [receiver]) as system:
            subject = Pipeline(
                system.store,
                system.channels,
                owned=list,
                sender=system.worker,
                wake=system.worker.wake,
                options=QUICK,
                metrics=NotifyMetrics(CollectorRegistry()),
                muters=[Rack()],
                record=said.extend,
            )
            now = system.clock.now()
            told, muted = firing(now, n="1"), firing(now, rack="r7")
            await subject([flush(told, muted, at=now)])
            silenced, queued = said
            await server.wait_for(lambda: len(server.payloads) == 1)
            await system.worker.idle()
            said.clear()
            await subject([flush(told, at=now + 1)])
            (unchanged,) = said
    assert (silenced.kind, silenced.detail) == ("silence", {"by": ["s-1", "s-2"]})
    assert (silenced.channel, silenced.alerts) == (CHANNEL, [muted])
    assert (queued.kind, queued.detail, queued.alerts) == (QUEUED, {"message": 1}, (told,))
    assert (unchanged.kind, unchanged.alerts) == (UNCHANGED, [told])


class _Broken:
    """Fails when the flush has been decided on."""

    def muted_by(self, labels: Labels, _flush: GroupFlush) -> tuple[str, ...]:
        if "last" in labels:
            raise Unavailable("away")
        return ("s-1",)

    kind = "silence"


async def test_a_flush_that_fails_says_nothing(tmp_path: Path) -> None:
    """It comes again, and what it decides counts then."""
    said: list[Verdict] = []
    receiver = Receiver("ops", webhook_configs=(WebhookConfig(Secret("http://127.0.0.1:1/")),))
    async with alerting(tmp_path, Route(receiver="nobody"), [receiver], start=False) as system:
        subject = Pipeline(
            system.store,
            system.channels,
            owned=list,
            sender=system.worker,
            wake=system.worker.wake,
            options=QUICK,
            metrics=NotifyMetrics(CollectorRegistry()),
            muters=[_Broken()],
            record=said.extend,
        )
        now = system.clock.now()
        try:
            await subject([flush(firing(now), at=now), flush(firing(now, last="1"), at=now)])
        except Unavailable:
            said_then = list(said)
    assert said_then == []
