"""Existing engines, asked by their query API: one client each, with a bound on questions."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from controlplane.clock import Clock, Timestamp
from controlplane.errors import (
    DeadlineExceeded,
    Forbidden,
    TooLarge,
    Unavailable,
)
from controlplane.model.duration import format_duration
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.traces import exemplar
from controlplane.transport.http_client import AnswerTooLarge, HTTPClients
from controlplane.tsdb.remote.answers import Answer, read_answer
from controlplane.tsdb.remote.metrics import DatasourceMetrics
from controlplane.tsdb.remote.options import Datasource
from controlplane.tsdb.remote.post import scrub

log = get_logger(__name__)

# Answers from this size on are decoded off the event loop.
_LARGE: Final = 64 << 10
# How much longer we wait than we ask the engine to take, so that its own words arrive.
_GRACE_SECONDS: Final = 1.0

# Parameters of a question, each with its values.
Parameters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Response:
    """A response as it came."""

    status: int
    content_type: str
    body: bytes


class Engine:
    """One query API. Its methods raise ControlPlaneError and nothing else."""

    def __init__(
        self,
        datasource: Datasource,
        clients: HTTPClients,
        *,
        clock: Clock,
        metrics: DatasourceMetrics,
    ) -> None:
        self.datasource = datasource
        self._client = clients.client(datasource.http_client, most=datasource.response_size_limit)
        self._free = asyncio.Semaphore(datasource.concurrency)
        self._clock = clock
        self._metrics = metrics
        self._told: frozenset[str] = frozenset()

    async def instant(self, expr: str, time: Timestamp) -> Answer:
        """Return what an expression gives at an instant."""
        wanted = {
            "query": (expr,),
            "time": (f"{time / 1000:.3f}",),
            "timeout": (format_duration(self.datasource.timeout),),
        }
        response = await self.post("/api/v1/query", wanted)
        if len(response.body) < _LARGE:
            answer = read_answer(response.status, response.body, time)
        else:
            answer = await asyncio.to_thread(read_answer, response.status, response.body, time)
        self._tell(expr, answer)
        return answer

    async def post(self, path: str, parameters: Parameters) -> Response:
        """Return the response to a form, whatever its status."""
        return await self._ask("POST", path, parameters)

    async def get(self, path: str, parameters: Parameters) -> Response:
        """Return the response to a query string, for paths that know no forms."""
        return await self._ask("GET", path, parameters)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, parameters: Parameters) -> Response:
        began = self._clock.monotonic()
        outcome = "failed"
        try:
            async with self._free:
                response = await self._send(method, path, parameters)
            outcome = "answered" if response.status < 300 else "refused"
            return response
        finally:
            self._metrics.questions.labels(outcome).inc()
            self._metrics.seconds.observe(self._clock.monotonic() - began, exemplar())

    async def _send(self, method: str, path: str, parameters: Parameters) -> Response:
        source = self.datasource
        # What the file says comes last: it may be what keeps tenants apart.
        given = {name: list(values) for name, values in {**parameters, **source.params}.items()}
        try:
            answer = await self._client.request(
                method,
                source.url.rstrip("/") + path,
                params=given if method == "GET" else None,
                data=given if method == "POST" else None,
                headers=dict(source.headers),
                timeout=source.timeout / 1000 + _GRACE_SECONDS,
            )
        except AnswerTooLarge:
            limit = source.response_size_limit
            raise TooLarge(f"the datasource's answer is over {limit} bytes") from None
        except httpx.TimeoutException:
            seconds = source.timeout / 1000
            raise DeadlineExceeded(f"the datasource did not answer within {seconds:g}s") from None
        except (httpx.HTTPError, httpx.InvalidURL, Forbidden) as error:
            words = scrub(f"{type(error).__name__}: {error}", source.url)
            raise Unavailable(f"the datasource does not answer: {words}") from None
        kind = answer.headers.get("content-type", "")
        return Response(answer.status_code, kind, answer.content)

    def _tell(self, expr: str, answer: Answer) -> None:
        """Pass on what the engine remarked, when it is not what it always remarks."""
        remarks = frozenset((*answer.warnings, *answer.infos))
        if fresh := remarks - self._told:
            log.info("datasource remarked", expr=expr, remarks=sorted(fresh))
            self._told = frozenset([*self._told, *fresh][-1000:])


class Engines:
    """The engines of the configuration in force, made when they are first asked."""

    def __init__(self, clients: HTTPClients, *, clock: Clock, metrics: DatasourceMetrics) -> None:
        self._clients = clients
        self._clock = clock
        self._metrics = metrics
        self._engines: list[Engine] = []

    def engine(self, datasource: Datasource) -> Engine:
        """Return the engine of these options. Raises InvalidInput for options that are none."""
        for engine in self._engines:
            if engine.datasource is datasource or engine.datasource == datasource:
                return engine
        made = Engine(datasource, self._clients, clock=self._clock, metrics=self._metrics)
        self._engines.append(made)
        return made

    async def keep_only(self, datasources: Sequence[Datasource]) -> None:
        """Close the engines of options that are no longer in force."""
        gone = [each for each in self._engines if each.datasource not in datasources]
        self._engines = [each for each in self._engines if each not in gone]
        for engine in gone:
            await engine.close()

    async def close(self) -> None:
        """Close all."""
        await self.keep_only(())
