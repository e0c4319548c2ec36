"""What a silence would hide, and would have hidden."""

from dataclasses import replace

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.mute.silence import Silence
from tests.unit.mute.world import HOUR, NOW, World, alert, silence

DAY = 24 * HOUR
# NOW is 22:13:20 UTC.
EVENING = TimeInterval(times=(Span(22 * 60, 24 * 60 - 1),))


def labels(**pairs: str) -> Labels:
    return Labels(pairs)


async def counted(world: World, asked: Silence, since: int = NOW - DAY) -> tuple[int, int, int]:
    """Return how many are hidden now, began in the past, and were told of then."""
    found = await world.silences.preview(asked, since)
    assert found.since == since
    return len(found.hidden), found.alerts, found.notifications


async def test_alerts_and_notifications_of_the_past_are_counted() -> None:
    """Each beginning within the window, and each notification about none but what matches."""
    world = World()
    shop, web = labels(team="shop"), labels(team="web")
    world.firing = [alert(team="shop"), alert(team="web")]
    world.past.episodes = [(NOW - 2 * DAY, shop), (NOW - 3, shop), (NOW - 2, shop), (NOW - 1, web)]
    world.past.notifications = [
        (NOW - 2 * DAY, frozenset({shop.fingerprint()})),
        (NOW - 3, frozenset({shop.fingerprint()})),
        (NOW - 2, frozenset({shop.fingerprint(), web.fingerprint()})),
    ]
    assert await counted(world, silence('team="shop"')) == (1, 2, 1)
    assert await counted(world, silence('team=~"shop|web"')) == (2, 3, 2)
    assert await counted(world, silence('team="shop"'), NOW - 3 * DAY) == (1, 3, 2)
    assert await counted(world, silence('team="none"')) == (0, 0, 0)


async def test_recurring_hours_count_in_the_past_too() -> None:
    """What began or was told outside of them would not have been hidden."""
    world = World()
    shop = labels(team="shop")
    world.firing = [alert(team="shop")]
    world.past.episodes = [(NOW - 6 * HOUR, shop), (NOW - 60_000, shop)]
    world.past.notifications = [
        (at, frozenset({shop.fingerprint()})) for at, _ in world.past.episodes
    ]
    asked = replace(silence('team="shop"'), times=(EVENING,))
    assert await counted(world, asked) == (1, 1, 1)
    await world.clock.advance(2 * HOUR / 1000)
    assert await counted(world, asked, NOW - DAY) == (0, 1, 1)


async def test_many_alerts_are_read_in_pages() -> None:
    """All of them are looked at, and it is said when they are too many."""
    world = World()
    world.past.episodes = [(NOW - 1, labels(team="shop", n=str(n))) for n in range(1_201)]
    found = await world.silences.preview(silence('team="shop"'), NOW - DAY)
    assert (found.alerts, found.complete) == (1_201, True)


async def test_more_alerts_than_can_be_looked_at_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers are then those of a part."""
    monkeypatch.setattr("controlplane.mute.preview._MOST", 1_000)
    world = World()
    world.past.episodes = [(NOW - 1, labels(team="shop", n=str(n))) for n in range(1_201)]
    found = await world.silences.preview(silence('team="shop"'), NOW - DAY)
    assert (found.alerts, found.complete) == (1_000, False)


async def test_a_silence_that_hides_nearly_everything_is_told_apart() -> None:
    """Before it is created; one that could not be created is refused."""
    world = World()
    found = await world.silences.preview(silence('alertname=~".+"'), NOW - DAY)
    assert found.nearly_all is True
    with pytest.raises(InvalidInput):
        await world.silences.preview(silence('team=""'), NOW - DAY)
