"""Why a delivery failed, and what to do about it."""

from controlplane.errors import ControlPlaneError
from controlplane.notify.message import FailureReason, Outcome

_RETRIED_CLIENT_ERRORS = frozenset({408, 425, 429})


class DeliveryError(ControlPlaneError):
    """An attempt failed. Its text names no URL and no secret.

    `temporary`: trying again may help. `outcome` is UNKNOWN when the message
    may have arrived all the same. `retry_after` is what the receiver asked
    for, in seconds.
    """

    def __init__(
        self,
        detail: str,
        *,
        reason: FailureReason = FailureReason.OTHER,
        temporary: bool = False,
        outcome: Outcome = Outcome.REFUSED,
        status_code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason
        self.temporary = temporary
        self.outcome = outcome
        self.status_code = status_code
        self.retry_after = retry_after


class TooLarge(DeliveryError):
    """There is more to tell than one message can be made of."""


def from_status(
    status_code: int, detail: str = "", *, retry_after: float | None = None
) -> DeliveryError:
    """Return the error for an HTTP answer that is no success.

    A server error may have come after the message was taken, so its outcome is
    unknown; a client error is a clear no, and permanent but for 408, 425, 429.
    """
    server = status_code >= 500
    words = f"unexpected status code {status_code}"
    return DeliveryError(
        f"{words}: {detail}" if detail else words,
        reason=reason_of(status_code),
        temporary=server or status_code in _RETRIED_CLIENT_ERRORS,
        outcome=Outcome.UNKNOWN if server else Outcome.REFUSED,
        status_code=status_code,
        retry_after=retry_after,
    )


def reason_of(status_code: int) -> FailureReason:
    """Return Alertmanager's reason for a status code."""
    if status_code in (401, 403):
        return FailureReason.AUTH_ERROR
    if status_code == 429:
        return FailureReason.RATE_LIMITED
    if 400 <= status_code < 500:
        return FailureReason.CLIENT_ERROR
    return FailureReason.SERVER_ERROR if 500 <= status_code < 600 else FailureReason.OTHER
