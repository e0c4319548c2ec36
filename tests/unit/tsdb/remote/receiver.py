"""A receiver of remote write on loopback that remembers what it took, and fails on command."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from controlplane.ingest.incoming import Incoming
from controlplane.ingest.metadata import MetadataBook
from controlplane.ingest.remote_write import decompress, read_version_1, read_version_2
from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import Labels

Sample = tuple[int, float]
# Returns the answer to the request of this number (from 0), None to take it.
Judge = Callable[[int], web.Response | None]
# Returns the answer to what is in a request, None to take it.
Admit = Callable[[Incoming], web.Response | None]


@dataclass(slots=True)
class Receiver:
    """What came: bodies, headers, and the samples of each series in the order of arrival."""

    url: str = ""
    judge: Judge = lambda _number: None
    admit: Admit = lambda _incoming: None
    requests: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    samples: dict[Labels, list[Sample]] = field(default_factory=dict)
    histograms: dict[Labels, list[tuple[int, FloatHistogram]]] = field(default_factory=dict)
    book: MetadataBook = field(default_factory=lambda: MetadataBook(100))

    async def take(self, request: web.Request) -> web.Response:
        """Answer a request."""
        body = await request.read()
        self.requests.append(body)
        self.headers.append(request.headers)
        refused = self.judge(len(self.requests) - 1)
        if refused is not None:
            return refused
        version_2 = request.headers["X-Prometheus-Remote-Write-Version"] == "2.0.0"
        read = read_version_2 if version_2 else read_version_1
        incoming = read(decompress(body, 1 << 24), self.book)
        refused = self.admit(incoming)
        if refused is not None:
            return refused
        self.taken.append(body)
        self.keep(incoming)
        floats = len(incoming.times) - len(incoming.histograms)
        written = {
            "X-Prometheus-Remote-Write-Samples-Written": str(floats),
            "X-Prometheus-Remote-Write-Histograms-Written": str(len(incoming.histograms)),
        }
        return web.Response(status=204, headers=written if version_2 else {})

    def in_order(self, incoming: Incoming) -> web.Response | None:
        """Refuse as Prometheus does: the whole request, for one sample that comes too late."""
        newest = {key: self._newest(incoming.labels_of(key)) for key in incoming.keys}
        columns = zip(
            incoming.owners.tolist(),
            incoming.times.tolist(),
            incoming.values.tolist(),
            strict=True,
        )
        for owner, time, value in columns:
            key = incoming.keys[owner]
            last = newest[key]
            if last is not None and time < last[0]:
                return web.Response(status=400, text="out of order sample\n")
            if last is not None and time == last[0] and value != last[1]:
                return web.Response(status=400, text="duplicate sample for timestamp\n")
            newest[key] = time, value
        return None

    def _newest(self, labels: Labels) -> Sample | None:
        return self.samples[labels][-1] if labels in self.samples else None

    @property
    def times(self) -> dict[str, list[int]]:
        """The instants of each series, by its text."""
        return {str(labels): [t for t, _ in each] for labels, each in self.samples.items()}

    def keep(self, incoming: Incoming) -> None:
        """Remember the samples of a request."""
        series = [incoming.labels_of(key) for key in incoming.keys]
        columns = zip(
            incoming.owners.tolist(),
            incoming.times.tolist(),
            incoming.values.tolist(),
            strict=True,
        )
        for place, (owner, time, value) in enumerate(columns):
            histogram = incoming.histograms.get(place)
            if histogram is None:
                self.samples.setdefault(series[owner], []).append((time, value))
            else:
                self.histograms.setdefault(series[owner], []).append((time, histogram))


@asynccontextmanager
async def receiving(judge: Judge | None = None, port: int = 0) -> AsyncIterator[Receiver]:
    """Give a running receiver."""
    receiver = Receiver()
    if judge is not None:
        receiver.judge = judge
    application = web.Application()
    application.router.add_post("/write", receiver.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/write"
    try:
        yield receiver
    finally:
        await runner.cleanup()
