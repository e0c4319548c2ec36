"""`/api/v1/silences`: try, create, list, change and end silences; acknowledge an alert."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from controlplane.api.bodies import takes_json
from controlplane.api.guard import Actor
from controlplane.api.responses import BODY, problems
from controlplane.api.surface import On, Surface
from controlplane.api.v1.alerts import alert_out
from controlplane.api.v1.cursor import decode_cursor, encode_cursor
from controlplane.api.v1.filters import SilenceFilter
from controlplane.api.v1.schemas import Page
from controlplane.api.v1.silence_schemas import (
    AcknowledgementIn,
    PastOut,
    PreviewIn,
    PreviewOut,
    SilenceChangeOut,
    SilenceChanges,
    SilenceIn,
    SilenceOut,
    SilenceStoryOut,
)
from controlplane.clock import Duration, Timestamp
from controlplane.errors import Conflict, InvalidInput, NotFound
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, matches_all
from controlplane.mute.cover import covering
from controlplane.mute.silence import LONGEST_ACKNOWLEDGED, Silence, silences_nearly_all

router = APIRouter(tags=["silences"], responses=problems())


_SILENCES: Final = "/api/v1/silences"
_ONE: Final = "/api/v1/silences/{silence_id}"
# Alerts that a preview shows; the number tells of the others.
_SHOWN: Final = 100


@router.post(
    _SILENCES,
    status_code=201,
    responses={
        200: {"model": SilenceOut, "description": "It was there, and ends when this one says"},
        **problems(*BODY),
    },
    dependencies=[Depends(takes_json)],
)
async def create(given: SilenceIn, response: Response, on: On, by: Actor) -> SilenceOut:
    """Create a silence. One that hides nearly every alert needs `force`.

    Asked for again it is not created twice: the one that is there gets the end asked for.
    """
    silence = given.to_silence(on.clock.now())
    kept, new = await create_silence(on, silence, force=given.force, by=by)
    return _answer(on, response, kept, new=new)


@router.get(_SILENCES)
async def list_silences(on: On, given: Annotated[SilenceFilter, Query()]) -> Page[SilenceOut]:
    """List silences, those that end last first.

    A `match[]` selector is over the matchers of a silence, read as labels:
    `{team="shop"}` finds those that name this team.
    """
    now, selectors, states = on.clock.now(), given.selectors(), given.state
    after = _place(given.cursor)
    found = [
        silence
        for silence in on.silences.list()
        if (not states or silence.state(now) in states)
        and (not selectors or _names_one(silence, selectors))
        and (after is None or (-silence.ends_at, silence.id) > after)
    ]
    shown = found[: given.limit]
    more = None
    if len(found) > given.limit:
        more = encode_cursor(f"{shown[-1].ends_at}/{shown[-1].id}")
    return Page(items=[SilenceOut.of(silence, now) for silence in shown], next_cursor=more)


@router.post(f"{_SILENCES}/preview", responses=problems(*BODY), dependencies=[Depends(takes_json)])
async def preview(given: PreviewIn, on: On) -> PreviewOut:
    """Return what a silence would hide now, and would have hidden in the last days.

    Of the past the ledger knows as much as `storage.retention.ledger` keeps.
    """
    now = on.clock.now()
    found = await on.silences.preview(given.to_silence(now), max(0, now - given.window))
    return PreviewOut(
        nearly_all=found.nearly_all,
        hidden=len(found.hidden),
        alerts=[alert_out(on, alert, now) for alert in found.hidden[:_SHOWN]],
        past=PastOut(
            since=found.since,
            alerts=found.alerts,
            notifications=found.notifications,
            complete=found.complete,
        ),
    )


@router.get(_ONE, responses=problems(404))
async def show(silence_id: str, on: On) -> SilenceStoryOut:
    """Return one silence, and all that was done to it."""
    silence = on.silences.get(silence_id)
    history = await on.silences.history(silence_id)
    return SilenceStoryOut(
        silence=SilenceOut.of(silence, on.clock.now()),
        history=[SilenceChangeOut.of(change) for change in history],
    )


@router.patch(_ONE, responses=problems(404, 409, *BODY), dependencies=[Depends(takes_json)])
async def change(silence_id: str, given: SilenceChanges, on: On, by: Actor) -> SilenceOut:
    """Extend or shorten a silence, or change its comment; what is not named stays."""
    now = on.clock.now()
    end = given.end(now)

    def edited(old: Silence) -> Silence:
        ends_at = old.ends_at if end is None else end
        return replace(old, ends_at=ends_at, comment=given.comment or old.comment)

    return SilenceOut.of(await on.silences.change(silence_id, edited, by=by), now)


@router.delete(_ONE, status_code=204, responses=problems(404))
async def expire(silence_id: str, on: On, by: Actor) -> Response:
    """End a silence now; it is kept for a while. One that has ended stays as it is."""
    await on.silences.expire(silence_id, by=by)
    return Response(status_code=204)


@router.post(
    "/api/v1/alerts/{fingerprint}/acknowledge",
    status_code=201,
    responses={
        200: {"model": SilenceOut, "description": "It was acknowledged already"},
        **problems(404, 409, *BODY),
    },
    dependencies=[Depends(takes_json)],
)
async def acknowledge(
    fingerprint: str, given: AcknowledgementIn, response: Response, on: On, by: Actor
) -> SilenceOut:
    """Take an alert on: nobody is told of it again until it has resolved and fires anew."""
    kept, new = await acknowledge_alert(
        on,
        fingerprint,
        author=given.created_by,
        comment=given.comment,
        lasts=given.duration,
        by=by,
    )
    return _answer(on, response, kept, new=new)


async def create_silence(
    on: Surface, silence: Silence, *, force: bool, by: str
) -> tuple[Silence, bool]:
    """Keep a silence, and tell whether it is new; one that hides nearly everything takes force.

    Raises InvalidInput, Overloaded, Unavailable.
    """
    if silences_nearly_all(silence) and not force:
        reason = (
            f"it hides nearly every alert, {_matched(on, silence)} now: say force if you mean it"
        )
        raise InvalidInput(reason, pointer="/force")
    begun = silence.starts_at <= on.clock.now()
    if silence.until_resolved and begun and not _matched(on, silence):
        reason = "no alert that it matches fires now: it would end at once"
        raise InvalidInput(reason, pointer="/until_resolved")
    return await on.silences.set_once(silence, by=by)


async def acknowledge_alert(
    on: Surface, fingerprint: str, *, author: str, comment: str, lasts: Duration, by: str
) -> tuple[Silence, bool]:
    """Silence an alert until it has resolved, and tell whether that is new.

    Raises NotFound, Conflict for one that has resolved, InvalidInput,
    Overloaded, Unavailable.
    """
    now, alert = on.clock.now(), on.alerts.get(fingerprint)
    if alert is None:
        raise NotFound(f"there is no alert {fingerprint!r}")
    if alert.status(now) is AlertStatus.RESOLVED:
        raise Conflict(f"alert {fingerprint!r} has resolved")
    if not lasts:
        raise InvalidInput("it would end at once", pointer="/duration")
    return await on.silences.acknowledge(
        alert.labels, author=author, comment=comment, until=now + lasts, by=by
    )


async def acknowledge_all(
    on: Surface, alerts: Sequence[Alert], *, author: str, comment: str, by: str
) -> tuple[Silence, bool]:
    """Silence alerts together until all have resolved, and tell whether that is new.

    Raises Conflict where none of them fires, InvalidInput, Overloaded, Unavailable.
    """
    now = on.clock.now()
    firing = [alert.labels for alert in alerts if alert.status(now) is AlertStatus.FIRING]
    if not firing:
        raise Conflict("none of these alerts fires any more")
    silence = Silence(
        matchers=covering(firing),
        starts_at=now,
        ends_at=now + LONGEST_ACKNOWLEDGED,
        created_by=author,
        comment=comment,
        until_resolved=True,
    )
    return await on.silences.set_once(silence, by=by)


def _answer(on: Surface, response: Response, silence: Silence, *, new: bool) -> SilenceOut:
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"{_SILENCES}/{silence.id}"
    return SilenceOut.of(silence, on.clock.now())


def _matched(on: Surface, silence: Silence) -> int:
    """Return how many alerts that a silence matches fire now."""
    return sum(silence.matches(alert.labels) for alert in on.alerts.list(AlertStatus.FIRING))


def _names_one(silence: Silence, selectors: Sequence[tuple[Matcher, ...]]) -> bool:
    named = Labels({matcher.name: matcher.value for matcher in silence.matchers})
    return any(matches_all(selector, named) for selector in selectors)


def _place(cursor: str | None) -> tuple[Timestamp, str] | None:
    key = decode_cursor(cursor)
    if key is None:
        return None
    ends_at, slash, silence_id = key.partition("/")
    if not slash or not (ends_at.isascii() and ends_at.isdecimal()) or len(ends_at) > 18:
        raise InvalidInput("not a cursor of this list: begin again without one", pointer="?cursor")
    return -int(ends_at), silence_id
