"""Silences in SQL."""

from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.mute.silence import Action, Silence, SilenceChange
from controlplane.storage.database import Database
from controlplane.storage.silences import SqlSilences
from tests.support.plans import full_scans, recording

NOW = 1_700_000_000_000


def silence(name: str, *, ends_at: int = NOW + 5) -> Silence:
    return Silence(
        matchers=(Matcher("é\n", MatchOp.EQUAL, '"\\'), Matcher("b", MatchOp.NOT_REGEX, "x.*")),
        starts_at=NOW,
        ends_at=ends_at,
        created_by="ada",
        comment="☃",
        id=name,
        updated_at=NOW + 1,
        annotations=Labels({"ticket": "OPS-1"}),
        times=(TimeInterval(times=(Span(0, 59),), months=(), location="Europe/Berlin"),),
        until_resolved=True,
    )


def change(of: Silence, action: Action = Action.CREATED, by: str = "ada") -> SilenceChange:
    return SilenceChange(of, action, of.updated_at, by)


async def test_silences_come_back_as_they_were(database: Database) -> None:
    """Every field survives, odd characters and an empty part of an interval included."""
    repository = SqlSilences(database)
    await repository.save([change(silence("a")), change(silence("b"))])
    assert sorted(await repository.load(), key=lambda s: s.id) == [silence("a"), silence("b")]
    await repository.save([])


async def test_a_change_replaces_the_silence_and_stays_in_its_history(database: Database) -> None:
    """One row a silence, one for each change, oldest first, with who did it."""
    repository = SqlSilences(database)
    changes = [
        change(silence("a")),
        change(silence("a", ends_at=NOW + 99), Action.CHANGED, "grace"),
        change(silence("a", ends_at=NOW + 2), Action.EXPIRED, "resolved"),
    ]
    for one in changes:
        await repository.save([one])
    assert await repository.load() == [silence("a", ends_at=NOW + 2)]
    assert await repository.history("a") == changes
    assert await repository.history("b") == []


async def test_deleting_takes_the_history_along(database: Database) -> None:
    """Any number at once, known or not, found by an index."""
    repository = SqlSilences(database)
    await repository.save([change(silence(str(number))) for number in range(1_200)])
    with recording() as recorded:
        await repository.delete([*(str(number) for number in range(1, 1_200)), "none"])
        await repository.history("1")
    assert [kept.id for kept in await repository.load()] == ["0"]
    assert await repository.history("1") == []
    assert await full_scans(database, recorded) == []
