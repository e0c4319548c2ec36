"""The status pages: what each shows now, kept for when the database is away.

States come from memory and are always new. History, incidents and maintenance
come from the database once a minute; when it does not answer the last ones
stay, and the view tells how old they are. A copy on disk bridges a restart.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import NotFound, Unavailable
from controlplane.model.duration import DAY, MINUTE, SECOND
from controlplane.telemetry.logs import get_logger
from controlplane.uptime.copies import Copies
from controlplane.uptime.incident import Incident
from controlplane.uptime.incidents import Incidents
from controlplane.uptime.judging import overall, service_state, services_of, with_incidents
from controlplane.uptime.metrics import UptimeMetrics
from controlplane.uptime.options import PageGroup, StatusPage
from controlplane.uptime.plans import Plans
from controlplane.uptime.ports import Labelled
from controlplane.uptime.reading import Bar, Span, Uptime, group_subject, merged
from controlplane.uptime.view import (
    GroupView,
    MaintenanceView,
    PageView,
    ServiceView,
)

log = get_logger(__name__)

# The database is asked so often; history, which is days, less often.
_EVERY: Final = MINUTE
_HISTORY_EVERY: Final = 5 * MINUTE
# A view is made anew when it is older than this.
_VIEW_AGE: Final[Duration] = 2 * SECOND
_PAST_SHOWN: Final[Duration] = 14 * DAY
_AHEAD_SHOWN: Final[Duration] = 30 * DAY

# Returns whether a target is up at an instant; None when that is not known.
Well = Callable[[str, Timestamp], bool | None]


@dataclass(frozen=True, slots=True)
class _Group:
    """A group with the targets of each of its services."""

    group: PageGroup
    services: Mapping[str, Sequence[str]]


class StatusPages:
    """Makes views. Belongs to one event loop; `view` never waits."""

    def __init__(
        self,
        *,
        clock: Clock,
        uptime: Uptime,
        incidents: Incidents,
        plans: Plans,
        well: Well,
        targets: Callable[[], Sequence[Labelled]],
        version: Callable[[], int],
        grouped: Callable[[Mapping[str, Sequence[str]]], None],
        metrics: UptimeMetrics,
        copies: Copies,
    ) -> None:
        """`grouped` is told the members of every group."""
        self._clock = clock
        self._uptime = uptime
        self._incidents = incidents
        self._plans = plans
        self._well = well
        self._targets = targets
        self._version = version
        self._grouped = grouped
        self._metrics = metrics
        self._copies = copies
        self._pages: Mapping[str, StatusPage] = {}
        self._members: dict[str, Sequence[_Group]] = {}
        self._members_of = -1
        self._history: Mapping[str, Sequence[Bar]] = {}
        self._history_at: Timestamp = 0
        self._read_at: Timestamp = 0
        self._views: dict[str, PageView] = {}
        self._last: Mapping[str, PageView] = {}
        self._woken = asyncio.Event()
        incidents.subscribe(lambda _incident: self._views.clear())
        plans.subscribe(self._views.clear)

    def configure(self, pages: Sequence[StatusPage]) -> None:
        """Show these pages from now on."""
        self._pages = {page.name: page for page in pages}
        self._members_of = -1
        self._views.clear()
        self._history_at = 0
        self._woken.set()

    def names(self) -> Sequence[str]:
        """Return the names of the pages, in the order of the file."""
        return list(self._pages)

    def services(self) -> Sequence[str]:
        """Return the names of all services and groups that pages show."""
        shown = [each for name in self._pages for each in self._groups(name)]
        return sorted({name for each in shown for name in (each.group.name, *each.services)})

    def at_host(self, host: str) -> str:
        """Return the name of the page that has this host for itself, empty without one."""
        return next((page.name for page in self._pages.values() if page.host == host), "")

    def host_of(self, name: str) -> str:
        """Return the host that a page has for itself, empty without one."""
        page = self._pages.get(name)
        return "" if page is None else page.host

    def group(self, name: str, group: str) -> PageGroup:
        """Return a group of a page. Raises NotFound."""
        page = self._pages.get(name)
        for each in page.groups if page is not None else ():
            if each.name == group:
                return each
        raise NotFound(f"there is no group {group!r} on a status page {name!r}")

    def view(self, name: str) -> PageView:
        """Return what a page shows now. Raises NotFound."""
        page, now = self._pages.get(name), self._clock.now()
        if page is None:
            raise NotFound(f"there is no status page {name!r}")
        copy = self._last.get(name)
        if not self._read_at and copy is not None:
            return copy
        known = self._views.get(name)
        if known is None or not 0 <= now - known.at < _VIEW_AGE:
            known = self._views[name] = self._look(page, now)
        return known

    async def run(self) -> None:
        """Read the database once a minute, until cancelled."""
        await self.recall()
        while True:
            self._woken.clear()
            await self.refresh()
            await self._wait()

    async def recall(self) -> None:
        """Show what an earlier process showed, until the database has been read."""
        self._last = await asyncio.to_thread(self._copies.load, self.names())

    async def refresh(self) -> None:
        """Read what has changed in the database, and keep a copy of every page."""
        now = self._clock.now()
        try:
            await self._incidents.load()
            await self._plans.load()
            if now - self._history_at >= _HISTORY_EVERY:
                await self._read_history(now)
        except Unavailable as error:
            log.warning("status pages show what was last read", reason=str(error))
            return
        self._read_at = self._clock.now()
        self._views.clear()
        for name in self._pages:
            self._metrics.page_age.labels(name).set(self._read_at / 1000)
        views = [self.view(name) for name in self._pages]
        await asyncio.to_thread(self._copies.keep, views)

    async def _wait(self) -> None:
        waiting = asyncio.ensure_future(self._woken.wait())
        sleeping = asyncio.ensure_future(self._clock.sleep(_EVERY / 1000))
        try:
            await asyncio.wait((waiting, sleeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            sleeping.cancel()

    async def _read_history(self, now: Timestamp) -> None:
        subjects: set[str] = set()
        for name in self._pages:
            for each in self._groups(name):
                subjects.add(group_subject(name, each.group.name))
                subjects.update(*each.services.values())
        if subjects:
            self._history = await self._uptime.bars_of(subjects, Span.QUARTER, now)
        self._history_at = now

    def _groups(self, name: str) -> Sequence[_Group]:
        if self._members_of != (version := self._version()):
            self._members_of = version
            self._find_members()
        return self._members.get(name, ())

    def _find_members(self) -> None:
        targets, members = self._targets(), {}
        self._members = {}
        for page in self._pages.values():
            found = [_Group(group, services_of(group, targets)) for group in page.groups]
            self._members[page.name] = found
            for each in found:
                ids = sorted({one for ids in each.services.values() for one in ids})
                if ids:
                    members[group_subject(page.name, each.group.name)] = ids
        self._grouped(members)

    def _look(self, page: StatusPage, now: Timestamp) -> PageView:
        incidents = self._shown_incidents(page.name, now)
        maintained = self._plans.maintained(now)
        groups = []
        for each in self._groups(page.name):
            services = []
            for name, ids in each.services.items():
                wells = [self._well(one, now) for one in ids if one not in maintained]
                state = service_state(wells, len(ids) - len(wells))
                state = with_incidents(state, (name, each.group.name), incidents)
                services.append(ServiceView(name, state, self._bars(ids)))
            subject = group_subject(page.name, each.group.name)
            state = overall([service.state for service in services])
            whole = ServiceView(each.group.name, state, tuple(self._history.get(subject, ())))
            groups.append(GroupView(whole, tuple(services)))
        return PageView(
            name=page.name,
            title=page.title,
            text=page.text,
            state=overall([service.state for group in groups for service in group.services]),
            groups=tuple(groups),
            incidents=incidents,
            maintenance=self._shown_maintenance(page.name, now),
            at=now,
            read_at=self._read_at,
        )

    def _bars(self, ids: Sequence[str]) -> tuple[Bar, ...]:
        members = [self._history[one] for one in ids if one in self._history]
        if len(members) == 1:
            return tuple(members[0])
        return tuple(merged(members)) if members else ()

    def _shown_incidents(self, page: str, now: Timestamp) -> tuple[Incident, ...]:
        return tuple(
            each
            for each in self._incidents.list()
            if each.is_on(page)
            and (each.resolved_at is None or now - each.resolved_at < _PAST_SHOWN)
        )

    def _shown_maintenance(self, page: str, now: Timestamp) -> tuple[MaintenanceView, ...]:
        shown = []
        for plan in self._plans:
            covers = plan.covers(now)
            ahead = plan.starts_at > now and plan.starts_at - now < _AHEAD_SHOWN
            selected = self._plans.selected(plan) if covers or ahead else set()
            services = [
                name
                for each in self._groups(page)
                for name, ids in each.services.items()
                if not selected.isdisjoint(ids)
            ]
            if services:
                shown.append(
                    MaintenanceView(
                        id=plan.id,
                        title=plan.title,
                        text=plan.text,
                        starts_at=plan.starts_at,
                        ends_at=plan.ends_at,
                        under_way=covers,
                        services=tuple(services),
                    )
                )
        return tuple(shown)
