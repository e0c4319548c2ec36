"""Tells monitors elsewhere that all is well, for as long as it is."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import httpx

from controlplane.clock import Clock
from controlplane.errors import ControlPlaneError, Fenced, Forbidden
from controlplane.model.fence import Fence
from controlplane.model.secret import Secret
from controlplane.model.share import WHOLE, Share
from controlplane.notify.check_in import CheckInOptions, CheckInStatus, Result
from controlplane.notify.integrations.http import scrub
from controlplane.notify.ports import CheckInStore
from controlplane.notify.trying_metrics import TryingMetrics
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage
from controlplane.transport.options import HTTPClientConfig

log = get_logger(__name__)

# Returns an empty text while it holds, else what is wrong. It may raise ControlPlaneError.
Condition = Callable[[], Awaitable[str]]

# So many seconds a condition has to say whether it holds.
_CONDITION_SECONDS: Final = 5.0


class CheckIns:
    """Asks for each URL at its interval while every condition holds; else says why it does not.

    Where several replicas share the work, a check-in is one replica's; who
    takes one over begins at once. What came of it is kept, and known to all.
    """

    def __init__(
        self,
        conditions: Mapping[str, Condition],
        clients: Callable[[HTTPClientConfig], httpx.AsyncClient],
        store: CheckInStore,
        clock: Clock,
        metrics: TryingMetrics,
        share: Share = WHOLE,
    ) -> None:
        self._conditions = conditions
        self._clients = clients
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._check_ins: tuple[CheckInOptions, ...] = ()
        self._statuses: dict[str, CheckInStatus] = {}
        self._changed = asyncio.Event()
        self._unstored = Outage(log, clock.monotonic)
        self._share = share
        self._ours: frozenset[str] = frozenset()
        share.subscribe(self._share_changed)

    def configure(self, check_ins: Iterable[CheckInOptions]) -> None:
        """Have these from now on; each begins at once."""
        new = tuple(check_ins)
        if new != self._check_ins:
            self._check_ins = new
            self._ours = self._owned()
            self._changed.set()

    async def refresh(self, _names: Collection[str] | None = None) -> None:
        """Learn what came of the turns that other replicas made. Raises Unavailable."""
        for status in await self._store.load():
            if status.name not in self._ours:
                self._statuses[status.name] = status

    def statuses(self) -> Sequence[CheckInStatus]:
        """Return what came of the last turn of each, in the order of the file.

        Of those that other replicas make, as of the last `refresh`.
        """
        found = (self._statuses.get(each.name) for each in self._check_ins)
        return [status for status in found if status is not None]

    async def run(self) -> None:
        """Check in, each at its interval, until cancelled."""
        while True:
            self._changed.clear()
            async with asyncio.TaskGroup() as group:
                ours = [each for each in self._check_ins if each.name in self._ours]
                turns = [group.create_task(self._keep(each)) for each in ours]
                await self._changed.wait()
                for turn in turns:
                    turn.cancel()

    async def turn(self, options: CheckInOptions, client: httpx.AsyncClient) -> CheckInStatus:
        """Look whether all is well and tell the monitor, or say why not."""
        fence = self._fence(options.name)
        problems = await self._problems()
        url = options.fail_url if problems else options.url
        failure = ""
        if url is not None:
            failure = await _ask(options, client, url, tuple(problems))
        told = Result.FAILED if failure else Result.SENT
        result = Result.WITHHELD if problems else told
        words = "; ".join(f"{name}: {problem}" for name, problem in problems.items()) or failure
        status = CheckInStatus(options.name, result, self._clock.now(), words)
        self._note(status, failure)
        if fence is not None:
            await self._save(status, fence)
        return status

    def _owned(self) -> frozenset[str]:
        names = (each.name for each in self._check_ins)
        return frozenset(name for name in names if self._share.owns(_key(name)))

    def _fence(self, name: str) -> Fence | None:
        """Return what must still hold when a turn is kept; None when it does not."""
        try:
            return self._share.fence([_key(name)])
        except Fenced:
            return None

    async def _save(self, status: CheckInStatus, fence: Fence) -> None:
        try:
            await self._store.save(status, fence)
        except Fenced:
            return  # the replica that has it now says how it fares
        except ControlPlaneError as error:
            event = "check-in not stored"
            self._unstored.fails(event, check_in=status.name, reason=str(error))
        else:
            self._unstored.works("check-ins are stored again")

    def _share_changed(self) -> None:
        ours = self._owned()
        if ours != self._ours:
            self._ours = ours
            self._changed.set()

    async def _keep(self, options: CheckInOptions) -> None:
        begin, seconds = self._clock.monotonic(), options.interval / 1000
        async with self._clients(options.http_config) as client:
            while True:
                with correlated(new_correlation_id()):
                    await self.turn(options, client)
                # Turns keep to their beat, however long one takes.
                past = (self._clock.monotonic() - begin) % seconds
                await self._clock.sleep(seconds - past)

    async def _problems(self) -> Mapping[str, str]:
        """Return what is wrong, by the name of the condition."""
        found = await asyncio.gather(*(self._look(*each) for each in self._conditions.items()))
        return {
            name: problem for name, problem in zip(self._conditions, found, strict=True) if problem
        }

    async def _look(self, name: str, condition: Condition) -> str:
        try:
            async with asyncio.timeout(_CONDITION_SECONDS):
                problem = await condition()
        except TimeoutError:
            problem = f"no answer within {_CONDITION_SECONDS:g} s"
        except ControlPlaneError as error:
            problem = str(error)
        self._metrics.well.labels(name).set(not problem)
        return problem

    def _note(self, status: CheckInStatus, failure: str) -> None:
        before = self._statuses.get(status.name)
        self._statuses[status.name] = status
        self._metrics.check_ins.labels(status.name, status.result.value).inc()
        if status.result is Result.SENT:
            self._metrics.check_in_success.labels(status.name).set(status.at / 1000)
        if before is not None and before.result is status.result:
            return  # what stays as it was has been said
        if status.result is Result.WITHHELD:
            log.error("check-in withheld", check_in=status.name, problem=status.problem)
        elif status.result is Result.FAILED:
            log.warning("check-in failed", check_in=status.name, problem=status.problem)
        elif before is not None:
            log.info("check-in works again", check_in=status.name)
        if status.result is Result.WITHHELD and failure:
            log.warning("check-in failed", check_in=status.name, problem=failure)


def _key(name: str) -> str:
    """Return the key by which replicas share the check-in of a name."""
    return f"check-in/{name}"


async def _ask(
    options: CheckInOptions, client: httpx.AsyncClient, address: Secret, unwell: Sequence[str]
) -> str:
    """Ask for a URL; return what went wrong, without the URL, or nothing.

    Of what is `unwell` the names are told: the words may name hosts and files of ours.
    """
    url = ""
    try:
        url = address.reveal()
        method = "POST" if unwell else options.method
        body = f"not well: {', '.join(unwell)}".encode() if unwell else None
        seconds = options.timeout / 1000
        async with asyncio.timeout(seconds + 1):
            answer = await client.request(method, url, content=body, timeout=seconds)
    except TimeoutError:
        return f"no answer within {options.timeout / 1000:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, Forbidden) as error:
        return scrub(str(error) or type(error).__name__, url)
    except ControlPlaneError as error:
        return str(error)  # the file with the URL cannot be read
    return "" if answer.is_success else f"status {answer.status_code}"
