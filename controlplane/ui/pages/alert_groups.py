"""The groups of alerts as routing sees them, made ready to be shown."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from controlplane.api.alertmanager.answers import unhurried
from controlplane.api.surface import Surface
from controlplane.clock import Timestamp
from controlplane.errors import NotFound
from controlplane.model import links
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import EMPTY, Labels
from controlplane.mute.dependencies import TARGET
from controlplane.mute.silence import Silence
from controlplane.routing.ports import Flush
from controlplane.ui.pages.alert_filter import SEVERITY, AlertFilter, Standing

# What a page holds at most, so that it opens at once in a storm too.
MOST_GROUPS: Final = 100
MOST_ROWS: Final = 300
# Alerts of one group among others.
_FIRST_ROWS: Final = 12
# Past alerts that are looked through.
_PAST: Final = 1_000
_SEVERITIES: Final = ("critical", "page", "error", "warning", "info", "none")
# Labels that say which alert it is, not where.
_SAID: Final = frozenset({"alertname", SEVERITY})
_PLACES: Final = {standing: place for place, standing in enumerate(Standing)}
# Annotations that say in a line what is wrong, the best first.
_SUMMARIES: Final = ("summary", "message", "description")


@dataclass(frozen=True, slots=True)
class Cause:
    """What inhibits an alert: another one, with its page, or a target that is down."""

    name: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One alert of a list: how it stands, what is said of it, who has silenced it.

    Labels that are `above` it, its group's, are not shown with it again.
    """

    alert: Alert
    standing: Standing
    above: Labels = EMPTY
    silences: Sequence[Silence] = ()
    causes: Sequence[Cause] = ()

    @property
    def labels(self) -> Sequence[tuple[str, str]]:
        """The labels that do not stand above it already."""
        pairs = self.alert.labels.pairs
        return [pair for pair in pairs if pair[0] not in _SAID and pair[0] not in self.above]

    @property
    def summary(self) -> str:
        return summary(self.alert.annotations)

    @property
    def severity(self) -> str:
        return self.alert.labels.value(SEVERITY)

    @property
    def silence_link(self) -> str:
        """The form for a silence of just this alert."""
        return links.silence("", self.alert.labels)


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group: its first rows, how many more there are, and how all of them stand."""

    key: str
    receiver: str
    labels: Labels
    rows: Sequence[Row]
    counts: Mapping[Standing, int]
    since: Timestamp
    muted_by: Sequence[str]
    shared: Labels

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def unseen(self) -> int:
        return self.total - len(self.rows)

    @property
    def untold(self) -> bool:
        """Tell whether somebody could still take an alert of it on."""
        return self.counts.get(Standing.FIRING, 0) > 0

    @property
    def silence_link(self) -> str:
        """The form for a silence of the group: its labels, or what its alerts have in common."""
        return links.silence("", self.labels or self.shared)


@dataclass(frozen=True, slots=True)
class Survey:
    """What the page of alerts shows; `counts` are of alerts, each once, whatever their state."""

    groups: Sequence[GroupView]
    counts: Mapping[Standing, int]
    severities: Sequence[str]
    unseen_groups: int = 0
    ended: Sequence[Row] = ()

    @property
    def firing(self) -> int:
        """How many fire, told of or not."""
        return sum(n for standing, n in self.counts.items() if standing is not Standing.RESOLVED)


async def survey(on: Surface, wanted: AlertFilter, now: Timestamp) -> Survey:
    """Return the groups that hold wanted alerts, the worst first. Raises Unavailable."""
    look = _Look(on, now)
    groups: list[GroupView] = []
    counted: dict[Labels, Standing] = {}
    severities = set()
    for group in on.groups(now):
        if wanted.receiver and group.receiver != wanted.receiver:
            continue
        if wanted.group and group_id(group) != wanted.group:
            continue
        rows: list[Row] = []
        muted_by = on.outside_hours(group)
        async for alert in unhurried(group.alerts, on.clock):
            severities.add(alert.labels.value(SEVERITY))
            if wanted.takes(alert.labels):
                row = look.row(alert, group.group_labels, muted_by)
                # One that is told in any of its groups is told.
                if counted.get(alert.labels) is not Standing.FIRING:
                    counted[alert.labels] = row.standing
                if wanted.shows(row.standing):
                    rows.append(row)
        if rows:
            groups.append(_view(group, rows, muted_by))
    groups.sort(key=_urgency)
    ended = await _ended(on, wanted, look) if Standing.RESOLVED in wanted.states else ()
    return Survey(
        groups=_bounded(groups),
        counts=Counter(counted.values()),
        severities=sorted(filter(None, severities), key=lambda each: (_rank(each), each)),
        unseen_groups=max(0, len(groups) - MOST_GROUPS),
        ended=ended,
    )


def standing(
    silences: Sequence[Silence],
    inhibited_by: Sequence[str],
    muted_by: Sequence[str],
    *,
    ended: bool,
) -> Standing:
    """Return how an alert stands; of several reasons, the one that a person gave comes first."""
    if ended:
        return Standing.RESOLVED
    if silences:
        acknowledged = any(silence.until_resolved for silence in silences)
        return Standing.ACKNOWLEDGED if acknowledged else Standing.SILENCED
    if inhibited_by:
        return Standing.INHIBITED
    return Standing.MUTED if muted_by else Standing.FIRING


def summary(annotations: Mapping[str, str]) -> str:
    """Return what an alert says of itself in one line, empty where it says nothing."""
    texts = (annotations.get(name, "") for name in _SUMMARIES)
    return next((text.strip() for text in texts if text.strip()), "")


def causes(on: Surface, inhibited_by: Sequence[str]) -> list[Cause]:
    """Return what inhibits, by fingerprints of alerts or as `target/NAME`."""
    return [_cause(on, name) for name in inhibited_by]


def _cause(on: Surface, name: str) -> Cause:
    if name.startswith(TARGET):
        return Cause(name.removeprefix(TARGET))
    alert = on.alerts.get(name)
    said = name if alert is None else alert.name or str(alert.labels)
    return Cause(said, links.story("", name))


def group_id(group: Flush) -> str:
    """Return a short name of a group, the same as long as its route and labels are."""
    return sha256(f"{group.receiver}\0{group.group_key}".encode()).hexdigest()[:12]


def find_group(groups: Iterable[Flush], name: str) -> Flush:
    """Return the group that `group_id` names so. Raises NotFound."""
    for group in groups:
        if group_id(group) == name:
            return group
    raise NotFound("this group holds no alerts any more")


class _Look:
    """What is asked of muting once for each alert, however many groups it is in."""

    def __init__(self, on: Surface, now: Timestamp) -> None:
        self._on = on
        self.now = now
        self._known: dict[Labels, tuple[Sequence[Silence], Sequence[str]]] = {}

    def row(self, alert: Alert, above: Labels, muted_by: Sequence[str] = ()) -> Row:
        """Return the row of an alert."""
        silences, inhibited_by = self._muting(alert)
        return Row(
            alert=alert,
            standing=standing(silences, inhibited_by, muted_by, ended=self._ended(alert)),
            above=above,
            silences=silences,
            causes=causes(self._on, inhibited_by),
        )

    def _ended(self, alert: Alert) -> bool:
        return alert.status(self.now) is AlertStatus.RESOLVED

    def _muting(self, alert: Alert) -> tuple[Sequence[Silence], Sequence[str]]:
        if self._ended(alert):
            return (), ()
        if alert.labels not in self._known:
            silenced_by, inhibited_by = self._on.muting(alert.labels, self.now)
            silences = [self._on.silences.get(name) for name in silenced_by]
            self._known[alert.labels] = silences, inhibited_by
        return self._known[alert.labels]


def _view(group: Flush, rows: list[Row], muted_by: Sequence[str]) -> GroupView:
    rows.sort(key=lambda row: (_place(row.standing), _rank(row.severity), -row.alert.starts_at))
    first = rows[0].alert.labels
    shared = set(first.pairs).intersection(*(row.alert.labels.pairs for row in rows))
    return GroupView(
        key=group_id(group),
        receiver=group.receiver,
        labels=group.group_labels,
        rows=rows,
        counts=Counter(row.standing for row in rows),
        since=min(row.alert.starts_at for row in rows),
        muted_by=muted_by,
        shared=Labels(shared),
    )


def _bounded(groups: Sequence[GroupView]) -> Sequence[GroupView]:
    """Return the first groups, of one alone many rows, of several each its first ones."""
    if len(groups) == 1:
        return [_cut(groups[0], MOST_ROWS)]
    shown, left = [], MOST_ROWS
    for group in groups[:MOST_GROUPS]:
        cut = _cut(group, max(1, min(_FIRST_ROWS, left)))
        left -= len(cut.rows)
        shown.append(cut)
    return shown


def _cut(group: GroupView, most: int) -> GroupView:
    return GroupView(
        key=group.key,
        receiver=group.receiver,
        labels=group.labels,
        rows=group.rows[:most],
        counts=group.counts,
        since=group.since,
        muted_by=group.muted_by,
        shared=group.shared,
    )


async def _ended(on: Surface, wanted: AlertFilter, look: _Look) -> Sequence[Row]:
    """Return the alerts that ended last and do not fire again."""
    rows = [
        look.row(alert, EMPTY)
        for alert in await on.ledger.recent(_PAST)
        if wanted.takes(alert.labels)
        and _takes_receiver(wanted, on.receivers_of, alert)
        and not _fires(on.alerts.get(alert.fingerprint), look.now)
    ]
    return rows[:MOST_ROWS]


def _takes_receiver(
    wanted: AlertFilter, receivers_of: Callable[[Labels], Sequence[str]], alert: Alert
) -> bool:
    return not wanted.receiver or wanted.receiver in receivers_of(alert.labels)


def _fires(alert: Alert | None, now: Timestamp) -> bool:
    return alert is not None and alert.status(now) is AlertStatus.FIRING


def _urgency(group: GroupView) -> tuple[object, ...]:
    """Sort: what is told before what is not, the worst first, then what began last."""
    loud = [row for row in group.rows if row.standing is Standing.FIRING]
    worst = min(_rank(row.severity) for row in loud or group.rows)
    newest = max(row.alert.starts_at for row in group.rows)
    return (not loud, worst, -newest, group.labels.pairs, group.receiver)


def _place(standing: Standing) -> int:
    return _PLACES[standing]


def _rank(severity: str) -> int:
    known = severity.lower()
    return _SEVERITIES.index(known) if known in _SEVERITIES else len(_SEVERITIES)
