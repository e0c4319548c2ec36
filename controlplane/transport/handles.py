"""libcurl's easy handles: set up once for their options, and used over and over."""

from collections.abc import Callable
from typing import Any, Final

import pycurl

from controlplane.transport.exchange import Exchange, Failure, Options, Sink, TLSFacts
from controlplane.transport.multis import Multi, Multis
from controlplane.transport.response import ends_head, final_headers

_IDLE_KINDS: Final = 256  # sets of options whose handles are kept
_IDLE_EACH: Final = 1024
# Options that libcurl has and pycurl has no name for.
_SUPPRESS_CONNECT_HEADERS: Final = 265
_CONTENT_LENGTH: Final = pycurl.CONTENT_LENGTH_DOWNLOAD_T
_TLS_LINE: Final = "SSL connection using "

_TLS_CODES: Final = frozenset((35, 51, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98))
# libcurl's codes that are not about TLS, in libcurl-errors(3)'s numbers.
_CODES: Final = {
    1: Failure.CONFIG,  # a scheme that is not HTTP
    3: Failure.CONFIG,  # a malformed URL
    4: Failure.CONFIG,  # not built in
    5: Failure.DNS,  # the proxy's name
    6: Failure.DNS,
    7: Failure.CONNECT,
    18: Failure.CLOSED,  # before the announced length
    28: Failure.TIMEOUT,
    45: Failure.CONNECT,  # the local address
    52: Failure.CLOSED,  # without a byte
    55: Failure.CLOSED,
    56: Failure.CLOSED,
    63: Failure.SIZE,
    94: Failure.AUTH,
    96: Failure.CONNECT,  # QUIC
    97: Failure.PROXY,
    100: Failure.SIZE,  # too much header
}


# Where a code has several meanings, libcurl's words tell which.
_WORDS: Final = {
    1: (("HTTP/0.9", Failure.PROTOCOL),),  # what came is not HTTP at all
    7: (("CONNECT tunnel", Failure.PROXY), ("over proxy", Failure.PROXY)),
    55: (("Failed to connect", Failure.CONNECT),),  # QUIC
    56: (
        ("alert", Failure.TLS),
        ("CONNECT tunnel", Failure.PROXY),
        ("Failed to connect", Failure.CONNECT),
        ("chunk", Failure.PROTOCOL),
    ),
}


def failure_of(code: int, message: str) -> Failure:
    """Return what a code of libcurl means; unknown ones are faults of the protocol."""
    if code in _TLS_CODES:
        return Failure.TLS
    for words, failure in _WORDS.get(code, ()):
        if words in message:
            return failure
    return _CODES.get(code, Failure.PROTOCOL)


# Bodies that are kept whole are read in pieces of this many bytes, a turn of the loop each.
_LARGE: Final = 256 << 10


class Slot:
    """An easy handle, the multi handle that serves it, and the exchange that it carries."""

    __slots__ = (
        "_connect_to",
        "_headers",
        "_info",
        "_lines",
        "_listens",
        "_sink",
        "_url",
        "curl",
        "exchange",
        "multi",
        "options",
    )

    def __init__(self, options: Options, multi: Multi) -> None:
        self.multi = multi
        self.curl: Any = pycurl.Curl()
        self.curl.slot = self
        self._info = self.curl.getinfo
        self.options = options
        self._url = ""
        self._connect_to = ""
        self._listens = False
        self._headers: tuple[str, ...] = ()
        self.exchange: Exchange | None = None
        self._lines: list[bytes] = []
        self._sink = Sink(options)
        _set_up(self.curl, options)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._sink.write)

    def load(self, exchange: Exchange, seconds: float) -> None:
        """Set what this one exchange wants; what is as before is left alone."""
        curl = self.curl
        if exchange.url != self._url:
            curl.setopt(pycurl.URL, exchange.url)
            self._url = exchange.url
        if exchange.connect_to != self._connect_to:
            curl.setopt(pycurl.CONNECT_TO, [exchange.connect_to] if exchange.connect_to else [])
            self._connect_to = exchange.connect_to
        if exchange.headers is not self._headers:
            curl.setopt(pycurl.HTTPHEADER, list(exchange.headers))
            self._headers = exchange.headers
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        self._lines.clear()
        self._sink.reset()
        if exchange.options.certificates:
            self._listen(exchange)
        self.exchange = exchange

    def _listen(self, exchange: Exchange) -> None:
        # libcurl's chatter costs time, so it is asked for where there is something to hear.
        secure = exchange.url.startswith("https:")
        if secure != self._listens:
            self.curl.setopt(pycurl.VERBOSE, int(secure))
            self._listens = secure
        if secure:
            exchange.tls = facts = TLSFacts()
            self.curl.setopt(pycurl.DEBUGFUNCTION, _listener(facts))

    def unload(self, *, whole: bool) -> Exchange:
        """Return the exchange with what libcurl knows of its end, `whole` when that is good."""
        exchange, sink, info = self.exchange, self._sink, self._info
        assert exchange is not None  # noqa: S101 - loaded before
        exchange.header_lines = final_headers(self._lines.copy())
        exchange.status = info(pycurl.RESPONSE_CODE)
        exchange.http_version = info(pycurl.INFO_HTTP_VERSION)
        exchange.connected = info(pycurl.CONNECT_TIME_T) / 1e6
        # What goes through a proxy may be secured on the way to it; its handles are of one use.
        if exchange.url.startswith("https:") or not exchange.options.reusable:
            exchange.secured = info(pycurl.APPCONNECT_TIME_T) / 1e6
        exchange.first_byte = info(pycurl.STARTTRANSFER_TIME_T) / 1e6
        exchange.ended = info(pycurl.TOTAL_TIME_T) / 1e6
        exchange.content_length = info(_CONTENT_LENGTH)
        exchange.peer = info(pycurl.PRIMARY_IP)
        if whole:
            sink.finish()
        exchange.size = sink.size
        exchange.body = sink.body()
        exchange.failure, exchange.error = sink.failure, sink.error
        if whole and not ends_head(exchange.header_lines):
            exchange.failure, exchange.error = Failure.CLOSED, "the peer closed within the head"
        if exchange.tls is not None:
            exchange.tls.chain = _chain(info(pycurl.INFO_CERTINFO))
        return exchange


class HandlePool:
    """Idle handles by the options they are set up for."""

    def __init__(self, multis: Multis) -> None:
        self._multis = multis
        self._idle: dict[Options, list[Slot]] = {}

    def take(self, options: Options) -> Slot:
        """Return a handle that carries nothing."""
        idle = self._idle.get(options)
        return idle.pop() if idle else Slot(options, self._multis.serving(options))

    def give(self, slot: Slot) -> None:
        """Take back a handle that has been removed from the multi handle."""
        if not slot.options.reusable:
            slot.curl.close()
            return
        idle = self._idle.get(slot.options)
        if idle is None:
            if len(self._idle) >= _IDLE_KINDS:
                _close_all(self._idle.pop(next(iter(self._idle))))
            idle = self._idle[slot.options] = []
        if len(idle) < _IDLE_EACH:
            idle.append(slot)
        else:
            slot.curl.close()

    def close(self) -> None:
        """Close all idle handles."""
        for slots in self._idle.values():
            _close_all(slots)
        self._idle.clear()


def _close_all(slots: list[Slot]) -> None:
    for slot in slots:
        slot.curl.close()


def _set_up(curl: Any, options: Options) -> None:
    curl.setopt(pycurl.NOSIGNAL, 1)  # signals and threads do not go together
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)  # each hop is resolved and checked by us
    curl.setopt(pycurl.PROXY, "")  # the environment decides only where a module says so
    curl.setopt(_SUPPRESS_CONNECT_HEADERS, 1)
    if options.fresh:
        curl.setopt(pycurl.FRESH_CONNECT, 1)
        curl.setopt(pycurl.FORBID_REUSE, 1)
        curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    if options.http_version:
        curl.setopt(pycurl.HTTP_VERSION, options.http_version)
    if options.certificates:
        curl.setopt(pycurl.OPT_CERTINFO, 1)
    if options.accept_encoding is not None:
        curl.setopt(pycurl.ACCEPT_ENCODING, options.accept_encoding)
    if options.keep > _LARGE:
        curl.setopt(pycurl.BUFFERSIZE, _LARGE)
    _set_method(curl, options)
    for option, value in options.settings:
        curl.setopt(option, value)


def _set_method(curl: Any, options: Options) -> None:
    if options.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    if options.body is not None:
        curl.setopt(pycurl.POSTFIELDS, options.body)
        curl.setopt(pycurl.CUSTOMREQUEST, options.method)
    elif options.method not in ("GET", "HEAD"):
        curl.setopt(pycurl.CUSTOMREQUEST, options.method)


def _listener(facts: TLSFacts) -> Callable[[int, bytes], None]:
    """Return a listener to libcurl's chatter, the only place where it names the cipher."""

    def listen(kind: int, data: bytes) -> None:
        if kind == pycurl.INFOTYPE_TEXT and data.startswith(_TLS_LINE.encode()):
            words = data.decode("ascii", "replace")[len(_TLS_LINE) :].split(" / ")
            facts.version = words[0].strip()
            facts.cipher = words[1].strip() if len(words) > 1 else ""

    return listen


def _chain(certificates: list[tuple[tuple[str, str], ...]]) -> tuple[str, ...]:
    return tuple(
        value for certificate in certificates for name, value in certificate if name == "Cert"
    )
