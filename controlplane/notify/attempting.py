"""One attempt at one integration, and what is written down of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import Unavailable
from controlplane.notify.errors import DeliveryError
from controlplane.notify.message import (
    Attempt,
    Delivery,
    FailureReason,
    Message,
    Notification,
    Outcome,
)
from controlplane.notify.ports import Integration
from controlplane.notify.time_limit import TimeLimit
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# So long after its time is up an attempt that has not ended by itself is ended.
_GRACE: Final = 1.0

# A database that is away is asked again after so many seconds.
_ASK_AGAIN: Final = 1.0

Result = Delivery | DeliveryError
T = TypeVar("T")


async def attempt(
    integration: Integration, notification: Notification, *, limit: Duration, lease: Duration
) -> Result:
    """Send a notification; return what came of it, whatever that was.

    The receiver has `limit` for it. All of it, with what we need to write the
    message, never takes longer than the lease, or somebody else would send it meanwhile.
    """
    seconds = min(limit, lease * 3 // 4) / 1000
    time_limit = TimeLimit(seconds + min(_GRACE, lease / 8000), at_most=lease * 7 / 8000)
    try:
        async with time_limit.running():
            return await integration.send(replace(notification, seconds=seconds, limit=time_limit))
    except DeliveryError as error:
        return error
    except TimeoutError:
        return DeliveryError(
            f"no answer within {seconds:g}s",
            reason=FailureReason.CONTEXT_DEADLINE_EXCEEDED,
            temporary=True,
            outcome=Outcome.UNKNOWN,
        )
    except Exception as error:
        log.exception("an integration failed in an unforeseen way", integration=integration.name)
        return DeliveryError(
            f"unforeseen: {type(error).__name__}", temporary=True, outcome=Outcome.UNKNOWN
        )


def written(message: Message, result: Result, at: Timestamp, seconds: float) -> Attempt:
    """Return what is kept of an attempt at a message."""
    error = result if isinstance(result, DeliveryError) else None
    return Attempt(
        message_id=message.id,
        number=message.attempts,
        at=at,
        seconds=seconds,
        outcome=Outcome.DELIVERED if error is None else error.outcome,
        status_code=result.status_code,
        reason=None if error is None else error.reason,
        detail="" if error is None else error.detail,
    )


async def insist(write: Callable[[], Awaitable[T]], clock: Clock, message: Message) -> T:
    """Return what a transaction on an attempt returns, once the database takes it.

    What was sent while the database was away is so known when it is back, and
    not sent again. A process that ends before leaves it to the lease.
    """
    waiting = False
    while True:
        try:
            return await write()
        except Unavailable as problem:
            if not waiting:
                log.warning(
                    "an attempt cannot be written down yet", message=message.id, error=str(problem)
                )
            waiting = True
            await clock.sleep(_ASK_AGAIN)
