"""What evaluating rules needs of the rest of the program."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs
from controlplane.promql.values import Scalar, Vector
from controlplane.rules.state import Condition, RuleAlert
from controlplane.tsdb.ports import Appender, Querier, Queryable
from controlplane.tsdb.remote.options import Datasource


class QueryFunc(Protocol):
    """Evaluates an expression at an instant, on the rule-evaluation thread.

    Raises ControlPlaneError when it cannot, InvalidInput also for a result
    that is neither vector nor scalar.
    """

    def __call__(self, expr: str, ts: Timestamp) -> Vector | Scalar: ...


class Queries(QueryFunc, Protocol):
    """A QueryFunc that also tells what an expression reads."""

    def reads(self, expr: str, querier: Querier) -> Sequence[Refs]:
        """Return the series that each selector of the expression selects in a snapshot."""
        ...


class RemoteQueries(Protocol):
    """Has another engine evaluate an expression, on the event loop.

    Raises ControlPlaneError when there is no answer, InvalidInput also for a
    result that is neither vector nor scalar. Has time-outs of its own.
    """

    async def __call__(self, engine: Datasource, expr: str, ts: Timestamp) -> Vector | Scalar: ...


class AlertSink(Protocol):
    """Takes alerts; returns once they are durably accepted.

    Raises ControlPlaneError; Fenced, with none accepted, when what they were
    decided under holds no more.
    """

    async def __call__(self, alerts: Sequence[Alert], fence: Fence = OPEN) -> None: ...


@dataclass(frozen=True, slots=True)
class StateChange:
    """What one pass changed of a rule's alerts.

    `rule_id` is stable over restarts and reloads that keep the rule's file,
    group, name and labels. A change names an alert by its labels.
    """

    rule_id: str
    stored: Sequence[RuleAlert] = ()
    forgotten: Sequence[Labels] = ()

    def __bool__(self) -> bool:
        return bool(self.stored or self.forgotten)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An alert that stays as it was because its rule cannot tell, or of which it can again.

    `condition` is then `ok`.
    """

    labels: Labels
    at: Timestamp
    condition: Condition
    reason: str = ""


# Is told, on the event loop, of which alerts nobody can tell. Must not block.
Record = Callable[[Sequence[Doubt]], None]


class RuleStateStore(Protocol):
    """Keeps the alerts of rules over a restart, and for whoever takes a group over.

    Each call has its own time-out. Raises Unavailable, and Fenced, with nothing
    written, where a fence holds no more.
    """

    async def load(self, rule_ids: Collection[str]) -> Mapping[str, Sequence[RuleAlert]]:
        """Return what is kept of these rules, by rule id; nothing for one without alerts."""
        ...

    async def rule_ids(self) -> Collection[str]:
        """Return every rule of which something is kept."""
        ...

    async def save(self, changes: Sequence[StateChange], fence: Fence = OPEN) -> None:
        """Apply all changes in one transaction."""
        ...

    async def forget(self, rule_ids: Collection[str], fence: Fence = OPEN) -> None:
        """Drop what is kept of these rules."""
        ...


# How a group's last evaluation went, as JSON: written and read in reporting.py only.
Report = Mapping[str, Any]


class Reports(Protocol):
    """Lets replicas know how the groups fare that others evaluate.

    Each call has its own time-out. Raises ControlPlaneError; nothing that is
    decided depends on an answer.
    """

    async def publish(self, reports: Mapping[str, Report]) -> None:
        """Put these in the place of what is known of these groups, by group key."""
        ...

    async def read(self) -> Mapping[str, Report]:
        """Return what was published last of each group, by whichever replica."""
        ...


class SampleStore(Appender, Queryable, Protocol):
    """The sample store: what rules record goes in, what they watch is looked up."""

    def flush(self) -> bool:
        """Wait until what was appended by now is visible; False when that took too long."""
        ...
