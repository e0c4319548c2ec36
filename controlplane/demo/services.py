"""Three sample services: real HTTP, real metrics, real traffic, and troubles in cycles.

Each listens on loopback, or where it is told to, counts its requests as the usual
client libraries do, and registers itself through the public API with the client
that the product ships. Its mood is a function of the seconds since the start, and of nothing else.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from controlplane import client
from controlplane.clock import Clock
from controlplane.demo.stories import FAILING, HEALTHY, SILENT
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_POLL_SECONDS: Final = 0.1
_REQUEST_SECONDS: Final = 5.0
_LONGEST_REQUEST: Final = 8_192
_MOST_IN_FLIGHT: Final = 100
# What a service knows of itself and a rule about scaling needs: name, help, value.
_OWN_LIMITS: Final = (
    ("service_cpu_limit_cores", "Cores that one replica may use.", float(os.cpu_count() or 1)),
    ("service_memory_limit_bytes", "Memory that one replica may use.", 512.0 * 1024**2),
    ("service_replicas", "Replicas that run.", 1.0),
    ("service_replicas_min", "Replicas that always run.", 1.0),
)


class Reach(StrEnum):
    """What happens to a connection."""

    ANSWERS = "answers"
    HANGS = "hangs"
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True)
class Mood:
    """How a service is: the part of its requests that fail, seconds for each, its reach."""

    error_ratio: float = 0.0
    latency: float = 0.02
    reach: Reach = Reach.ANSWERS


@dataclass(frozen=True, slots=True)
class Cycle:
    """Seconds of calm before the first trouble, of each trouble, and of calm after it."""

    first: float
    trouble: float
    calm: float


@dataclass(frozen=True, slots=True)
class Place:
    """The address that services listen at, empty for all, and the name by which it is reached."""

    bind: str = "127.0.0.1"
    name: str = "127.0.0.1"


CALM: Final = Mood()
HERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Profile:
    """A service by name. Its nth trouble is the nth of `troubles`, over and over.

    `dashboard` names the kind of its own that it asks for.
    """

    name: str
    cycle: Cycle | None = None
    troubles: tuple[Mood, ...] = ()
    dashboard: str | None = None

    def mood(self, elapsed: float) -> Mood:
        """Return the mood, `elapsed` seconds after the start."""
        if self.cycle is None or elapsed < self.cycle.first:
            return CALM
        round_, into = divmod(elapsed - self.cycle.first, self.cycle.trouble + self.cycle.calm)
        if into >= self.cycle.trouble:
            return CALM
        return self.troubles[int(round_) % len(self.troubles)]


def sample_profiles(cycle: Cycle) -> tuple[Profile, ...]:
    """Return the three: one healthy, one that fails slowly, one that falls silent."""
    return (
        Profile(HEALTHY),
        Profile(FAILING, cycle, (Mood(error_ratio=0.4, latency=0.8),), dashboard="red"),
        Profile(SILENT, cycle, (Mood(reach=Reach.REFUSES), Mood(reach=Reach.HANGS))),
    )


class Metrics:
    """What a service tells of its requests and of its process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests_total", "Requests by status.", ["code"], registry=self.registry
        )
        # Both are there from the start: a first failure is then an increase from 0.
        for status in (HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR):
            self.requests.labels(str(status.value))
        self.seconds = Histogram(
            "http_request_duration_seconds", "Time for each request.", registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        for name, summary, value in _OWN_LIMITS:
            Gauge(name, summary, registry=self.registry).set(value)


class SampleService:
    """One service: listens from `open` on, lives through its moods in `run`."""

    def __init__(self, profile: Profile, clock: Clock, place: Place = HERE) -> None:
        self.profile = profile
        self._place = place
        self._clock = clock
        self._metrics = Metrics()
        # Bound and never listening: it keeps the port while the service refuses.
        self._reservation = _bound_socket(place.bind, 0)
        self.port: int = self._reservation.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._answering = asyncio.Event()
        self._mood = CALM
        self._served = 0
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{self._place.name}:{self.port}"

    async def open(self) -> None:
        """Begin to listen."""
        await self._enter(CALM)

    async def run(self) -> None:
        """Follow the profile until cancelled."""
        start = self._clock.monotonic()
        while True:
            mood = self.profile.mood(self._clock.monotonic() - start)
            if mood != self._mood:
                log.info("sample service changes", service=self.profile.name, mood=str(mood))
                await self._enter(mood)
            await self._clock.sleep(_POLL_SECONDS)

    async def close(self) -> None:
        """Stop listening, cut every connection and give the port back."""
        if self._server is not None:
            self._server.close()
        self._reservation.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _enter(self, mood: Mood) -> None:
        self._mood = mood
        if mood.reach is Reach.ANSWERS:
            self._answering.set()
        else:
            self._answering.clear()
        if mood.reach is Reach.REFUSES:
            if self._server is not None:
                self._server.close()
                self._server = None
        elif self._server is None:
            sock = _bound_socket(self._place.bind, self.port)
            self._server = await asyncio.start_server(
                self._accept, sock=sock, limit=_LONGEST_REQUEST
            )

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # Whoever sends garbage, or goes away, gets no answer.
            with suppress(OSError, ValueError, LookupError, EOFError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_REQUEST_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                await self._answering.wait()
                path = head.split(b" ", 2)[1].decode()
                status, content_type, body = await self._answer(path)
                writer.write(_response(status, content_type, body))
                await writer.drain()
        finally:
            writer.close()

    async def _answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        if path == "/health":
            return HTTPStatus.OK, "text/plain", b"ok\n"
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._metrics.registry)
        if path != "/":
            return HTTPStatus.NOT_FOUND, "text/plain", b"no such page\n"
        return await self._work()

    async def _work(self) -> tuple[HTTPStatus, str, bytes]:
        mood, number = self._mood, self._served
        self._served += 1
        began = self._clock.monotonic()
        await self._clock.sleep(mood.latency)
        # Failures spread evenly: of 10 requests at 0.4, just 4.
        fails = int((number + 1) * mood.error_ratio) > int(number * mood.error_ratio)
        status = HTTPStatus.INTERNAL_SERVER_ERROR if fails else HTTPStatus.OK
        self._metrics.seconds.observe(self._clock.monotonic() - began)
        self._metrics.requests.labels(str(status.value)).inc()
        return status, "text/plain", b"failed\n" if fails else b"done\n"


class Traffic:
    """Users of a service: `rate` requests a second, however long each takes."""

    def __init__(self, service: SampleService, clock: Clock, rate: float) -> None:
        self._service = service
        self._clock = clock
        self._rate = rate
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send requests until cancelled."""
        try:
            while True:
                if len(self._in_flight) < _MOST_IN_FLIGHT:
                    task = asyncio.create_task(self._request())
                    self._in_flight.add(task)
                    task.add_done_callback(self._in_flight.discard)
                await self._clock.sleep(1 / self._rate)
        finally:
            for task in self._in_flight:
                task.cancel()

    async def _request(self) -> None:
        # A user who is not served goes away; the service's own numbers tell the rest.
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._service.port)
                try:
                    writer.write(b"GET / HTTP/1.1\r\nHost: sample\r\nConnection: close\r\n\r\n")
                    await reader.read()
                finally:
                    writer.close()


class SampleServices:
    """The services together, with their users, registered at a control plane."""

    def __init__(
        self,
        control_plane_url: str,
        *,
        clock: Clock,
        cycle: Cycle,
        token: str | None = None,
        interval: str = "1s",
        lease: str = "30s",
        labels: Mapping[str, str] | None = None,
        rate: float = 10.0,
        place: Place = HERE,
    ) -> None:
        self.services = tuple(
            SampleService(profile, clock, place) for profile in sample_profiles(cycle)
        )
        self._control_plane_url = control_plane_url
        self._clock = clock
        self._token = token
        self._interval = interval
        self._lease = lease
        self._labels = labels
        self._rate = rate

    async def run(self) -> None:
        """Listen, register, be used and follow the moods, until cancelled; then deregister."""
        for service in self.services:
            await service.open()
        registrations = [self._register(service) for service in self.services]
        try:
            async with asyncio.TaskGroup() as group:
                for service in self.services:
                    group.create_task(service.run())
                    group.create_task(Traffic(service, self._clock, self._rate).run())
        finally:
            await asyncio.gather(
                *(asyncio.to_thread(registration.close) for registration in registrations),
                *(service.close() for service in self.services),
            )

    def _register(self, service: SampleService) -> client.Registration:
        return client.register(
            service.profile.name,
            f"{service.url}/health",
            base_url=self._control_plane_url,
            token=self._token,
            interval=self._interval,
            labels=self._labels,
            metrics_url=f"{service.url}/metrics",
            lease=self._lease,
            dashboard=service.profile.dashboard,
            pace=client.Pace(first_retry=0.2, longest_retry=2.0, refused_retry=5.0),
        )


def _bound_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket. Two may share a port as long as only one of them listens."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.settimeout(0)
    return sock


def _response(status: HTTPStatus, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
