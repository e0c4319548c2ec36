"""Several replicas: what one says of its own network, and what all hold of what it says."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.member import Network
from controlplane.mute.storm import Phase
from tests.unit.mute.outage import OPTIONS, Outage, Roster, Said, Seat, stop
from tests.unit.mute.world import NOW, At

CUT_OFF = "replica west cannot reach any of its canaries"


@dataclass
class Pair:
    """Two replicas on one clock: `west` probes, `east` tells; both hear of each outcome."""

    west: Outage
    east: Outage
    roster: Roster

    def fail(self, *targets: int, by: str = "west", reason: str = "timeout") -> None:
        """Have a replica say that targets fail, which the other hears."""
        now = self.west.clock.now()
        for each in targets:
            self.roster.words[f"t{each}"] = Said(
                success=False, reason=reason, since=now, replica=by
            )
        for replica in (self.west, self.east):
            replica.fail(*targets, reason=reason)

    def recover(self, *targets: int, by: str = "east") -> None:
        for each in targets:
            self.roster.words[f"t{each}"] = Said(
                success=True, reason="", since=self.west.clock.now(), replica=by
            )
        for replica in (self.west, self.east):
            replica.recover(*targets)

    def network(self) -> Network:
        """What the one that probes says of its network."""
        return self.roster.said["west"]

    def why(self, target: int) -> tuple[str, ...]:
        """Why the one that tells holds an alert about a target."""
        labels = Labels({"alertname": "Down", "job": "shop", "instance": f"{target}"})
        return self.east.network.muted_by(labels, At(self.east.clock.now()))

    def held(self) -> list[int]:
        return [each for each in range(6) if self.why(each)]

    async def wait(self, seconds: float) -> None:
        await self.west.wait(seconds)

    def let_go(self) -> set[str]:
        return set[str]().union(*self.east.released)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Two replicas that reach their canaries, and judge in the background."""
    roster = Roster()
    west = Outage(replica="west")
    pair = Pair(west, Outage(replica="east", clock=west.clock), roster)
    for name, replica in (("west", pair.west), ("east", pair.east)):
        roster.put(name, Network.CONNECTED)
        replica.network.among(Seat(name, roster), roster.words.get)
    tasks = [await each.running() for each in (pair.west, pair.east)]
    yield pair
    for task in tasks:
        await stop(task)


async def test_who_is_cut_off_says_so_and_is_believed_again_when_canaries_stay(pair: Pair) -> None:
    """In doubt at once, isolated when it is sure, and until canaries have answered for a while."""
    pair.west.answering.clear()
    pair.fail(0, 1, 2, 3)
    await pair.wait(0.5)
    assert pair.network() is Network.DOUBTED
    await pair.wait(2)
    assert pair.network() is Network.DOUBTED
    await pair.wait(4)
    assert pair.roster.said == {"west": Network.ISOLATED, "east": Network.CONNECTED}
    pair.recover(0, 1, 2, 3)
    await pair.wait(300)
    assert pair.west.phase() is Phase.CALM
    assert pair.network() is Network.ISOLATED
    pair.west.answering.update(pair.east.answering)
    await pair.wait(60)
    assert pair.network() is Network.RECOVERING
    await pair.wait(15)
    assert pair.network() is Network.CONNECTED


async def test_the_alert_about_ourselves_lasts_as_long_as_we_are_cut_off(pair: Pair) -> None:
    """Others probe what failed here, and it is well; our network is not."""
    pair.west.answering.clear()
    pair.fail(0, 1, 2, 3)
    await pair.wait(6)
    pair.recover(0, 1, 2, 3)
    await pair.wait(300)
    news = pair.west.news()
    assert news is not None
    assert "4 targets in 2 networks" in news.annotations.value("summary")
    assert "probe for this one" in news.annotations.value("description")
    assert pair.west.value("controlplane_own_network_down") == 1
    assert pair.east.news() is None
    pair.west.answering.update(pair.east.answering)
    await pair.wait(6)
    assert pair.west.news() is None


async def test_what_one_says_that_is_cut_off_is_not_told(pair: Pair) -> None:
    """Once another has probed it: what fails is told at once, what is well never is."""
    pair.west.answering.clear()
    pair.fail(0, 1, 2, 3)
    await pair.wait(0.5)
    assert pair.held() == [0, 1, 2, 3]
    await pair.wait(6)
    assert pair.east.phase() is Phase.CLEARED
    assert [pair.why(each) for each in (0, 4)] == [(CUT_OFF,), ()]
    about_job = Labels({"alertname": "JobDown", "job": "shop"})
    assert pair.east.network.muted_by(about_job, At(pair.east.clock.now())) == (CUT_OFF,)
    assert not pair.let_go()
    pair.fail(0, by="east")
    pair.recover(1, 2)
    await pair.wait(1)
    assert pair.held() == [1, 2, 3]
    assert pair.let_go() == {"0"}
    await pair.wait(60)
    assert pair.held() == [1, 2, 3]
    for each in (1, 2):
        labels = Labels({"alertname": "Down", "job": "shop", "instance": f"{each}"})
        ended = Alert(labels, NOW, NOW + 1, NOW + 1)
        pair.east.network.heard([ended], pair.east.clock.now())
    await pair.wait(60)
    assert pair.held() == []
    assert pair.let_go() == {"0", "3", ""}
    assert pair.east.value("controlplane_alerts_held") == 0


async def test_what_fails_for_one_that_asked_and_is_not_cut_off_is_told_at_once(pair: Pair) -> None:
    """For as long as its canaries take to answer it is held, with the reason."""
    pair.west.slow = 2.0
    pair.fail(0, 1, 2, 3)
    await pair.wait(1)
    assert pair.east.phase() is Phase.CLEARED
    (why,) = pair.why(0)
    assert why == "replica west asks its canaries whether it is its own network that fails"
    await pair.wait(3)
    assert pair.held() == []
    assert pair.let_go() == {"0"}


async def test_one_that_is_gone_cannot_take_back_what_it_said(pair: Pair) -> None:
    """Held until another has probed it, and no longer than anything."""
    pair.west.answering.clear()
    pair.fail(0, 1, 2, 3)
    await pair.wait(6)
    assert pair.held() == [0, 1, 2, 3]
    pair.roster.put("west", None)
    await pair.wait(20)
    assert pair.held() == [0, 1, 2, 3]
    pair.fail(0, by="east")
    await pair.wait(1)
    assert pair.held() == [1, 2, 3]
    await pair.wait(120)
    assert pair.held() == []
    assert pair.let_go() == {"0", "1", "2", "3"}


async def test_other_failures_of_one_that_is_cut_off_are_told(pair: Pair) -> None:
    """What answered, though wrongly, was reached."""
    pair.west.answering.clear()
    pair.fail(0, 1, 2, 3)
    await pair.wait(6)
    pair.fail(4, reason="status")
    assert pair.held() == [0, 1, 2, 3]


async def test_no_alert_is_held_longer_in_all_for_whatever_reason(pair: Pair) -> None:
    """First the other's network, then our own, then the other's again: two minutes together."""
    labels = Labels({"alertname": "Down", "job": "shop", "instance": "0"})
    pair.west.answering.clear()
    pair.fail(0, 1, 2, 3)
    await pair.wait(0.5)
    begun = pair.east.clock.now()
    assert pair.why(0)
    await pair.wait(30)
    pair.east.answering.clear()
    held_last = begun
    for seconds in range(400):
        if seconds == 100:
            pair.roster.put("west", Network.CONNECTED)
            pair.roster.put("west", Network.DOUBTED)
        if pair.east.network.muted_by(labels, At(pair.east.clock.now())):
            held_last = pair.east.clock.now()
        await pair.wait(1)
    assert held_last - begun < OPTIONS.hold
    assert held_last - begun > OPTIONS.hold - 5_000
    assert "0" in pair.let_go()


async def test_without_canaries_nothing_is_said(pair: Pair) -> None:
    """A reload that takes them away takes back what was said of our network."""
    pair.west.answering.clear()
    pair.fail(0, 1, 2, 3)
    await pair.wait(6)
    assert pair.network() is Network.ISOLATED
    pair.west.network.configure((), OPTIONS)
    assert pair.network() is Network.CONNECTED
    pair.fail(0, 1, 2, 3, 4)
    await pair.wait(6)
    assert pair.network() is Network.CONNECTED
