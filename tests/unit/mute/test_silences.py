"""Silences: what they mute, how they change, when they end."""

import asyncio
from dataclasses import replace

import pytest

from controlplane.errors import Conflict, InvalidInput, NotFound, Overloaded, Unavailable
from controlplane.model.labels import Labels
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.mute.options import SilenceOptions
from controlplane.mute.silence import Action, SilenceState, silences_nearly_all
from tests.unit.mute.world import HOUR, NOW, At, World, alert, silence

SHOP = Labels({"alertname": "Down", "team": "shop"})


async def test_an_alert_is_muted_while_a_silence_that_matches_is_active() -> None:
    """From its start to before its end, by all of its matchers."""
    world = World()
    made = await world.silences.set(
        silence('team="shop", alertname=~"D.*"', start=NOW + 1000, end=NOW + 2000)
    )
    muted = [world.silences.muting(SHOP, NOW + ms) for ms in (999, 1000, 1999, 2000)]
    assert muted == [(), (made.id,), (made.id,), ()]
    assert world.silences.muted_by(SHOP, At(NOW + 1000)) == (made.id,)
    assert world.silences.muting(Labels({"alertname": "Down"}), NOW + 1000) == ()


async def test_every_kind_of_matcher_finds_its_alerts() -> None:
    """Whether there is an equality to file it under or not."""
    world = World()
    for text in ('team="shop"', 'team=~"sh.+"', 'team!="web"', 'x="", team="shop"'):
        await world.silences.set(silence(text))
    assert len(world.silences.muting(SHOP, NOW)) == 4
    assert len(world.silences.muting(Labels({"team": "web"}), NOW)) == 0
    assert len(world.silences.muting(SHOP.merge({"x": "1"}), NOW)) == 3


async def test_recurring_hours_narrow_a_silence() -> None:
    """Outside of its hours it is active and mutes nothing."""
    world = World()
    hours = TimeInterval(times=(Span(22 * 60, 22 * 60 + 29),))  # NOW is 22:13:20 UTC
    made = await world.silences.set(
        replace(silence('team="shop"', end=NOW + 48 * HOUR), times=(hours,))
    )
    assert world.silences.muting(SHOP, NOW) == (made.id,)
    assert world.silences.muting(SHOP, NOW + HOUR) == ()
    assert world.silences.muting(SHOP, NOW + 24 * HOUR) == (made.id,)
    assert made.state(NOW + HOUR) is SilenceState.ACTIVE


async def test_an_extension_keeps_the_id() -> None:
    """What was silenced in the past stays as it was, so the silence is the same."""
    world = World()
    made = await world.silences.set(silence('team="shop"'))
    await world.clock.advance(10)
    longer = await world.silences.set(replace(made, ends_at=NOW + 2 * HOUR, comment="longer"))
    assert longer.id == made.id
    assert world.silences.list() == [longer]
    assert [change.action for change in await world.silences.history(made.id)] == [
        Action.CREATED,
        Action.CHANGED,
    ]


@pytest.mark.parametrize("other", ['team="web"', 'team="shop", alertname="Down"'])
async def test_other_matchers_make_another_silence(other: str) -> None:
    """The old one ends, and both stay in the history."""
    world = World()
    made = await world.silences.set(silence('team="shop"'))
    await world.clock.advance(10)
    new = await world.silences.set(replace(silence(other), id=made.id))
    assert new.id != made.id
    assert world.silences.get(made.id).state(world.clock.now()) is SilenceState.EXPIRED
    assert world.silences.get(made.id).ends_at == NOW + 10_000
    assert new.starts_at == NOW + 10_000


async def test_an_expired_silence_comes_back_as_a_new_one() -> None:
    """What ended is history and is not changed any more."""
    world = World()
    made = await world.silences.set(silence('team="shop"'))
    gone = await world.silences.expire(made.id, by="grace")
    assert await world.silences.expire(made.id) == gone
    again = await world.silences.set(replace(made, ends_at=NOW + 9 * HOUR))
    assert again.id != made.id
    assert [(c.action, c.by) for c in await world.silences.history(made.id)] == [
        (Action.CREATED, "ada"),
        (Action.EXPIRED, "grace"),
    ]


async def test_one_that_has_not_begun_expires_without_ever_muting() -> None:
    """Its start comes forward to its end."""
    world = World()
    made = await world.silences.set(silence('team="shop"', start=NOW + 1000))
    assert made.state(NOW) is SilenceState.PENDING
    gone = await world.silences.expire(made.id)
    assert (gone.starts_at, gone.ends_at) == (NOW, NOW)
    assert world.silences.muting(SHOP, NOW + 1500) == ()


@pytest.mark.parametrize(
    ("matchers", "end", "reason"),
    [
        ('team=""', NOW + 1, "at least one matcher must not match the empty string"),
        ('team=~".*"', NOW + 1, "at least one matcher must not match the empty string"),
        ('team="shop"', NOW - 1, "end time must not be before start time"),
        ("", NOW + 1, "at least one matcher required"),
    ],
)
async def test_what_alertmanager_refuses_is_refused(matchers: str, end: int, reason: str) -> None:
    """In its words, and nothing is kept."""
    world = World()
    with pytest.raises(InvalidInput, match=reason):
        await world.silences.set(silence(matchers, end=end))
    assert world.silences.list() == []


async def test_silences_have_bounds() -> None:
    """Too many, too many matchers and too much text are refused."""
    world = World(SilenceOptions(max_silences=1, max_matchers=2, max_text=10))
    made = await world.silences.set(silence('team="shop"'))
    with pytest.raises(Overloaded):
        await world.silences.set(silence('team="web"'))
    with pytest.raises(InvalidInput, match="matchers"):
        await world.silences.set(silence('a="1", b="2", c="3"'))
    with pytest.raises(InvalidInput, match="characters"):
        await world.silences.set(replace(made, comment="x" * 11))
    world.silences.configure(SilenceOptions(max_size=20))
    with pytest.raises(InvalidInput, match="more than 20 bytes"):
        await world.silences.set(replace(made, comment="\u00e4" * 4))
    assert world.silences.list() == [made]


async def test_an_unknown_id_is_not_found() -> None:
    """Neither to be read, nor changed, nor expired."""
    world = World()
    with pytest.raises(NotFound):
        world.silences.get("none")
    with pytest.raises(NotFound):
        await world.silences.set(silence('team="shop"', name="none"))
    with pytest.raises(NotFound):
        await world.silences.expire("none")


async def test_a_silence_counts_only_once_it_is_durable() -> None:
    """When the database is away nothing is muted, and the caller hears of it."""
    world = World()
    world.memory.fail = Unavailable("away")
    with pytest.raises(Unavailable):
        await world.silences.set(silence('team="shop"'))
    assert world.silences.muting(SHOP, NOW) == ()


async def test_silences_are_there_after_a_restart() -> None:
    """With their ids and what they mute."""
    world, next_life = World(), World()
    made = await world.silences.set(silence('team="shop"'))
    next_life.memory.changes = world.memory.changes
    await next_life.silences.load()
    assert next_life.silences.muting(SHOP, NOW) == (made.id,)


async def test_an_acknowledgement_ends_with_its_last_alert() -> None:
    """While one alert that it matches fires it stays; then it ends by itself."""
    world = World()
    made = await world.silences.set(replace(silence('team="shop"'), until_resolved=True))
    other = await world.silences.set(silence('team="web"'))
    one, two = alert(team="shop", x="1"), alert(team="shop", x="2")
    world.firing = [one, two]
    loop = asyncio.ensure_future(world.silences.run())
    await world.clock.settle()
    world.firing = [two]
    world.silences.heard([replace(one, ends_at=NOW)], NOW)
    await world.clock.settle()
    assert world.silences.muting(SHOP, NOW) == (made.id,)
    world.firing = []
    world.silences.heard([replace(two, ends_at=NOW)], NOW)
    await world.clock.settle()
    loop.cancel()
    assert world.silences.get(made.id).state(NOW) is SilenceState.EXPIRED
    assert world.silences.get(other.id).state(NOW) is SilenceState.ACTIVE
    assert (await world.silences.history(made.id))[-1].by == "resolved"


async def test_what_expired_long_ago_is_forgotten() -> None:
    """After the retention, with its history; until then it can be read."""
    world = World(SilenceOptions(retention=HOUR))
    made = await world.silences.set(silence('team="shop"', end=NOW + 1))
    assert await world.silences.gc(NOW + HOUR) == 0
    assert await world.silences.gc(NOW + 1 + HOUR) == 1
    assert world.memory.changes == []
    with pytest.raises(NotFound):
        world.silences.get(made.id)


async def test_the_loop_outlives_a_database_that_is_away() -> None:
    """It says so, and goes on at its next turn."""
    world = World(SilenceOptions(gc_interval=1000))
    made = await world.silences.set(replace(silence('team="shop"'), until_resolved=True))
    world.memory.fail = Unavailable("away")
    loop = asyncio.ensure_future(world.silences.run())
    await world.clock.advance(2)
    world.memory.fail = None
    await world.clock.advance(1)
    loop.cancel()
    assert world.silences.get(made.id).state(world.clock.now()) is SilenceState.EXPIRED


@pytest.mark.parametrize(
    ("matchers", "nearly_all"),
    [
        ('alertname=~".+"', True),
        ('alertname=~".+", team!="x"', True),
        ('team!~"a|b"', True),
        ('alertname=~".+", team="x"', False),
        ('alertname=~"a.+"', False),
    ],
)
def test_a_silence_without_any_bound_is_told_apart(matchers: str, nearly_all: bool) -> None:
    """Matchers that let any value pass hide everything."""
    assert silences_nearly_all(silence(matchers)) is nearly_all


async def test_states_and_changes_are_counted() -> None:
    """By state at the moment they are asked for, by action since the start."""
    world = World()
    made = await world.silences.set(silence('team="shop"'))
    await world.silences.set(silence('team="web"', start=NOW + HOUR, end=NOW + 2 * HOUR))
    await world.silences.expire(made.id)
    value = world.registry.get_sample_value
    states = {s: value("controlplane_silences", {"state": s}) for s in SilenceState}
    assert states == {"pending": 1, "active": 0, "expired": 1}
    assert value("controlplane_silence_changes_total", {"action": "created"}) == 2


async def test_to_ask_twice_makes_one_silence() -> None:
    """The one that is there gets the end asked for last; other words make another one."""
    world = World()
    made, new = await world.silences.set_once(silence('team="shop"'), by="ada")
    again, other = await world.silences.set_once(silence('team="shop"'), by="ada")
    assert (new, other, again) == (True, False, made)
    await world.clock.advance(10)
    later = replace(silence('team="shop"', start=NOW + 10_000), ends_at=NOW + 2 * HOUR)
    longer, other = await world.silences.set_once(later, by="grace")
    assert (longer.id, longer.starts_at, longer.ends_at) == (made.id, NOW, NOW + 2 * HOUR)
    assert other is False
    _, other = await world.silences.set_once(replace(later, comment="another"), by="ada")
    assert other is True
    ahead = silence('team="shop"', start=NOW + HOUR, end=NOW + 3 * HOUR)
    assert (await world.silences.set_once(ahead, by="ada"))[1] is True
    assert (await world.silences.set_once(ahead, by="ada"))[1] is False
    assert [change.by for change in await world.silences.history(made.id)] == ["ada", "grace"]


async def test_an_ended_silence_is_not_taken_up_again() -> None:
    """What is asked for then is a new one."""
    world = World()
    made, _ = await world.silences.set_once(silence('team="shop"'), by="ada")
    await world.silences.expire(made.id)
    await world.clock.advance(1)
    again, new = await world.silences.set_once(silence('team="shop"'), by="ada")
    assert (new, again.id != made.id) == (True, True)


async def test_an_alert_is_acknowledged_once() -> None:
    """Exactly it, until it resolves; whoever comes second gets the first one's."""
    world = World()
    one, other = alert(team="shop", x="1"), alert(team="shop", x="1", y="2")
    world.firing = [one, other]
    words = {"author": "ada", "comment": "on it", "by": "token"}
    made, new = await world.silences.acknowledge(one.labels, until=NOW + HOUR, **words)
    second, again = await world.silences.acknowledge(
        one.labels, until=NOW + 9, author="grace", comment="me too", by="token"
    )
    assert (new, again, second) == (True, False, made)
    assert made.until_resolved
    assert world.silences.muting(one.labels, NOW) == (made.id,)


async def test_an_alert_that_fires_again_at_once_is_not_hidden() -> None:
    """Its acknowledgement is over when it ends, though nobody has written it down yet."""
    world = World()
    one = alert(team="shop")
    world.firing = [one]
    made, _ = await world.silences.acknowledge(
        one.labels, author="ada", comment="on it", until=NOW + HOUR, by="ada"
    )
    world.firing = []
    world.silences.heard([replace(one, ends_at=NOW)], NOW)
    world.firing = [one]
    assert world.silences.muting(one.labels, NOW) == ()
    with pytest.raises(Conflict):
        await world.silences.change(made.id, lambda old: replace(old, comment="x"), by="ada")
    second, new = await world.silences.acknowledge(
        one.labels, author="ada", comment="on it", until=NOW + HOUR, by="ada"
    )
    assert (new, second.id != made.id) == (True, True)
    assert await world.silences.end_acknowledged(NOW) == 1
    assert world.silences.get(made.id).state(NOW) is SilenceState.EXPIRED
    assert world.silences.muting(one.labels, NOW) == (second.id,)


async def test_hours_do_not_keep_an_acknowledgement() -> None:
    """It ends with its alert, also outside of the hours in which it mutes."""
    world = World()
    hours = TimeInterval(years=(Span(1999, 1999),))
    asked = replace(silence('team="shop"'), until_resolved=True, times=(hours,))
    made = await world.silences.set(asked)
    assert await world.silences.end_acknowledged(NOW) == 1
    assert world.silences.get(made.id).state(NOW) is SilenceState.EXPIRED


async def test_a_change_keeps_what_is_hidden() -> None:
    """The end and the words change under the same id; an ended one does not change."""
    world = World()
    made = await world.silences.set(silence('team="shop"'))
    same = await world.silences.change(made.id, lambda old: old, by="grace")
    assert same == made
    longer = await world.silences.change(
        made.id, lambda old: replace(old, ends_at=NOW + 9 * HOUR, comment="longer"), by="grace"
    )
    assert (longer.id, longer.comment) == (made.id, "longer")
    with pytest.raises(InvalidInput):
        await world.silences.change(made.id, lambda old: replace(old, ends_at=NOW), by="grace")
    await world.silences.expire(made.id)
    with pytest.raises(Conflict):
        await world.silences.change(made.id, lambda old: replace(old, ends_at=NOW + 9), by="x")
    with pytest.raises(NotFound):
        await world.silences.change("none", lambda old: old, by="x")
    history = await world.silences.history(made.id)
    assert [change.by for change in history] == ["ada", "grace", "ada"]


async def test_who_goes_away_while_a_silence_is_written_leaves_no_secret_one() -> None:
    """A request that is cancelled after the commit: what is kept mutes, and is shown."""
    world = World()
    world.memory.answers.clear()
    asking = asyncio.create_task(world.silences.set(silence('team="shop"')))
    while not world.memory.changes:  # noqa: ASYNC110 - a list tells no one
        await asyncio.sleep(0)  # noqa: TID251 - turn by turn, until it is committed
    asking.cancel()
    await asyncio.sleep(0)  # noqa: TID251 - the turn in which it is cancelled
    world.memory.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert world.silences.list() == list(await world.memory.load()) != []
    assert len(world.silences.muting(SHOP, NOW)) == 1
