"""Sends by Apprise: in threads, within a time limit and the outbound policy."""

from typing import Final

from controlplane.errors import InvalidInput, Unavailable
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.apprise.options import AppriseConfig
from controlplane.notify.integrations.apprise.services import Letter, deliver
from controlplane.notify.integrations.apprise.threads import Threads
from controlplane.notify.integrations.posting import Configured
from controlplane.notify.message import Delivery, FailureReason, Notification, Outcome
from controlplane.notify.ports import Guard, Watch
from controlplane.notify.rendering import Render, Templates

# One more than a receiver has attempts at once by default: one that hangs stops no other.
_THREADS: Final = 5
_TYPES: Final = ("info", "success", "warning", "failure")


class Apprise(Configured[AppriseConfig]):
    """One entry of `apprise_configs`."""

    def __init__(
        self, name: str, config: AppriseConfig, templates: Templates, guard: Guard
    ) -> None:
        super().__init__(name, config, templates)
        self._guard = guard
        self._threads: Threads[tuple[str, Watch]] = Threads(name, _THREADS)

    async def send(self, notification: Notification) -> Delivery:
        """Have the library send one message. Raises DeliveryError."""
        letter = await self._made(notification, self._letter)
        try:
            url = self._config.url.reveal().strip()
            failure, watch = await self._threads.run(
                lambda: self._deliver(url, letter), seconds=notification.seconds
            )
        except InvalidInput as error:
            raise DeliveryError(f"url: {error}", reason=FailureReason.CLIENT_ERROR) from None
        except Unavailable as error:
            raise DeliveryError(str(error), temporary=True) from None
        except TimeoutError:
            raise DeliveryError(
                "Apprise has not ended in time",
                reason=FailureReason.CONTEXT_DEADLINE_EXCEEDED,
                temporary=True,
                outcome=Outcome.UNKNOWN,
            ) from None
        if failure:
            raise _failed(failure, watch)
        return Delivery()

    async def close(self) -> None:
        """Nothing stays open between two messages."""

    def _deliver(self, url: str, letter: Letter) -> tuple[str, Watch]:
        with self._guard() as watch:
            return deliver(url, letter), watch

    def _letter(self, render: Render) -> Letter:
        config = self._config
        kind = render(config.type).strip()
        if kind not in _TYPES:
            raise DeliveryError(
                f"type is none of {', '.join(_TYPES)}: {kind!r}", reason=FailureReason.CLIENT_ERROR
            )
        body = render(config.body, html=config.format == "html")
        return Letter(render(config.title), body, config.format, kind)


def _failed(words: str, watch: Watch) -> DeliveryError:
    """Return the error: the library does not say why, but whether anything left is known."""
    return DeliveryError(
        watch.denied or words,
        reason=FailureReason.OTHER,
        temporary=not watch.denied,
        outcome=Outcome.UNKNOWN if watch.sent else Outcome.REFUSED,
    )
