"""A mail: its headers, and the group as a page, as text, or as both."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.email.options import EmailConfig
from controlplane.notify.message import FailureReason, Notification
from controlplane.notify.message_functions import Shown
from controlplane.notify.picture import Graph
from controlplane.notify.rendering import Render

SUBJECT: Final = '{{ template "controlplane.email.subject" . }}'


def mail(
    notification: Notification, config: EmailConfig, render: Render, graph: Graph | None = None
) -> tuple[str, Sequence[str], EmailMessage]:
    """Return the sender, the recipients and the message, with the picture if the page shows it.

    Raises DeliveryError, permanent, for what is no address or no header.
    """
    senders, recipients = _addresses(render(config.from_)), _addresses(render(config.to))
    if len(senders) != 1:
        raise _unusable(f"must be exactly one 'from' address (got: {len(senders)})")
    if not recipients:
        raise _unusable("there is no 'to' address")
    message = EmailMessage(policy=SMTP)
    headers = {"Subject": SUBJECT, "To": config.to, "From": config.from_, **_named(config.headers)}
    try:
        for name, template in headers.items():
            message[name] = _line(render(template))
        _identify(message, notification, config)
        _fill(message, config, render)
        if graph is not None:
            _illustrate(message, notification, graph)
    except (ValueError, HeaderParseError) as error:
        raise _unusable(f"headers: {error}") from None
    return senders[0], recipients, message


def _identify(message: EmailMessage, notification: Notification, config: EmailConfig) -> None:
    """Give the message its date and names; those of one attempt are those of the next."""
    at = datetime.fromtimestamp(notification.content.at / 1000, tz=UTC)
    message["Date"] = format_datetime(at)
    group = hashlib.sha256(notification.key.encode()).hexdigest()[:16]
    if "Message-Id" not in message:
        message["Message-Id"] = f"<{group}.{notification.content.at}@{_domain(config.hello)}>"
    if config.threading.enabled:
        day = "" if config.threading.thread_by_date == "none" else f"{at:%Y-%m-%d}"
        # No mail has this name: readers put all that refer to it into one thread.
        root = f"<alert-{group}-{day}@{_domain(config.hello)}>"
        message["References"] = root
        message["In-Reply-To"] = root


def _fill(message: EmailMessage, config: EmailConfig, render: Render) -> None:
    """Write the parts; of several, the last is the one that readers prefer (RFC 2046, 5.1.4)."""
    text, page = render(config.text), render(config.html, html=True)
    message.set_content(text if text or not page else _PLAIN)
    if page:
        message.add_alternative(page, subtype="html")


def shown(notification: Notification, graph: Graph | None) -> Shown | None:
    """Return how a page refers to the picture that its mail brings along (RFC 2392)."""
    if graph is None:
        return None
    group = hashlib.sha256(notification.key.encode()).hexdigest()[:16]
    name = f"graph-{group}-{notification.content.at}@controlplane"
    return Shown(name, graph.width, graph.height, graph.words)


def _illustrate(message: EmailMessage, notification: Notification, graph: Graph) -> None:
    """Put the picture beside the page, if that shows it (RFC 2387)."""
    page, picture = message.get_body(("html",)), shown(notification, graph)
    if isinstance(page, EmailMessage) and picture and f"cid:{picture.id}" in page.get_content():
        page.add_related(graph.png, "image", "png", cid=f"<{picture.id}>", filename="graph.png")


_PLAIN: Final = "This message is a page: your reader shows its text only.\n"


def _addresses(text: str) -> list[str]:
    """Return the addresses of a list such as `Ops <ops@example.org>, a@example.org`."""
    header = SMTP.header_factory("to", _line(text))
    found = [address.addr_spec for address in header.addresses]
    if header.defects or not all(address.domain for address in header.addresses):
        raise _unusable(f"not a list of addresses: {text}")
    return found


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by the names that those of our own have too, whatever their letters."""
    return {name.title(): text for name, text in headers.items()}


def _line(text: str) -> str:
    """Return a text as one line: no value begins a header of its own."""
    return " ".join(text.split())


def _domain(hello: str) -> str:
    return hello if hello.isascii() and " " not in hello else "localhost"


def _unusable(reason: str) -> DeliveryError:
    return DeliveryError(reason, reason=FailureReason.CLIENT_ERROR)
