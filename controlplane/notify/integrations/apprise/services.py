"""The library: its services by URL, its silence in our logs, its words about a failure."""

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from controlplane.errors import InvalidInput
from controlplane.model.secret import REDACTED

if TYPE_CHECKING:
    from apprise import NotifyBase

_UNKNOWN: Final = (
    "not a URL of a service that Apprise knows, complete, and with the packages that it needs"
)
# Both write addresses, and with them tokens.
_TALKATIVE: Final = ("apprise", "urllib3")
_MOST_TOLD: Final = 300
# What stands between the parts of a URL; parts shorter than this tell nothing.
_BETWEEN: Final = re.compile(r"[/?&=:@,;#!+\s]+")
_SHORTEST: Final = 3


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be sent, in the library's words."""

    title: str
    body: str
    format: str
    type: str


def check_url(url: str) -> None:
    """Raise InvalidInput, without a word of the URL, where no service can be made of it."""
    _service(url)


def deliver(url: str, letter: Letter) -> str:
    """Send a letter, in as long as it takes; return an empty text, or what went wrong.

    Raises InvalidInput for a URL that is none. The words have nothing of it.
    """
    from apprise import Apprise  # noqa: PLC0415 - a second of imports, for those who use it

    service = _service(url)
    sender = Apprise(service, asset=service.asset)
    result = sender.notify(
        body=letter.body,
        title=letter.title,
        notify_type=letter.type,
        body_format=letter.format,
    )
    if result:
        return ""
    said = [entry.message for entry in result.logs()]
    return scrub(said[-1] if said else "Apprise could not deliver the message", url)[:_MOST_TOLD]


def scrub(text: str, url: str) -> str:
    """Strike out whatever a URL is made of, but for its schema."""
    _, _, rest = url.partition("://")
    parts = {part for form in (rest, unquote_plus(rest)) for part in _BETWEEN.split(form)}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST:
            text = text.replace(part, REDACTED)
    return text


def _service(url: str) -> "NotifyBase":
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - as above

    _quieten()
    # One attempt, in this thread, nothing kept on disk: how often and how long is ours to say.
    asset = AppriseAsset(
        app_id="controlplane",
        app_desc="controlplane",
        async_mode=False,
        service_timeout=0,
        storage_mode="memory",
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise InvalidInput(_UNKNOWN)
    return service


def _quieten() -> None:
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
