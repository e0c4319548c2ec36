"""The list of targets over the whole application, and what its forms do."""

from pathlib import Path

from controlplane.targets.index import State
from tests.unit.ui.console import Reader, console, words
from tests.unit.ui.samples import put

_SLOW = {"scrape_interval": "1h", "evaluation_interval": "1h"}
_URL = "http://127.0.0.1:1/"
_FLEET = [
    {"name": "api", "url": _URL, "labels": {"team": "web"}},
    {"name": "db", "url": _URL, "labels": {"team": "infra"}},
]


def state(reader: Reader, name: str) -> State:
    """Return how a target stands."""
    target = reader.on.targets.named(name)
    assert target is not None
    return reader.on.targets.state(target)


async def test_an_empty_list_says_what_to_do_next(tmp_path: Path) -> None:
    """Without targets: add one. Where none fits: look at all."""
    async with console(tmp_path) as reader:
        assert "Nothing is watched yet" in await reader.get("/targets")
    other = tmp_path / "other"
    other.mkdir()
    async with console(other, **{"global": _SLOW}, targets=_FLEET) as reader:
        page = await reader.get("/targets?search=nothing-like-this")
        assert "No target fits" in page
        assert 'value="nothing-like-this"' in page


async def test_rows_have_latency_and_uptime_of_samples(tmp_path: Path) -> None:
    """The last probe in milliseconds, the share of good ones in per cent."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_FLEET) as reader:
        target, now = reader.on.targets.named("api"), reader.now
        assert target is not None
        labels = dict(target.labels())
        await put(
            reader,
            ({**labels, "__name__": "probe_duration_seconds"}, [(now - 500, 0.25)]),
            ({**labels, "__name__": "probe_success"}, [(now - 900, 1.0), (now - 500, 0.0)]),
        )
        text = words(await reader.get("/targets"))
    assert "50.00%" in text
    assert "2 targets" in text
    assert text.index("api") < text.index("db")


async def test_lists_are_addresses(tmp_path: Path) -> None:
    """Search, matchers and order stand in the address; bad ones are told of and kept."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_FLEET) as reader:
        found = words(await reader.get("/targets?match=team%3D%22web%22&sort=-name"))
        assert "1 target" in found
        page = await reader.get("/targets?match=x%7B%3Cb%3E", 422)
        assert 'role="alert"' in page
        assert 'value="x{&lt;b&gt;"' in page
        assert "sorted by" in await reader.get("/targets?sort=colour", 422)
        ordered = await reader.get("/targets?sort=-name")
    assert ordered.index(">db</a>") < ordered.index(">api</a>")
    assert 'aria-sort="descending"' in ordered


async def test_a_hundred_to_a_page(tmp_path: Path) -> None:
    """The next page goes on where this one ends."""
    fleet = [{"name": f"t{n:03}", "url": _URL} for n in range(130)]
    async with console(tmp_path, **{"global": _SLOW}, targets=fleet) as reader:
        first = await reader.get("/targets")
        after = first[first.index('rel="next" href="') + 17 :].partition('"')[0]
        second = await reader.get(after.replace("&amp;", "&"))
    assert "100 of 130 targets" in first
    assert ">t099</a>" in first
    assert ">t100</a>" not in first
    assert ">t129</a>" in second
    assert 'rel="next"' not in second


async def test_several_are_paused_and_resumed(tmp_path: Path) -> None:
    """Those that are ticked, also the file's; who was removed meanwhile is passed over."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_FLEET) as reader:
        ids = [entry.target.id for entry in reader.on.targets.entries()]
        answer = await reader.send(
            "/targets", {"do": "pause", "id": [*ids, "gone"], "back": "sort=state"}
        )
        assert answer.headers["location"] == "/targets?sort=state"
        assert "2%20targets%20paused" in answer.headers["set-cookie"]
        assert state(reader, "api") is State.PAUSED
        await reader.send("/targets", {"do": "resume", "id": ids[:1], "back": ""})
        assert state(reader, "api") is not State.PAUSED
        assert state(reader, "db") is State.PAUSED
        assert "paused db" in words(await reader.get("/targets?state=paused"))
        await reader.send("/targets", {"do": "explode", "id": ids}, 422)


async def test_nothing_happens_without_the_token_of_a_form(tmp_path: Path) -> None:
    """A page from elsewhere cannot pause what is watched."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_FLEET) as reader:
        ids = [entry.target.id for entry in reader.on.targets.entries()]
        answer = await reader.client.post("/targets", data={"do": "pause", "id": ids})
        assert answer.status_code == 403
        assert state(reader, "api") is not State.PAUSED
