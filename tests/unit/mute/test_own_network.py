"""Notifications are held while our own network seems to fail, and one alert says so."""

from controlplane.model.alert import OWN_NETWORK_DOWN, Alert
from controlplane.model.labels import Labels
from controlplane.mute.storm import Phase
from tests.unit.mute.outage import CANARIES, OPTIONS, Outage, stop
from tests.unit.mute.world import NOW, At


async def test_a_mass_failure_with_dead_canaries_is_held_and_told_once() -> None:
    """At once, with counts; what is not concerned is told as ever."""
    outage = Outage()
    task = await outage.running()
    outage.answering.clear()
    outage.fail(0, 1, 2)
    assert not outage.held(0)
    await outage.wait(1)
    outage.fail(3)
    assert outage.held(0)
    assert not outage.held(4)
    await outage.wait(1)
    assert outage.phase() is Phase.HOLDING
    assert outage.held(3)
    outage.fail(4)
    await outage.wait(1)
    assert outage.held(4)
    news = outage.news()
    assert news is not None
    assert news.name == OWN_NETWORK_DOWN
    assert "4 targets in 2 networks" in news.annotations.value("summary")
    about_job = Labels({"alertname": "JobDown", "job": "shop"})
    assert outage.network.muted_by(about_job, At(outage.clock.now()))
    other = Labels({"alertname": "Disk", "job": "other", "instance": "0"})
    assert not outage.network.muted_by(other, At(outage.clock.now()))
    assert outage.value("controlplane_own_network_down") == 1
    assert outage.value("controlplane_canary_up", canary=CANARIES[0]) == 0
    assert outage.value("controlplane_alerts_held") == 4
    await stop(task)


async def test_it_is_not_us_while_a_canary_answers() -> None:
    """Held for no longer than it takes to ask them, and nobody is told about ourselves."""
    outage = Outage()
    task = await outage.running()
    outage.answering.discard(CANARIES[0])
    outage.slow = 1.0
    outage.fail(0, 1, 2, 3)
    await outage.wait(0.5)
    assert outage.held(0)
    await outage.wait(1.0)
    assert not outage.held(0)
    assert outage.released == [{"0"}]
    assert outage.phase() is Phase.CLEARED
    assert outage.news() is None
    await stop(task)


async def test_after_two_minutes_all_is_told() -> None:
    """Whatever the canaries say; the alert about ourselves goes on until they are back."""
    outage = Outage()
    task = await outage.running()
    outage.answering.clear()
    for seconds in range(0, 140, 10):
        outage.fail(0, 1, 2, 3)
        await outage.wait(1)
        assert outage.held(0) is (seconds < 120)
        await outage.wait(9)
    assert outage.released == [{"0"}]
    first = outage.news()
    assert first is not None
    assert outage.value("controlplane_alerts_held") == 0
    outage.answering.update(CANARIES)
    await outage.wait(10)
    assert outage.news() is None
    assert outage.value("controlplane_own_network_holds_total") == 1
    await stop(task)


async def test_when_canaries_are_back_what_still_fails_is_told() -> None:
    """What is well again is held on, until its alert has had time to end."""
    outage = Outage()
    task = await outage.running()
    outage.answering.clear()
    outage.fail(0, 1, 2, 3, 4)
    await outage.wait(1)
    assert all(outage.held(each) for each in range(5))
    outage.answering.update(CANARIES)
    await outage.wait(6)
    assert outage.phase() is Phase.SETTLING
    assert outage.held(0)
    assert outage.news() is None
    outage.fail(1, 2, 3, 4)
    outage.recover(0)
    await outage.wait(1)
    assert [outage.held(each) for each in range(5)] == [True, False, False, False, False]
    assert set().union(*outage.released) == {"1", "2", "3", "4"}
    ended = Alert(
        Labels({"alertname": "Down", "job": "shop", "instance": "0"}), NOW, NOW + 1, NOW + 1
    )
    outage.network.heard([ended], outage.clock.now())
    assert outage.value("controlplane_alerts_held") == 0
    await outage.wait(25)
    assert outage.phase() is Phase.RELEASED
    await stop(task)


async def test_a_canary_that_never_answered_counts_for_nothing() -> None:
    """It is named wrongly, or denied, or a fault of ours: our network may well be there."""
    outage = Outage((*CANARIES, "never.example:1", "broken.example:1"))
    outage.answering = {CANARIES[0]}
    task = await outage.running()
    outage.answering.clear()
    outage.fail(0, 1, 2, 3)
    await outage.wait(1)
    assert outage.phase() is Phase.HOLDING
    await stop(task)
    blind = Outage()
    blind.answering.clear()
    task = await blind.running()
    blind.fail(0, 1, 2, 3)
    await blind.wait(1)
    assert blind.phase() is Phase.CLEARED
    await stop(task)


async def test_without_canaries_nothing_is_held() -> None:
    """Also when a reload takes them away in the middle."""
    none = Outage(())
    none.fail(0, 1, 2, 3)
    assert not none.held(0)
    outage = Outage()
    task = await outage.running()
    outage.answering.clear()
    outage.fail(0, 1, 2, 3)
    await outage.wait(1)
    assert outage.held(0)
    outage.network.configure((), OPTIONS)
    assert not outage.held(0)
    assert outage.value("controlplane_canary_up", canary=CANARIES[0]) is None
    await outage.wait(1)
    assert outage.news() is None
    assert outage.released == [{"0"}]
    await stop(task)


async def test_what_fails_for_long_or_by_itself_is_no_storm() -> None:
    """Failures count from the first one after a success, or after one of another kind."""
    outage = Outage()
    task = await outage.running()
    outage.answering.clear()
    outage.fail(0, 1)
    for _ in range(3):
        await outage.wait(10)
        outage.fail(0, 1)
    outage.fail(2, 3, reason="status")
    assert outage.phase() is Phase.CALM
    await outage.wait(10)
    outage.fail(2, 3)
    await outage.wait(1)
    assert outage.phase() is Phase.CALM
    outage.recover(0, 1)
    await outage.wait(20)
    outage.fail(0, 1, 4, 5)
    await outage.wait(1)
    assert outage.phase() is Phase.HOLDING
    await stop(task)


async def test_an_alert_is_held_two_minutes_in_all_storms_together() -> None:
    """A network that comes and goes does not keep back who fails all the time."""
    outage = Outage()
    task = await outage.running()
    outage.answering.clear()
    outage.fail(0, 1, 2, 3)
    await outage.wait(1)
    assert outage.held(0)
    outage.recover(1, 2, 3)
    await outage.wait(5)
    assert outage.phase() is Phase.CALM
    await outage.wait(115)
    outage.outcomes["t0"] = True
    await outage.wait(6)
    outage.fail(0, 1, 2, 3)
    await outage.wait(1)
    assert outage.phase() is Phase.HOLDING
    assert not outage.held(0)
    assert outage.held(1)
    await stop(task)


async def test_a_refused_alert_about_ourselves_is_tried_again() -> None:
    """Whoever cannot be told now is told later."""
    outage = Outage()
    task = await outage.running()
    outage.answering.clear()
    outage.refuse = True
    outage.fail(0, 1, 2, 3)
    await outage.wait(2)
    assert outage.phase() is Phase.HOLDING
    assert not outage.told
    outage.refuse = False
    await outage.wait(2)
    assert outage.news() is not None
    await stop(task)


async def test_replicas_speak_of_their_own_networks() -> None:
    """One that is well does not end what another one tells of itself."""
    west, east = Outage(replica="west"), Outage(replica="east")
    task = await east.running()
    east.answering.clear()
    east.fail(0, 1, 2, 3)
    await east.wait(2)
    west.told.update(east.told)
    await west.network.tell(west.clock.now())
    news = west.news()
    assert news is not None
    assert news.labels.value("replica") == "east"
    await stop(task)
