"""Whole requests: resolved, checked, sent through the engine, redirected hop by hop.

One `Call` is one request's life. Its steps are callbacks on the event loop, so
that thousands of them cost no task each; `fetch` is the form to await.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Final

from controlplane.clock import Clock
from controlplane.errors import ControlPlaneError, InvalidInput
from controlplane.transport.cookies import Cookies
from controlplane.transport.engine import Engine
from controlplane.transport.exchange import Exchange, Failure
from controlplane.transport.policy import OutboundPolicy, is_numeric
from controlplane.transport.proxies import parse_proxy
from controlplane.transport.request import Credentials, Request, as_get
from controlplane.transport.resolver import Resolution, Resolver
from controlplane.transport.response import ends_head, header_value, header_values
from controlplane.transport.url import Url, follow

MAX_REDIRECTS: Final = 10
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
# What may be wrong with a redirect's own body, which nobody wants to read.
_OF_THE_BODY: Final = frozenset((Failure.SIZE, Failure.BODY, Failure.CLOSED))
# What Go's client does not send on to another host.
_SENSITIVE: Final = frozenset(("authorization", "www-authenticate", "cookie", "cookie2"))


@dataclass(slots=True)
class Hop:
    """One exchange of a chain: where it went, by which address or proxy."""

    url: Url
    resolution: Resolution | None = None
    proxy: Url | None = None
    proxy_address: str = ""
    exchange: Exchange | None = None


class Call:
    """A request under way, and its end: `failure` is None when there is a whole response.

    `redirects` counts the redirects met; `refused_redirect` tells that the last
    of them was not followed, so that its response is the final one. Seconds are
    those of the clock's monotonic time.
    """

    __slots__ = (
        "_client", "_cookies", "_done", "_left_host", "_timeout", "deadline", "ended",
        "error", "failure", "hops", "redirects", "refused_redirect", "request", "started",
    )  # fmt: skip

    def __init__(
        self, client: "Client", request: Request, timeout: float, done: Callable[["Call"], None]
    ) -> None:
        self._client = client
        self._done = done
        self._cookies: Cookies | None = None
        self._left_host = False
        self.request = request
        self.started = client.clock.monotonic()
        self.deadline = self.started + timeout
        self.ended = 0.0
        self.hops: list[Hop] = []
        self.redirects = 0
        self.refused_redirect = False
        self.failure: Failure | None = None
        self.error = ""

    @property
    def final(self) -> Exchange | None:
        """The exchange of the last hop, if it came to one."""
        return self.hops[-1].exchange if self.hops else None

    @property
    def duration(self) -> float:
        """Seconds from the beginning to the end."""
        return self.ended - self.started

    def remaining(self) -> float:
        """Return the seconds that are left."""
        return self.deadline - self._client.clock.monotonic()

    # The steps, in order. Each ends by calling the next, `fail` or `end`.

    def begin(self) -> None:
        """Look the first name up; what the hosts file knows goes out at once."""
        request, client = self.request, self._client
        known = None
        if request.plain:
            known = client.resolver.known(request.url.host, request.prefer, request.fallback)
        if known is None:
            self._lookup(request.url)
            return
        hop = Hop(request.url, known)
        self.hops.append(hop)
        if self._accepts(known):
            hop.exchange = exchange = request.plain_exchange(
                known.address, self.deadline, self.received
            )
            client.submit(exchange)

    def _lookup(self, url: Url) -> None:
        hop = Hop(url)
        self.hops.append(hop)
        proxy = self.request.proxy(url) if self.request.proxy is not None else ""
        if proxy:
            self._lookup_proxy(hop, proxy)
        else:
            self._lookup_target()

    def _lookup_proxy(self, hop: Hop, proxy: str) -> None:
        try:
            hop.proxy = parse_proxy(proxy)
        except InvalidInput as error:
            self.fail(Failure.CONFIG, f"proxy: {error}")
            return

        def resolved(resolution: Resolution) -> None:
            hop.proxy_address = resolution.address
            if self._accepts(resolution):
                if self.request.remote_names and not is_numeric(hop.url.host):
                    self.send(hop)
                else:
                    self._lookup_target()

        self._client.resolver.lookup(hop.proxy.host, resolved, timeout=self.remaining())

    def _lookup_target(self) -> None:
        request = self.request
        self._client.resolver.lookup(
            self.hops[-1].url.host,
            self._resolved,
            prefer=request.prefer,
            fallback=request.fallback,
            timeout=max(0.001, self.remaining()),
        )

    def _resolved(self, resolution: Resolution) -> None:
        hop = self.hops[-1]
        hop.resolution = resolution
        if self._accepts(resolution):
            self.send(hop)

    def _accepts(self, resolution: Resolution) -> bool:
        if resolution.error:
            timed_out = resolution.timed_out and self.remaining() <= 0.01
            self.fail(Failure.TIMEOUT if timed_out else Failure.DNS, resolution.error)
        elif not self._client.policy.allows(resolution.address):
            self.fail(Failure.POLICY, f"the outbound policy denies {resolution.address}")
        else:
            return True
        return False

    def send(self, hop: Hop) -> None:
        """Hand the hop to the engine, with credentials as they are now."""
        request = self.request
        try:
            if request.plain and self._cookies is None and hop.resolution is not None:
                exchange = request.plain_exchange(
                    hop.resolution.address, self.deadline, self.received
                )
            else:
                value = None
                if request.credentials is not None and not self._left_host:
                    value = request.credentials.header()
                    if value is None:
                        self._client.later(self._refresh(hop, request.credentials))
                        return
                exchange = request.exchange(
                    hop.url,
                    hop.resolution.address if hop.resolution is not None else "",
                    self.deadline,
                    self.received,
                    authorization=value or "",
                    cookie=self._cookies.header(hop.url) if self._cookies is not None else "",
                    proxy=hop.proxy,
                    proxy_address=hop.proxy_address,
                )
        except InvalidInput as error:
            self.fail(Failure.CONFIG, str(error))
        except ControlPlaneError as error:
            self.fail(Failure.AUTH, str(error))
        else:
            hop.exchange = exchange
            self._client.submit(exchange)

    async def _refresh(self, hop: Hop, credentials: Credentials) -> None:
        try:
            await credentials.refresh(self._client, max(0.001, self.remaining()))
        except ControlPlaneError as error:
            self.fail(Failure.AUTH, str(error))
        else:
            self.send(hop)

    def received(self, exchange: Exchange) -> None:
        """Take the response of a hop: follow it on, or end with it."""
        location = ""
        if exchange.status in _REDIRECTS and ends_head(exchange.header_lines):
            location = header_value(exchange.header_lines, "location")
        if location and exchange.failure in _OF_THE_BODY:
            exchange.failure, exchange.error = None, ""
        if exchange.failure is not None:
            self.fail(exchange.failure, exchange.error)
        elif location:
            self._redirect(exchange, location)
        else:
            self.end()

    def _redirect(self, exchange: Exchange, location: str) -> None:
        self.redirects += 1
        if not self.request.follow_redirects or self.redirects > MAX_REDIRECTS:
            self.refused_redirect = True
            self.end()
            return
        previous = self.hops[-1].url
        try:
            url = follow(previous, location)
        except InvalidInput as error:
            self.fail(Failure.REDIRECT, f"redirected to {location[:200]!r}: {error}")
            return
        self._keep_cookies(previous, exchange)
        self._left_host = self._left_host or url.host != self.hops[0].url.host
        try:
            self.request = self._redirected(exchange.status, url)
        except InvalidInput as error:
            self.fail(Failure.REDIRECT, str(error))
            return
        self._lookup(url)

    def _redirected(self, status: int, url: Url) -> Request:
        request, options = self.request, self.request.options
        changed = status in (301, 302, 303) and options.method not in ("GET", "HEAD")
        dropped = _SENSITIVE if self._left_host else frozenset()
        if url.authority != self.hops[-1].url.authority:
            dropped |= {"host"}
        if changed:
            options = as_get(options)
            dropped |= {"content-type", "content-length", "content-encoding"}
        headers = tuple(pair for pair in request.headers if pair[0].lower() not in dropped)
        return replace(
            request,
            url=url,
            options=options,
            headers=headers,
            server_name="" if self._left_host else request.server_name,
        )

    def _keep_cookies(self, url: Url, exchange: Exchange) -> None:
        values = header_values(exchange.header_lines, "set-cookie")
        if values:
            self._cookies = self._cookies or Cookies()
            self._cookies.take(url, values)

    def fail(self, failure: Failure, error: str) -> None:
        """End without a whole response."""
        self.failure, self.error = failure, error
        self.end()

    def end(self) -> None:
        """Tell whoever asked."""
        self.ended = self._client.clock.monotonic()
        self._done(self)

    def cancel(self) -> None:
        """Stop: nobody waits any more."""
        self._done = _ignore
        exchange = self.final
        if exchange is not None:
            self._client.engine.cancel(exchange)


class Client:
    """Sends requests. To be used on one event loop, which is the engine's."""

    def __init__(
        self, engine: Engine, resolver: Resolver, policy: OutboundPolicy, clock: Clock
    ) -> None:
        self.engine = engine
        self.resolver = resolver
        self.policy = policy
        self.clock = clock
        self._batch: list[Exchange] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, request: Request, timeout: float, done: Callable[[Call], None]) -> Call:
        """Send a request that may take `timeout` seconds; `done` is called once."""
        call = Call(self, request, timeout, done)
        call.begin()
        return call

    async def fetch(self, request: Request, timeout: float) -> Call:
        """Send a request and return its end; a failure is in the Call, never raised."""
        future: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        def done(call: Call) -> None:
            if not future.done():
                future.set_result(call)

        call = self.send(request, timeout, done)
        try:
            return await future
        except asyncio.CancelledError:
            call.cancel()
            raise

    def submit(self, exchange: Exchange) -> None:
        """Hand an exchange to the engine, together with others of this turn of the loop."""
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._flush)
        self._batch.append(exchange)

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        self.engine.submit(batch)

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Run a step that has to await something."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop what is awaited here. The engine is closed by whoever started it."""
        for task in tuple(self._tasks):
            task.cancel()


def _ignore(_call: Call) -> None:
    pass
