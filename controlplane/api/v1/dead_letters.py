"""`/api/v1/dead-letters`: notifications that were given up, to look at and to send again."""

from typing import Annotated

from fastapi import APIRouter, Query

from controlplane.api.responses import problems
from controlplane.api.surface import On
from controlplane.api.v1.alerts import with_attempts
from controlplane.api.v1.cursor import decode_row_id, encode_cursor, is_row_id
from controlplane.api.v1.filters import PageFilter
from controlplane.api.v1.schemas import NotificationOut, Page
from controlplane.errors import NotFound
from controlplane.notify.message import MessageState

router = APIRouter(prefix="/api/v1/dead-letters", tags=["notifications"], responses=problems())


@router.get("")
async def list_dead(on: On, given: Annotated[PageFilter, Query()]) -> Page[NotificationOut]:
    """List dead messages with the answers that their receivers gave, the newest first."""
    messages = await on.notifications.list_messages(
        MessageState.DEAD, before=decode_row_id(given.cursor), limit=given.limit + 1
    )
    shown = messages[: given.limit]
    more = encode_cursor(str(shown[-1].id)) if len(messages) > given.limit else None
    return Page(items=await with_attempts(on, shown), next_cursor=more)


@router.post("/{message_id}/redrive", status_code=202, responses=problems(404, 409))
async def redrive(message_id: str, on: On) -> NotificationOut:
    """Put a dead message back in the queue; 409 when what happened since overtook it."""
    if not is_row_id(message_id):
        raise NotFound(f"there is no dead letter {message_id!r}")
    message = await on.redrive(int(message_id), on.clock.now())
    return (await with_attempts(on, [message]))[0]
