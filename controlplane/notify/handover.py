"""Messages that leave at once: claimed where they are queued, begun when that is committed."""

from types import TracebackType
from typing import Self

from controlplane.notify.channels import Channel
from controlplane.notify.message import Claim, Seat
from controlplane.notify.ports import Sender


class Handover:
    """The seats of one transaction. Enter it around the transaction, not within.

    When the block ends well, what was claimed is begun; when it fails, nothing
    is. Should the transaction have been committed all the same, the lease runs
    out, and the message is sent then.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._spare: dict[Channel, Seat] = {}
        self._claims: list[Claim] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for channel in self._spare:
            self._sender.leave(channel)
        for claim in self._claims:
            if error is None:
                self._sender.begin(claim)
            else:
                self._sender.leave(claim.message.channel)

    def seat(self, channel: Channel) -> Seat | None:
        """Return leave to attempt a message of the channel; it is given back unless kept."""
        seat = self._spare.get(channel) or self._sender.seat(channel)
        if seat is not None:
            self._spare[channel] = seat
        return seat

    def keep(self, claim: Claim) -> None:
        """Use the seat of the message's channel for it."""
        del self._spare[claim.message.channel]
        self._claims.append(claim)
