"""Status pages, and the page where people write for them, over the real application."""

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from controlplane.clock import SystemClock
from tests.unit.api.conftest import application

_CONFIG = """
global: {scrape_interval: 1h, evaluation_interval: 1h}
targets:
  - {name: cart, url: "http://127.0.0.1:1/secret", labels: {team: shop}}
  - {name: search, url: "http://127.0.0.1:1/", labels: {team: shop, job: "<script>"}}
status_pages:
  - name: main
    title: "Shop & more"
    host: localhost.example
    groups:
      - {name: Storefront, match: ['{team="shop"}']}
      - {name: Nothing, match: ['{team="none"}']}
  - {name: empty}
planned_maintenance:
  - {title: "New <disks>", match: ['{job="cart"}'], starts_at: "2020-01-01T00:00:00Z",
     ends_at: "2999-01-01T00:00:00Z", text: "Be patient."}
"""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application with two status pages."""
    async with application(tmp_path, _CONFIG) as client:
        yield client


async def token(site: httpx.AsyncClient) -> str:
    text = (await site.get("/incidents")).text
    return text.partition('name="csrf_token" value="')[2].partition('"')[0]


async def send(site: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await site.post("/incidents", data={"csrf_token": await token(site), **fields})


async def test_a_status_page_needs_no_script_and_no_console(site: httpx.AsyncClient) -> None:
    """Groups, services, maintenance; no navigation, no address of a target, no raw label."""
    answer = await site.get("/status/main")
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    for there in ("Shop &amp; more", "Storefront", "cart", "New &lt;disks&gt;", "Be patient."):
        assert there in answer.text
    for never in ("/targets", "secret", "csrf", "127.0.0.1:1"):
        assert never not in answer.text
    assert "No service is in this group yet." in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_status_page_is_kept_by_caches(site: httpx.AsyncClient) -> None:
    """It may be kept, by language, and one who has it is told so and no more."""
    answer = await site.get("/status/main")
    assert answer.headers["cache-control"].startswith("public, max-age=15")
    assert "stale-if-error" in answer.headers["cache-control"]
    assert "accept-language" in answer.headers["vary"]
    for _ in range(2):  # the page changes with the minute
        tag = (await site.get("/status/empty")).headers["etag"]
        same = await site.get("/status/empty", headers={"if-none-match": tag})
        if same.status_code == 304:
            break
    assert (same.status_code, same.content) == (304, b"")
    known = {"if-none-match": tag}
    german = await site.get("/status/empty", headers={"accept-language": "de", **known})
    assert german.status_code == 200
    assert '<html lang="de">' in german.text


@pytest.mark.parametrize("path", ["/status/empty", "/status/other"])
async def test_everybody_is_shown_the_same(site: httpx.AsyncClient, path: str) -> None:
    """What a reader chose in the console is no matter: caches do not know of it, nor is it kept."""
    wanted = {"cookie": "controlplane_language=de", "accept-language": "en"}
    answer = await site.get(path, headers=wanted)
    assert '<html lang="en">' in answer.text
    german = await site.get(path, params={"lang": "de"}, headers=wanted)
    assert '<html lang="de">' in german.text
    assert "set-cookie" not in german.headers


@pytest.mark.parametrize("accept", ["DE", "De-AT", "fr, DE;q=0.5"])
async def test_a_language_is_asked_for_in_any_letters(site: httpx.AsyncClient, accept: str) -> None:
    """Tags of languages have no case (RFC 9110, 8.5.1)."""
    answer = await site.get("/status/empty", headers={"accept-language": accept})
    assert answer.headers["content-language"] == "de"


async def test_a_page_that_is_not_there(site: httpx.AsyncClient) -> None:
    """Is not found, in each of its forms."""
    for path in ("other", "other.json", "other/feed.xml", "other/badge/x.svg", "main/badge/x.svg"):
        assert (await site.get(f"/status/{path}")).status_code == 404
    assert "No services are shown here yet." in (await site.get("/status/empty")).text


async def test_the_page_as_json_for_anybody(site: httpx.AsyncClient) -> None:
    """States and maintenance by name, readable by scripts of other pages."""
    answer = await site.get("/status/main.json")
    assert answer.headers["access-control-allow-origin"] == "*"
    document = answer.json()
    services = document["groups"][0]["services"]
    assert [service["name"] for service in services] == ["<script>", "cart"]
    assert services[1]["state"] == "maintenance"
    assert document["maintenance"][0]["under_way"] is True


async def test_badges_say_it_in_words(site: httpx.AsyncClient) -> None:
    """A badge is a picture whose text is escaped, of a service or of a group."""
    answer = await site.get("/status/main/badge/cart.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(answer.text).attrib["aria-label"] == "cart: maintenance"
    odd = await site.get("/status/main/badge/%3Cscript%3E.svg?show=uptime")
    assert ET.fromstring(odd.text).attrib["aria-label"].startswith("<script>: ")
    assert (await site.get("/status/main/badge/Storefront.svg")).status_code == 200


async def test_a_host_of_its_own_shows_the_page_and_nothing_else(tmp_path: Path) -> None:
    """The page, its feed, its badges and its files; not the console, not the API."""
    async with application(tmp_path, _CONFIG.replace("localhost.example", "localhost")) as site:
        assert "Storefront" in (await site.get("/")).text
        for there in ("/main.json", "/feed.xml", "/badge/cart.svg", "/status/main"):
            assert (await site.get(there)).status_code == 200
        for never in ("/targets", "/api/v1/targets", "/metrics", "/login", "/status/empty"):
            assert (await site.get(never)).status_code == 404
        console = await site.get("/", headers={"host": "127.0.0.1"})
        assert "Storefront" not in console.text
        assert console.status_code == 200


async def test_an_incident_is_begun_told_on_and_ended(site: httpx.AsyncClient) -> None:
    """Each form leads back with a word; page and feed show it, without who wrote it."""
    answer = await send(
        site, action="begin", title="<b>Slow", text="We look.", impact="degraded", service="cart"
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents")
    (incident,) = (await site.get("/api/v1/incidents")).json()["items"]
    assert incident["updates"][0]["by"] == "local"
    shown = (await site.get("/status/main")).text
    assert "&lt;b&gt;Slow" in shown
    assert "local</" not in shown
    for stage in ("monitoring", "resolved"):
        answer = await send(
            site, action="update", incident=incident["id"], text=f"now {stage}", stage=stage
        )
        assert answer.status_code == 303
    channel = ET.fromstring((await site.get("/status/main/feed.xml")).text)
    titles = [item.findtext("title") for item in channel.iter("item")]
    assert titles == ["<b>Slow: resolved", "<b>Slow: monitoring", "<b>Slow: investigating"]
    assert "No incident is open." in (await site.get("/incidents")).text
    await send(site, action="delete", incident=incident["id"])
    assert (await site.get("/api/v1/incidents")).json()["items"] == []


async def test_a_form_that_cannot_be_used_is_shown_again(site: httpx.AsyncClient) -> None:
    """With what is wrong, and with what was written."""
    for fields in (
        {"action": "begin", "title": "kept <i>", "text": " "},
        {"action": "begin", "title": "kept <i>", "text": "x", "stage": "odd"},
        {"action": "plan", "title": "kept <i>", "match": "{{{", "starts_at": "2999-01-01T00:00"},
        {"action": "plan", "title": "kept <i>", "match": '{a="b"}', "starts_at": "soon"},
    ):
        answer = await send(site, **fields)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert "kept &lt;i&gt;" in answer.text
    assert (await send(site, action="odd")).status_code == 422
    assert (
        await send(site, action="update", incident="x", stage="resolved", text="y")
    ).status_code == 404


async def test_maintenance_is_planned_and_ended(site: httpx.AsyncClient) -> None:
    """The form takes times in UTC; what the file says has no button."""
    day = datetime.fromtimestamp(SystemClock().now() / 1000, UTC) + timedelta(days=2)
    fields = {"action": "plan", "title": "Switch", "match": '{job="cart"}'}
    ends_at = day.strftime("%Y-%m-%dT%H:%M")
    answer = await send(site, **fields, starts_at="2020-01-01T00:00", ends_at=ends_at)
    assert answer.status_code == 303
    (own,) = [
        each
        for each in (await site.get("/api/v1/maintenance")).json()["items"]
        if each["provenance"] == "api"
    ]
    assert own["ends_at"].startswith(ends_at)
    assert (own["created_by"], own["under_way"], own["targets"]) == ("local", True, 1)
    await send(site, action="end", plan=own["id"])
    assert "Switch" not in (await site.get("/incidents")).text
    listed = (await site.get("/api/v1/maintenance")).json()["items"]
    assert "New <disks>" in [each["title"] for each in listed]
    assert "of the file" in (await site.get("/incidents")).text
    file_owned = next(each for each in listed if each["provenance"] == "file")
    assert (await site.delete(f"/api/v1/maintenance/{file_owned['id']}")).status_code == 409


async def test_the_part_with_open_incidents_comes_alone(site: httpx.AsyncClient) -> None:
    """A script asks for the block that an event changes."""
    part = (await site.get("/incidents?part=open")).text
    assert "No incident is open." in part
    assert "<html" not in part


async def test_writing_needs_the_token_of_the_form(site: httpx.AsyncClient) -> None:
    """A form from elsewhere changes nothing."""
    answer = await site.post("/incidents", data={"action": "begin", "title": "x", "text": "y"})
    assert answer.status_code == 403
