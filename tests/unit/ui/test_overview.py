"""The overview over the whole application: map, numbers, what fires, what changed."""

import re
from pathlib import Path

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from tests.unit.ui.console import Reader, console, words

_SLOW = {"scrape_interval": "1h", "evaluation_interval": "1h"}


def fleet(count: int, groups: int = 4) -> list[dict[str, object]]:
    """Return targets of the file that are probed once an hour."""
    return [
        {"name": f"t{n:03}", "url": "http://127.0.0.1:1/", "labels": {"job": f"j{n % groups}"}}
        for n in range(count)
    ]


def said(reader: Reader, summary: str, **labels: str) -> Alert:
    """Return an alert that fires now."""
    now = reader.now
    return Alert(
        Labels(labels), now, now + 3_600_000, now, annotations=Labels({"summary": summary})
    )


async def test_an_empty_fleet_says_what_to_do_next(tmp_path: Path) -> None:
    """Nothing is watched, nothing fires: add a target."""
    async with console(tmp_path) as reader:
        page = await reader.get("/")
    assert "Nothing is watched yet" in page
    assert page.count('href="/targets/new"') == 2
    assert "Nothing fires." in page
    assert "Every message arrives." in page
    assert "Nothing has changed since the start" in page


async def test_a_small_fleet_is_named_cells(tmp_path: Path) -> None:
    """Each with its state as sign, class and word, leading to its target."""
    async with console(tmp_path, **{"global": _SLOW}, targets=fleet(3)) as reader:
        target = reader.on.targets.named("t001")
        assert target is not None
        page = await reader.get("/")
    assert f'href="/targets/{target.id}"' in page
    assert page.count("cell cell-unknown") == 3
    assert "◌ t001 unknown" in words(page)
    assert "<path" not in page[page.index('id="fleet"') :]


async def test_a_large_fleet_is_drawn_in_groups(tmp_path: Path) -> None:
    """A block for each job, one path for each state, the number of targets beside its name."""
    async with console(tmp_path, **{"global": _SLOW}, targets=fleet(200)) as reader:
        page = await reader.get("/?part=fleet")
        other = await reader.get("/?part=fleet&by=instance")
    assert page.count('class="block"') == 4
    assert page.count("<path") == 16
    assert 'href="/targets?match=%7Bjob%3D%22j0%22%7D"' in page
    assert 'aria-label="0 up, 0 down, 50 unknown, 0 paused"' in page
    assert "t001" not in page
    assert other.count('class="block"') == 1


async def test_the_map_tells_its_script_what_is_where(tmp_path: Path) -> None:
    """Ids, states and names in the order of the blocks; a cell leads to its target."""
    async with console(tmp_path, **{"global": _SLOW}, targets=fleet(200)) as reader:
        target = reader.on.targets.named("t004")
        assert target is not None
        await reader.send("/targets", {"do": "pause", "id": [target.id], "back": ""})
        answer = (await reader.client.get("/fleet")).json()
        named = (await reader.client.get("/fleet?names=")).json()
        length, first = answer["length"], answer["blocks"][0]
        cell = first["ids"][length : 2 * length]
        followed = await reader.client.get(f"/fleet/{cell}")
        await reader.get("/fleet/nowhere", 404)
    assert [len(block["states"]) for block in answer["blocks"]] == [50] * 4
    assert first["states"][:3] == "npn"
    assert first["names"] is None
    assert named["blocks"][0]["names"][1] == "t004"
    assert target.id.startswith(cell)
    assert followed.headers["location"] == f"/targets/{target.id}"


async def test_what_fires_is_shown_by_severity(tmp_path: Path) -> None:
    """With numbers above; what an alert says of itself is text only."""
    script = "<script>alert(1)</script>"
    async with console(tmp_path) as reader:
        await reader.on.alerts.put(
            [
                said(reader, script, alertname="Disk", severity="critical", job=script),
                said(reader, "b", alertname="Slow", severity="warning", instance="a"),
                said(reader, "c", alertname="Slow", severity="warning", instance="b"),
                said(reader, "d", alertname="Odd"),
            ]
        )
        page = await reader.get("/")
        numbers = words(await reader.get("/?part=numbers"))
    assert "<script>alert" not in page
    text = words(page)
    assert script in text
    assert text.index("Disk") < text.index("Slow ×2") < text.index("Odd")
    assert "without severity" in text
    assert "1 critical 2 warning 1 other alerts" in numbers
    assert "firing Disk" in text[text.index("Last changes") :]


async def test_a_part_is_only_that_part(tmp_path: Path) -> None:
    """What the script asks for anew is the inside of one section."""
    async with console(tmp_path) as reader:
        for part in ("numbers", "fleet", "firing", "notifications", "changes"):
            text = await reader.get(f"/?part={part}")
            assert "<html" not in text
            assert "<h1" not in text
            assert text.strip()
        whole = await reader.get("/")
    parts = re.findall(r'hx-get="/\?part=(\w+)', whole)
    assert sorted(parts) == sorted(["numbers", "fleet", "firing", "notifications", "changes"])


async def test_targets_that_failed_are_the_last_changes(tmp_path: Path) -> None:
    """A reload and a target that went down, with its reason and the way to it."""
    targets = [{"name": "gone", "url": "http://127.0.0.1:1/", "interval": "1s"}]
    async with console(tmp_path, targets=targets) as reader:
        target = reader.on.targets.named("gone")
        assert target is not None
        page = ""
        while "connect" not in page:
            await reader.on.clock.sleep(0.05)
            page = await reader.get("/?part=changes")
    assert f'href="/targets/{target.id}">gone</a>' in page
    assert "▲ down" in words(page)


async def test_it_speaks_german(tmp_path: Path) -> None:
    """The words of the overview are translated."""
    async with console(tmp_path) as reader:
        page = words(await reader.get("/?lang=de"))
    assert "Noch wird nichts überwacht" in page
    assert "Nichts schlägt Alarm." in page
