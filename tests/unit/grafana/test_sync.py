"""A sync against a stand-in Grafana: what it makes, changes, prunes, repeats and leaves alone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from controlplane.errors import Forbidden, InvalidInput, Unauthorized, Unavailable
from controlplane.grafana.client import GrafanaClient
from controlplane.grafana.difference import Action, Change
from controlplane.grafana.ports import Board
from controlplane.grafana.sync import Wanted, sync
from controlplane.model.secret import Secret
from tests.support.clock import ManualClock
from tests.support.grafana import TOKEN, GrafanaStandIn, grafana


class Impatient(ManualClock):
    """A clock whose sleeps are over at once, and written down."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def there() -> Iterator[GrafanaStandIn]:
    """Give a Grafana that is empty."""
    with grafana() as state:
        yield state


@pytest.fixture
def clock() -> Impatient:
    """Give the clock of the client."""
    return Impatient()


@pytest.fixture
async def client(there: GrafanaStandIn, clock: Impatient) -> AsyncIterator[GrafanaClient]:
    """Give a client of it."""
    async with httpx.AsyncClient(base_url=there.url) as http:
        yield GrafanaClient(http, Secret(TOKEN), clock)


def board(uid: str, **changes: Any) -> Board:
    """Return a small dashboard of ours."""
    model = {"uid": f"ours-{uid}", "title": uid, "tags": ["ours"], "panels": [], **changes}
    return Board(f"ours-{uid}", "folder", model)


def wanted(*boards: Board) -> Wanted:
    """Return these dashboards as all that should be there."""
    return Wanted(boards, {"folder": "Folder"}, "ours", lambda uid: uid.startswith("ours-"))


def said(changes: list[Change]) -> list[tuple[str, str]]:
    """Return what was done, by title."""
    return [(change.title, change.action.value) for change in changes]


async def test_an_empty_grafana_gets_all(there: GrafanaStandIn, client: GrafanaClient) -> None:
    """Folders and dashboards are made, each once; a second run changes nothing."""
    both = wanted(board("a"), board("b"))
    assert said(await sync(client, both)) == [("a", "create"), ("b", "create")]
    assert there.folders == {"folder": "Folder"}
    assert there.placed == {"ours-a": "folder", "ours-b": "folder"}
    there.changed.clear()
    assert said(await sync(client, both)) == [("a", "unchanged"), ("b", "unchanged")]
    assert there.changed == []


async def test_a_difference_is_brought_over(there: GrafanaStandIn, client: GrafanaClient) -> None:
    """Only the dashboard that differs is saved, as the next version."""
    await sync(client, wanted(board("a"), board("b")))
    there.changed.clear()
    (first, second) = await sync(client, wanted(board("a", refresh="1m"), board("b")))
    assert (first.action, first.reasons) == (Action.UPDATE, ("refresh",))
    assert second.action is Action.KEEP
    assert there.changed == ["POST /api/dashboards/db"]
    assert there.boards["ours-a"]["refresh"] == "1m"
    assert there.boards["ours-a"]["version"] == 2


async def test_a_dry_run_changes_nothing(there: GrafanaStandIn, client: GrafanaClient) -> None:
    """It says what would be done, and sends only questions."""
    there.put({"uid": "ours-old", "title": "old", "tags": ["ours"], "panels": []})
    changes = await sync(client, wanted(board("a")), dry_run=True)
    assert said(changes) == [("a", "create"), ("old", "delete")]
    assert there.changed == []
    assert set(there.boards) == {"ours-old"}


async def test_only_what_is_ours_is_pruned(there: GrafanaStandIn, client: GrafanaClient) -> None:
    """Gone is what has our tag and our uid; a foreign uid, another tag and a file's stay."""
    for uid, tags in (("ours-old", ["ours"]), ("theirs", ["ours"]), ("ours-mine", ["x"])):
        there.put({"uid": uid, "title": uid, "tags": tags, "panels": []})
    there.put({"uid": "ours-file", "title": "file", "tags": ["ours"], "panels": []})
    there.provisioned.add("ours-file")
    changes = await sync(client, wanted(board("a")))
    assert said(changes) == [("a", "create"), ("ours-old", "delete"), ("file", "left alone")]
    assert set(there.boards) == {"ours-a", "theirs", "ours-mine", "ours-file"}


async def test_more_than_a_page_is_seen(there: GrafanaStandIn, client: GrafanaClient) -> None:
    """Of 1,500 dashboards that are no longer wanted none is left."""
    for number in range(1500):
        uid = f"ours-{number}"
        there.put({"uid": uid, "title": uid, "tags": ["ours"], "panels": []})
    found = await client.tagged("ours")
    assert len(found) == len(set(found)) == 1500


async def test_somebody_s_change_meanwhile_is_not_lost(
    there: GrafanaStandIn, client: GrafanaClient
) -> None:
    """A version that moved between question and answer is refused; the others go on."""
    await sync(client, wanted(board("a"), board("b")))

    def save_too(uid: str) -> None:
        if uid == "ours-a":
            there.boards[uid]["version"] += 1

    there.then = save_too
    changes = await sync(client, wanted(board("a", refresh="1m"), board("b", refresh="1m")))
    assert said(changes) == [("a", "refused"), ("b", "update")]
    assert "changed by someone else" in changes[0].reasons[0]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(
    there: GrafanaStandIn, client: GrafanaClient, clock: Impatient, status: int
) -> None:
    """Three answers that may pass, then a good one; pauses double, or are what was asked for."""
    there.troubles = [status] * 3
    assert said(await sync(client, wanted(board("a")))) == [("a", "create")]
    assert clock.slept == ([7, 7, 7] if status == 429 else [0.5, 1, 2])


async def test_what_does_not_pass_is_told(
    there: GrafanaStandIn, client: GrafanaClient, clock: Impatient
) -> None:
    """After four attempts it is an error with the last answer's words."""
    there.troubles = [503] * 4
    with pytest.raises(Unavailable, match=r"503 not now \(4 attempts\)"):
        await sync(client, wanted(board("a")))
    assert len(clock.slept) == 3


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (403, Forbidden), (400, InvalidInput)]
)
async def test_a_refusal_is_not_repeated(
    there: GrafanaStandIn,
    client: GrafanaClient,
    clock: Impatient,
    status: int,
    kind: type[Exception],
) -> None:
    """A wrong token, a missing role and a wrong request are told at once."""
    there.troubles = [status]
    with pytest.raises(kind, match="not now"):
        await sync(client, wanted(board("a")))
    assert clock.slept == []


async def test_a_wrong_token_is_not_shown(there: GrafanaStandIn, clock: Impatient) -> None:
    """The error says that the token is wrong, and not what it is."""
    async with httpx.AsyncClient(base_url=there.url) as http:
        client = GrafanaClient(http, Secret("hunter2"), clock)
        with pytest.raises(Unauthorized) as caught:
            await sync(client, wanted(board("a")))
    assert "hunter2" not in str(caught.value)


async def test_nobody_there_is_told(clock: Impatient) -> None:
    """A port where nobody listens is Unavailable after four attempts."""
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        with pytest.raises(Unavailable, match="does not answer"):
            await sync(GrafanaClient(http, Secret(TOKEN), clock), wanted(board("a")))
    assert len(clock.slept) == 3


async def test_something_else_than_grafana_is_told(clock: Impatient) -> None:
    """A page where JSON is due is Unavailable, and nothing is written."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, text="<html>"))
    async with httpx.AsyncClient(base_url="http://g", transport=transport) as http:
        with pytest.raises(Unavailable, match="not answered as Grafana does"):
            await sync(GrafanaClient(http, Secret(TOKEN), clock), wanted(board("a")))
