"""Asking targets for their pages over HTTP, through the transport's client."""

import asyncio
from collections.abc import Mapping
from typing import Final

from controlplane import __version__
from controlplane.errors import InvalidInput
from controlplane.scrape.exposition.formats import accept_header
from controlplane.scrape.job import Failure, ScrapeJob
from controlplane.scrape.options import MAX_BODY_BYTES, ScrapeConfig
from controlplane.scrape.ports import Fetched, Get
from controlplane.transport.client import Call, Client
from controlplane.transport.exchange import Failure as TransportFailure
from controlplane.transport.exchange import Options
from controlplane.transport.profile import Profile
from controlplane.transport.request import Request
from controlplane.transport.response import decode, header_value
from controlplane.transport.url import parse_url

_USER_AGENT: Final = f"controlplane/{__version__}"
_FAILURES: Final[Mapping[TransportFailure, Failure]] = {
    TransportFailure.DNS: Failure.DNS,
    TransportFailure.CONNECT: Failure.CONNECT,
    TransportFailure.TLS: Failure.TLS,
    TransportFailure.TIMEOUT: Failure.TIMEOUT,
    TransportFailure.CLOSED: Failure.CLOSED,
    TransportFailure.PROTOCOL: Failure.PROTOCOL,
    TransportFailure.SIZE: Failure.SIZE,
    TransportFailure.BODY: Failure.ENCODING,
    TransportFailure.REDIRECT: Failure.REDIRECT,
    TransportFailure.AUTH: Failure.AUTH,
    TransportFailure.PROXY: Failure.PROXY,
    TransportFailure.POLICY: Failure.POLICY,
    TransportFailure.CONFIG: Failure.CONFIG,
    TransportFailure.OVERLOAD: Failure.OVERLOAD,
}
_GRACE_SECONDS: Final = 1.0
# Profiles are made once for each configuration; old ones are let go in bulk.
_MOST_PROFILES: Final = 1024


class HttpFetch:
    """A Fetch. Connections are kept between scrapes, bodies are bounded, gzip is undone."""

    def __init__(self, client: Client) -> None:
        self._client = client
        # By identity: the configuration is kept so that its id stays its own.
        self._profiles: dict[int, tuple[ScrapeConfig, Profile]] = {}

    def __call__(self, job: ScrapeJob) -> Get:
        try:
            request = self._request(job)
        except InvalidInput as error:
            unusable = Fetched(failure=Failure.CONFIG, error=str(error))

            async def refuse() -> Fetched:
                return unusable

            return refuse

        seconds = job.timeout / 1000

        async def get() -> Fetched:
            try:
                # The client keeps the time itself; this holds should it ever not.
                async with asyncio.timeout(seconds + _GRACE_SECONDS):
                    return _fetched(await self._client.fetch(request, seconds))
            except TimeoutError:
                return Fetched(failure=Failure.TIMEOUT, error=f"no end within {seconds:g} s")

        return get

    def _request(self, job: ScrapeJob) -> Request:
        config = job.config
        headers = [
            ("Accept", accept_header(config.scrape_protocols)),
            ("User-Agent", _USER_AGENT),
            ("X-Prometheus-Scrape-Timeout-Seconds", f"{job.timeout / 1000:g}"),
        ]
        if not config.enable_compression:
            headers.append(("Accept-Encoding", "identity"))
        # A name with addresses of both kinds, such as localhost, may have its
        # server on the older kind only.
        return self._profile(config).request(parse_url(job.url), headers, prefer="ip4")

    def _profile(self, config: ScrapeConfig) -> Profile:
        known = self._profiles.get(id(config))
        if known is not None:
            return known[1]
        limit = min(config.body_size_limit or MAX_BODY_BYTES, MAX_BODY_BYTES)
        encoding = "gzip" if config.enable_compression else None
        options = Options(fresh=False, limit=limit, keep=limit, accept_encoding=encoding)
        profile = Profile(config.http_client, options)
        if len(self._profiles) >= _MOST_PROFILES:
            self._profiles.clear()
        self._profiles[id(config)] = (config, profile)
        return profile


def _fetched(call: Call) -> Fetched:
    if call.failure is not None:
        return Fetched(failure=_FAILURES[call.failure], error=call.error)
    exchange = call.final
    if exchange is None:
        return Fetched(failure=Failure.PROTOCOL, error="no response")
    if exchange.status != 200:
        words = decode(exchange.header_lines[0]).partition(" ")[2].strip()
        failure = Failure.REDIRECT if call.refused_redirect else Failure.STATUS
        return Fetched(
            failure=failure, error=f"server returned HTTP status {words or exchange.status}"
        )
    return Fetched(exchange.body, header_value(exchange.header_lines, "content-type"))
