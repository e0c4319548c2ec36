"""One request on its way through libcurl, and what came back."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

# Bytes of a response that are counted at most when nobody named a limit.
DEFAULT_SIZE_LIMIT: Final = 1 << 30


class Failure(StrEnum):
    """Why there is no whole response. A closed set."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    PROTOCOL = "protocol"
    SIZE = "size"
    BODY = "body"
    REDIRECT = "redirect"
    AUTH = "auth"
    PROXY = "proxy"
    POLICY = "policy"
    CONFIG = "config"
    OVERLOAD = "overload"


class Decoder(Protocol):
    """Undoes a compression, a bounded piece at a time."""

    def feed(self, data: bytes, most: int) -> bytes:
        """Return what `data` yields; once that is `most` bytes or more, the rest may be dropped.

        Raises ValueError when it is not so compressed.
        """
        ...

    def finish(self) -> None:
        """Raise ValueError when something is missing at the end."""
        ...


@dataclass(frozen=True, eq=False)
class Options:
    """What many requests have in common: a handle set up for it is kept for the next.

    Compared by identity, so make one and keep it. `method` and `body` belong to
    it; `limit` is the most decoded bytes a response may have, `keep` how many
    of them are kept; `decoder` undoes a compression that the server need not
    declare, `accept_encoding` lets libcurl negotiate one.
    """

    method: str = "GET"
    body: bytes | None = None
    fresh: bool = True  # a connection of its own for each request
    http_version: int = 0  # one of pycurl's HTTP_VERSION numbers, 0 for its default
    settings: tuple[tuple[int, object], ...] = ()  # further options as libcurl takes them
    limit: int = DEFAULT_SIZE_LIMIT
    keep: int = 0
    decoder: Callable[[], Decoder] | None = None
    accept_encoding: str | None = None
    certificates: bool = False  # gather the peer's chain, TLS version and cipher
    reusable: bool = True  # False when `settings` hold secrets that may change


@dataclass(slots=True)
class TLSFacts:
    """What is known of a TLS connection: version and cipher in OpenSSL's words."""

    version: str = ""
    cipher: str = ""
    chain: tuple[str, ...] = ()  # PEM, the leaf first, as the peer sent it


class Exchange:
    """A request, and after `done` was called its response or its failure.

    Times are seconds since libcurl began: `connected`, `secured` (0 without
    TLS), `first_byte`, `ended`; 0 for what was not reached. `header_lines` are
    those of the final response, the status line first, undecoded.
    """

    __slots__ = (
        "body", "cancelled", "connect_to", "connected", "content_length", "deadline", "done",
        "ended", "error", "failure", "first_byte", "header_lines", "headers", "http_version",
        "options", "peer", "secured", "size", "slot", "status", "tls", "url", "user",
    )  # fmt: skip

    def __init__(
        self,
        url: str,
        options: Options,
        deadline: float,
        done: Callable[["Exchange"], None],
        *,
        headers: tuple[str, ...] = (),
        connect_to: str = "",
        user: object = None,
    ) -> None:
        """`deadline` is on the clock `time.monotonic`; `connect_to` is `::address:port`."""
        self.url = url
        self.options = options
        self.deadline = deadline
        self.done = done
        self.headers = headers
        self.connect_to = connect_to
        self.user = user
        self.cancelled = False
        self.slot: object = None
        self.failure: Failure | None = None
        self.error = ""
        self.status = 0
        self.http_version = 0
        self.header_lines: list[bytes] = []
        self.body = b""
        self.size = 0
        self.content_length = -1
        self.connected = self.secured = self.first_byte = self.ended = 0.0
        self.peer = ""
        self.tls: TLSFacts | None = None


class Sink:
    """Takes a response body: counts it, keeps its start, stops it at a limit."""

    __slots__ = ("_decoder", "_keep", "_kept", "_limit", "_options", "error", "failure", "size")

    def __init__(self, options: Options) -> None:
        self._options = options
        self._limit = options.limit
        self._keep = options.keep
        self.reset()

    def reset(self) -> None:
        """Make ready for the next response."""
        new_decoder = self._options.decoder
        self._decoder = new_decoder() if new_decoder is not None else None
        self._kept: list[bytes] = []
        self.size = 0
        self.failure: Failure | None = None
        self.error = ""

    def write(self, data: bytes) -> int | None:
        """Take a piece; return -1, which makes libcurl stop, when it is one too many."""
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data, self._limit - self.size + 1)
            except ValueError as error:
                self.failure, self.error = Failure.BODY, str(error)
                return -1
        room = self._keep - self.size
        if room > 0:
            self._kept.append(data if len(data) <= room else data[:room])
        self.size += len(data)
        if self.size > self._limit:
            self.failure = Failure.SIZE
            self.error = f"the body is larger than {self._limit} bytes"
            self.size = self._limit
            return -1
        return None

    def finish(self) -> None:
        """Look, at the end of a whole response, whether what was compressed is whole too."""
        if self._decoder is not None and self.failure is None:
            try:
                self._decoder.finish()
            except ValueError as error:
                self.failure, self.error = Failure.BODY, str(error)

    def body(self) -> bytes:
        """Return what was kept."""
        return self._kept[0] if len(self._kept) == 1 else b"".join(self._kept)
