"""Rules that another engine evaluates: its answers are there before the pass begins.

The rule-evaluation thread waits for nobody, so the event loop asks all
questions of a pass at once and hands the answers over. What a text's `query`
asks is known from the pass before; only a new one is waited for.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError, DeadlineExceeded
from controlplane.promql.values import Scalar, Vector
from controlplane.rules.ports import QueryFunc, RemoteQueries
from controlplane.tsdb.remote.options import Datasource

# What the texts of all alerts in one pass may cost the thread, and how many are remembered.
_TEXT_SECONDS: Final = 5.0
_MOST_TEXTS: Final = 200

Found = Vector | Scalar | ControlPlaneError


@dataclass(frozen=True, slots=True)
class Question:
    """An expression for an engine, at an instant."""

    engine: Datasource
    expr: str
    time: Timestamp

    @property
    def key(self) -> "_Key":
        # The options of an engine live as long as the group that names them.
        return id(self.engine), self.expr, self.time


_Key = tuple[int, str, Timestamp]


class Answers:
    """The answers of one pass, at `ts`. Belongs to the rule-evaluation thread."""

    def __init__(
        self, ts: Timestamp, found: dict[_Key, Found], late: Callable[[Question], Found]
    ) -> None:
        """`late` waits for an answer that is not there."""
        self._ts = ts
        self._found = found
        self._late = late
        self._asked: dict[tuple[str, Duration], Datasource] = {}

    def of(self, engine: Datasource, own: str) -> QueryFunc:
        """Return what evaluates the rule whose `own` expression this is, and its texts' queries."""

        def query(expr: str, ts: Timestamp) -> Vector | Scalar:
            question = Question(engine, expr, ts)
            if expr != own and len(self._asked) < _MOST_TEXTS:
                self._asked[expr, self._ts - ts] = engine
            found = self._found.get(question.key)
            if found is None:
                found = self._found[question.key] = self._late(question)
            if isinstance(found, ControlPlaneError):
                raise found
            return found

        return query

    def asked_again(self, ts: Timestamp) -> Sequence[Question]:
        """Return what texts asked besides the rules, as they would in a pass at `ts`."""
        return [
            Question(engine, text, ts - before) for (text, before), engine in self._asked.items()
        ]


class Pushdown:
    """Asks on the event loop for groups whose rules are evaluated elsewhere."""

    def __init__(self, remote: RemoteQueries, clock: Clock) -> None:
        self._remote = remote
        self._clock = clock

    async def ask(self, ts: Timestamp, questions: Sequence[Question], within: Duration) -> Answers:
        """Return the answers to questions of the pass at `ts`; errors are answers too."""
        until = self._clock.monotonic() + within / 1000
        distinct = {question.key: question for question in questions}
        found = await asyncio.gather(*(self._one(each, until) for each in distinct.values()))
        late = _Late(self._one, self._clock, asyncio.get_running_loop())
        return Answers(ts, dict(zip(distinct, found, strict=True)), late)

    async def _one(self, question: Question, until: float) -> Found:
        try:
            async with asyncio.timeout(until - self._clock.monotonic()):
                return await self._remote(question.engine, question.expr, question.time)
        except TimeoutError:
            return DeadlineExceeded("the datasource did not answer before the next evaluation")
        except ControlPlaneError as error:
            return error


class _Late:
    """Waits on the rule-evaluation thread, for a bounded time in all of a pass."""

    def __init__(
        self,
        ask: Callable[[Question, float], Coroutine[None, None, Found]],
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._loop = loop
        self._left = _TEXT_SECONDS

    def __call__(self, question: Question) -> Found:
        began = self._clock.monotonic()
        if self._left <= 0:
            return DeadlineExceeded("texts of alerts asked the datasource for too long")
        asking = asyncio.run_coroutine_threadsafe(
            self._ask(question, began + self._left), self._loop
        )
        found = asking.result()
        self._left -= self._clock.monotonic() - began
        return found
