"""What status pages show, incidents, and planned maintenance."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from controlplane.errors import Conflict, InvalidInput, NotFound, Unavailable
from controlplane.model.duration import DAY, HOUR, MINUTE
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.target import Provenance
from controlplane.model.time_interval import Span as Minutes
from controlplane.model.time_interval import TimeInterval
from controlplane.uptime.cells import UP, Level, empty_row, pack
from controlplane.uptime.copies import Copies
from controlplane.uptime.incident import Impact, Stage
from controlplane.uptime.incidents import Incidents
from controlplane.uptime.judging import overall, service_state, services_of
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.metrics import UptimeMetrics
from controlplane.uptime.options import PageGroup, StatusPage
from controlplane.uptime.pages import StatusPages
from controlplane.uptime.plans import Plans
from controlplane.uptime.reading import Uptime
from controlplane.uptime.view import ServiceState, document_of, view_of
from tests.support.clock import ManualClock
from tests.unit.uptime.world import NOON, Planned, Rollups, Written

SHOP = ((Matcher("team", MatchOp.EQUAL, "shop"),),)
TARGETS = [
    ("1", Labels({"job": "cart", "team": "shop"})),
    ("2", Labels({"job": "cart", "team": "shop"})),
    ("3", Labels({"job": "search", "team": "shop"})),
    ("4", Labels({"job": "hidden", "team": "infra"})),
]
PAGE = StatusPage("main", "Shop", groups=(PageGroup("Shop", SHOP),), host="status.example.org")


class World:
    """Status pages over targets whose state a test sets."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock(NOON)
        self.rollups, self.written, self.planned = Rollups(), Written(), Planned()
        self.well: dict[str, bool | None] = dict.fromkeys("1234", True)
        self.grouped: dict[str, list[str]] = {}
        self.directory = directory
        self.start()

    def start(self) -> None:
        """Begin a process anew."""
        self.incidents = Incidents(self.written, self.clock)
        self.plans = Plans(self.planned, self.clock, lambda: TARGETS, lambda: 1)
        self.pages = StatusPages(
            clock=self.clock,
            uptime=Uptime(self.rollups),
            incidents=self.incidents,
            plans=self.plans,
            well=lambda target, _now: self.well[target],
            targets=lambda: TARGETS,
            version=lambda: 1,
            grouped=lambda groups: self.grouped.update({k: list(v) for k, v in groups.items()}),
            metrics=UptimeMetrics(CollectorRegistry()),
            copies=Copies(self.directory),
        )
        self.pages.configure([PAGE])

    def states(self) -> dict[str, str]:
        view = self.pages.view("main")
        services = [service for group in view.groups for service in group.services]
        return {"": view.state, **{each.name: each.state for each in services}}

    def away(self, *, away: bool) -> None:
        self.rollups.away = self.written.away = away


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "status")


def plan(**changes: Any) -> Maintenance:
    return replace(Maintenance("disks", SHOP, NOON, NOON + HOUR), **changes)


@pytest.mark.parametrize(
    ("wells", "maintained", "state"),
    [
        ([True, True], 0, "operational"),
        ([True, None], 0, "operational"),
        ([True, False], 0, "degraded"),
        ([False, False], 1, "down"),
        ([None], 0, "unknown"),
        ([], 2, "maintenance"),
        ([True], 1, "operational"),
        ([], 0, "unknown"),
    ],
)
def test_a_service_stands_as_its_targets_do(
    wells: list[bool | None], maintained: int, state: str
) -> None:
    """Those in maintenance and those nobody knows of have no say beside others."""
    assert service_state(wells, maintained) == state


def test_many_are_down_only_when_all_are() -> None:
    """One that is down makes the whole degraded; maintenance alone does not."""
    up, down, care = ServiceState.OPERATIONAL, ServiceState.DOWN, ServiceState.MAINTENANCE
    unknown = ServiceState.UNKNOWN
    assert overall([up, down]) == ServiceState.DEGRADED
    assert overall([down, unknown]) == down
    assert overall([up, care, unknown]) == up
    assert overall([care]) == care
    assert overall([]) == unknown


def test_services_are_named_by_a_label() -> None:
    """Targets with the same value are one service; without the label the job names it."""
    assert services_of(PAGE.groups[0], TARGETS) == {"cart": ["1", "2"], "search": ["3"]}
    by_zone = PageGroup("Shop", SHOP, by="zone")
    assert list(services_of(by_zone, TARGETS)) == ["cart", "search"]


async def test_a_page_shows_states_at_once(world: World) -> None:
    """Nothing but two seconds lie between a probe's result and the page."""
    await world.pages.refresh()
    assert world.states() == {"": "operational", "cart": "operational", "search": "operational"}
    world.well["1"] = False
    world.clock.set(NOON + 2_000)
    assert world.states() == {"": "degraded", "cart": "degraded", "search": "operational"}
    assert world.grouped == {"group/main/Shop": ["1", "2", "3"]}
    assert world.pages.services() == ["Shop", "cart", "search"]
    with pytest.raises(NotFound):
        world.pages.view("other")


async def test_history_is_the_average_of_a_service(world: World) -> None:
    """One of two known for a day is half a day known; the group has its own."""
    row = empty_row(Level.DAY)
    row[Level.DAY.place_of(NOON - 5 * DAY), UP] = 86_400
    start = Level.DAY.row_of(NOON - 5 * DAY)
    await world.rollups.put(Level.DAY, start, [("1", pack(row)), ("group/main/Shop", pack(row))])
    await world.pages.refresh()
    group = world.pages.view("main").groups[0]
    assert [len(service.bars) for service in group.services] == [90, 90]
    assert group.services[0].bars[-6].up == 43_200
    assert group.services[0].bars[-6].ratio == 1.0
    assert group.whole.bars[-6].up == 86_400


async def test_what_a_person_says_counts_beside_probes(world: World) -> None:
    """An open incident makes the services it names as bad as it says, never better."""
    told: list[str] = []
    world.incidents.subscribe(lambda incident: told.append(incident.stage))
    incident = await world.incidents.open(
        "Slow", "We look.", by="ada", impact=Impact.DOWN, services=["search"]
    )
    assert world.states()["search"] == "down"
    await world.incidents.update(incident.id, "Found.", by="ada", stage=Stage.MONITORING)
    await world.incidents.update(incident.id, "Over.", by="bob", stage=Stage.RESOLVED)
    assert world.states()["search"] == "operational"
    view = world.pages.view("main")
    assert view.open_incidents() == []
    texts = [each.text for each in view.past_incidents()[0].updates]
    assert texts == ["We look.", "Found.", "Over."]
    assert told == ["investigating", "monitoring", "resolved"]
    world.clock.set(NOON + 15 * DAY)
    assert world.pages.view("main").incidents == ()


async def test_an_incident_of_another_page_is_not_shown(world: World) -> None:
    """One that names pages is on those alone."""
    await world.incidents.open("x", "y", by="ada", pages=["other"])
    assert world.pages.view("main").incidents == ()


async def test_an_incident_must_say_something(world: World) -> None:
    """Empty and overlong words are refused, and so is what is not there."""
    for title, text in (("", "x"), (" ", "x"), ("x", ""), ("x" * 201, "x"), ("x", "x" * 4_001)):
        with pytest.raises(InvalidInput):
            await world.incidents.open(title, text, by="ada")
    with pytest.raises(NotFound):
        await world.incidents.update("none", "x", by="ada", stage=Stage.RESOLVED)
    with pytest.raises(NotFound):
        await world.incidents.delete("none")
    kept = await world.incidents.open("x", "y", by="ada")
    await world.incidents.delete(kept.id)
    assert world.incidents.list() == [] == await world.written.load()


async def test_nothing_is_public_that_could_not_be_kept(world: World) -> None:
    """Durable first: while the database is away an incident is refused."""
    world.away(away=True)
    with pytest.raises(Unavailable):
        await world.incidents.open("x", "y", by="ada")
    assert world.pages.view("main").incidents == ()


async def test_maintenance_is_shown_and_is_no_failure(world: World) -> None:
    """Under way the service is in maintenance; before, it is announced; after, it is gone."""
    world.well.update({"1": False, "2": False, "3": False})
    kept = await world.plans.add(plan(starts_at=NOON + HOUR, ends_at=NOON + 2 * HOUR))
    shown = world.pages.view("main").maintenance
    assert [(each.title, each.under_way, each.services) for each in shown] == [
        ("disks", False, ("cart", "search"))
    ]
    assert world.states()[""] == "down"
    world.clock.set(NOON + HOUR)
    assert world.states() == {"": "maintenance", "cart": "maintenance", "search": "maintenance"}
    assert world.plans.maintained(NOON + HOUR) == {"1", "2", "3"}
    await world.plans.end(kept.id)
    assert world.plans.maintained(NOON + HOUR) == set()
    assert world.pages.view("main").maintenance == ()


async def test_plans_of_the_file_come_again(world: World) -> None:
    """They hold within their times, have no end, and are the file's."""
    at_noon = TimeInterval(times=(Minutes(12 * 60, 12 * 60 + 29),))
    world.plans.configure([Maintenance("backup", SHOP, times=(at_noon,))])
    assert world.plans.maintained(NOON) == {"1", "2", "3"}
    assert world.plans.maintained(NOON + 30 * MINUTE) == set()
    assert world.plans.maintained(NOON + DAY) == {"1", "2", "3"}
    (kept,) = world.plans
    assert kept.provenance is Provenance.FILE
    with pytest.raises(Conflict):
        await world.plans.end(kept.id)
    with pytest.raises(NotFound):
        await world.plans.end("none")


async def test_a_plan_must_be_one(world: World) -> None:
    """It has an end within a year, after its beginning, and says which targets."""
    wrong: list[dict[str, Any]] = [
        {"ends_at": None},
        {"ends_at": NOON},
        {"match": ()},
        {"title": " "},
    ]
    for changes in wrong:
        with pytest.raises(InvalidInput):
            plan(**changes)
    with pytest.raises(InvalidInput):
        await world.plans.add(plan(ends_at=NOON + 400 * DAY))


async def test_while_the_database_is_away_the_last_good_copy_is_shown(world: World) -> None:
    """States stay new, the rest is as it was, and the view tells since when."""
    await world.incidents.open("Slow", "We look.", by="ada")
    await world.pages.refresh()
    world.away(away=True)
    world.well["3"] = False
    world.clock.set(NOON + 10 * MINUTE)
    await world.pages.refresh()
    view = world.pages.view("main")
    assert view.read_at == NOON
    assert view.at == NOON + 10 * MINUTE
    assert [each.title for each in view.incidents] == ["Slow"]
    assert world.states()["search"] == "down"


async def test_the_copy_on_disk_bridges_a_restart(world: World) -> None:
    """A process that cannot read the database yet shows what the last one showed."""
    await world.incidents.open("Slow", "☃ <b>", by="ada", impact=Impact.NONE)
    await world.plans.add(plan())
    await world.pages.refresh()
    before = world.pages.view("main")
    world.away(away=True)
    world.start()
    world.clock.set(NOON + MINUTE)
    await world.pages.recall()
    await world.pages.refresh()
    assert world.pages.view("main") == before
    world.away(away=False)
    await world.pages.refresh()
    assert world.pages.view("main").at == NOON + MINUTE


async def test_a_broken_copy_is_passed_over(world: World) -> None:
    """Whatever lies there, the page is made of what is known."""
    world.directory.mkdir()
    for content in ("{", "[]", '{"name": 1}', json.dumps({"groups": 1})):
        (world.directory / "main.json").write_text(content)
        assert Copies(world.directory).load(["main", "other"]) == {}


async def test_a_view_can_be_written_down(world: World) -> None:
    """What is read again is what was written."""
    await world.incidents.open("Slow", "☃", by="ada", services=["cart"])
    await world.plans.add(plan())
    await world.pages.refresh()
    view = world.pages.view("main")
    assert view_of(json.loads(json.dumps(document_of(view)))) == view


def test_a_page_has_a_name_that_fits_an_address() -> None:
    """Names, hosts and groups are checked where they are written."""
    for name in ("", "A", "a/b", "a.json", "x" * 64):
        with pytest.raises(InvalidInput):
            StatusPage(name)
    for host in ("a:80", "http://a", "A.example", "-a"):
        with pytest.raises(InvalidInput):
            StatusPage("a", host=host)
    with pytest.raises(InvalidInput):
        StatusPage("a", groups=PAGE.groups * 2)
    with pytest.raises(InvalidInput):
        PageGroup("a", ())


def test_a_host_leads_to_its_page(world: World) -> None:
    """Only the whole name does."""
    assert world.pages.at_host("status.example.org") == "main"
    assert world.pages.at_host("example.org") == ""
    assert world.pages.host_of("main") == "status.example.org"
    assert world.pages.group("main", "Shop") == PAGE.groups[0]
    with pytest.raises(NotFound):
        world.pages.group("main", "Other")
