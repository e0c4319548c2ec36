"""`/alertmanager/api/v2/silences`: set, changed and ended as Alertmanager's clients do."""

import re
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from controlplane.api.alertmanager.answers import (
    DESCRIBED,
    INVALID_TYPE,
    Malformed,
    absent,
    done,
    found,
    refused,
)
from controlplane.api.alertmanager.bodies import (
    SILENCE_BODY,
    PostableSilence,
    read_silence,
)
from controlplane.api.alertmanager.parameters import SilenceParameters, are_among, matchers_of
from controlplane.api.alertmanager.shapes import matcher_of, silence_json
from controlplane.api.guard import actor
from controlplane.api.surface import On
from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput, NotFound
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.mute.silence import Silence, SilenceState

router = APIRouter(prefix="/alertmanager/api/v2", tags=["alertmanager"], responses=DESCRIBED)


_UUID: Final = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\Z", re.IGNORECASE)
_STATES: Final = (SilenceState.ACTIVE, SilenceState.PENDING, SilenceState.EXPIRED)


@router.get("/silences")
async def get_silences(on: On, given: Annotated[SilenceParameters, Query()]) -> Response:
    """Return the silences: the active ones that end next, those that begin next, the ended."""
    wanted, now = matchers_of(given.filter), on.clock.now()
    asked = {state for state in _STATES if getattr(given, state.value)}
    shown = [
        silence
        for silence in on.silences.list()
        if silence.state(now) in asked and are_among(wanted, silence.matchers)
    ]
    shown.sort(key=lambda silence: _order(silence, now))
    return found([silence_json(silence, now) for silence in shown])


@router.post("/silences", openapi_extra=SILENCE_BODY)
async def post_silence(request: Request, on: On) -> Response:
    """Set a silence, or change the one with its id; answer with the id that it has now."""
    given, now = await read_silence(request), on.clock.now()
    try:
        silence = _silence(given, now)
        if given.id:
            silence = _with_what_is_ours(silence, on.silences.get(given.id))
        kept = await on.silences.set(silence, by=actor(request))
    except NotFound:
        return refused("silence not found", 404)
    return found({"silenceID": kept.id})


@router.get("/silence/{silence_id}")
async def get_silence(silence_id: str, on: On) -> Response:
    """Return one silence."""
    _check_id(silence_id)
    try:
        silence = on.silences.get(silence_id)
    except NotFound:
        return absent()
    return found(silence_json(silence, on.clock.now()))


@router.delete("/silence/{silence_id}")
async def delete_silence(silence_id: str, request: Request, on: On) -> Response:
    """End a silence now; it is kept for a while. One that has ended stays as it is."""
    _check_id(silence_id)
    try:
        await on.silences.expire(silence_id, by=actor(request))
    except NotFound:
        return absent()
    return done()


def _silence(given: PostableSilence, now: Timestamp) -> Silence:
    """Return what was posted, its times checked before its matchers. Raises InvalidInput."""
    starts_at, ends_at = given.starts_at or 0, given.ends_at or 0
    if starts_at >= ends_at:
        raise InvalidInput("Failed to create silence: start time must be before end time")
    if ends_at < now:
        raise InvalidInput("Failed to create silence: end time can't be in the past")
    return Silence(
        id=given.id,
        matchers=_matchers(given),
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=given.created_by,
        comment=given.comment,
        annotations=Labels(given.annotations),
    )


def _matchers(given: PostableSilence) -> tuple[Matcher, ...]:
    matchers: list[Matcher] = []
    for place, each in enumerate(given.matchers):
        try:
            matchers.append(matcher_of(each))
        except InvalidInput as error:
            reason = f"invalid silence: invalid label matcher {place}: {error.reason}"
            raise InvalidInput(reason) from None
    return tuple(matchers)


def _with_what_is_ours(new: Silence, old: Silence) -> Silence:
    """Return a change with what its client could neither see nor say."""
    return replace(new, times=old.times, until_resolved=old.until_resolved)


def _order(silence: Silence, now: Timestamp) -> tuple[int, Timestamp]:
    state = silence.state(now)
    if state is SilenceState.PENDING:
        return 1, silence.starts_at
    return (0, silence.ends_at) if state is SilenceState.ACTIVE else (2, -silence.ends_at)


def _check_id(text: str) -> None:
    if _UUID.match(text) is None:
        raise Malformed(INVALID_TYPE, f'silenceID in path must be of type uuid: "{text}"')
