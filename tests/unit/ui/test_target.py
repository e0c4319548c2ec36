"""One target: its page, its forms, a probe of it."""

import asyncio
from pathlib import Path

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.target import Target
from tests.unit.ui.console import Reader, console, words
from tests.unit.ui.samples import put

_SLOW = {"scrape_interval": "1h", "evaluation_interval": "1h"}
_URL = "http://127.0.0.1:1/"
_OWNED = [{"name": "owned", "url": _URL, "labels": {"team": "infra"}}]
_SCRIPT = "<script>alert(1)</script>"


def named(reader: Reader, name: str) -> Target:
    """Return a target that is there."""
    target = reader.on.targets.named(name)
    assert target is not None
    return target


async def add(reader: Reader, status: int = 303, **fields: str) -> str:
    """Fill in the form for a new target; return the page, or where it leads."""
    filled = {"name": "shop", "endpoint": _URL, "module": "http_2xx", "interval": "1h", **fields}
    answer = await reader.send("/targets/new", filled, status)
    return str(answer.headers.get("location", answer.text))


async def test_a_target_is_added_and_shown(tmp_path: Path) -> None:
    """From the form to its page, with all that was filled in; labels are text only."""
    async with console(tmp_path, **{"global": _SLOW}) as reader:
        path = await add(reader, labels=f'team=web\nodd="{_SCRIPT}"', lease="10m", depends_on="db")
        shop = named(reader, "shop")
        page = await reader.get(path)
    assert path == f"/targets/{shop.id}"
    assert dict(shop.spec.labels) == {"team": "web", "odd": _SCRIPT}
    assert _SCRIPT not in page
    text = words(page)
    assert f"odd = {_SCRIPT}" in text.replace("odd =", "odd = ")
    assert "registered" in text
    assert "Depends on db" in text


async def test_a_form_with_faults_says_what_and_where(tmp_path: Path) -> None:
    """Each fault stands at its field, what was filled in stays, nothing is registered."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_OWNED) as reader:
        page = await add(reader, 422, name="Not Good", labels="team=<b>")
        assert 'id="name-error"' in page
        assert 'value="Not Good"' in page
        assert "team=&lt;b&gt;" in page
        assert 'id="interval-error"' in await add(reader, 422, interval="soon")
        assert 'id="labels-error"' in await add(reader, 422, labels="team")
        assert 'id="module-error"' in await add(reader, 422, module="nothing")
        assert 'id="endpoint-error"' in await add(reader, 422, endpoint="http://")
        assert 'id="endpoint-error"' in await add(reader, 422, endpoint="")
        taken = await add(reader, 422, name="owned")
        assert "There is a target of that name already." in taken
        assert len(reader.on.targets) == 1


async def test_a_form_keeps_the_dashboard(tmp_path: Path) -> None:
    """What a service asked for is chosen in the form, and stays when it is sent as it is."""
    async with console(tmp_path, **{"global": _SLOW}) as reader:
        path = await add(reader, dashboard="red")
        assert "<option selected>red</option>" in await reader.get(f"{path}/edit")
        sent = {"endpoint": "http://127.0.0.1:2/", "module": "http_2xx", "dashboard": "red"}
        await reader.send(f"{path}/edit", sent)
        assert named(reader, "shop").spec.dashboard == "red"
        await reader.send(f"{path}/edit", {**sent, "dashboard": ""})
        assert named(reader, "shop").spec.dashboard is None
        assert 'id="dashboard-error"' in await add(reader, 422, name="other", dashboard="blue")


async def test_a_target_is_changed(tmp_path: Path) -> None:
    """All but its name; what an operator sets is noted with who it was."""
    async with console(tmp_path, **{"global": _SLOW}) as reader:
        path = await add(reader, labels="team=web")
        page = await reader.get(f"{path}/edit")
        assert "team=web</textarea>" in page
        await reader.send(
            f"{path}/edit",
            {"name": "other", "endpoint": "http://127.0.0.1:2/", "module": "http_2xx",
             "labels": "team=api", "overrides": "env=test"},
        )  # fmt: skip
        shop = named(reader, "shop")
        assert shop.endpoint == "http://127.0.0.1:2/"
        assert shop.labels().value("team") == "api"
        assert shop.labels().value("env") == "test"
        assert shop.spec.interval is None
        assert "env =test" in words(await reader.get(path))
        refused = await reader.send(f"{path}/edit", {"endpoint": "x", "module": "http_2xx"}, 422)
        assert 'id="endpoint-error"' in refused.text


async def test_what_a_file_owns_is_read_only(tmp_path: Path) -> None:
    """Except what an operator puts over it: labels, and that it is paused."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_OWNED) as reader:
        path = f"/targets/{named(reader, 'owned').id}"
        page = await reader.get(path)
        assert "Read-only here" in page
        assert f'href="{path}/delete"' not in page
        assert "The configuration file owns this target" in await reader.get(f"{path}/edit")
        await reader.send(f"{path}/edit", {"endpoint": "http://x/", "overrides": "team=b"})
        owned = named(reader, "owned")
        assert (owned.endpoint, owned.labels().value("team")) == (_URL, "b")
        bad = await reader.send(f"{path}/edit", {"overrides": "__x=b"}, 422)
        assert 'id="overrides-error"' in bad.text
        await reader.send(f"{path}/delete", {}, 409)


async def test_pause_and_resume(tmp_path: Path) -> None:
    """The page says that it is paused, since when, and offers the opposite."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_OWNED) as reader:
        path = f"/targets/{named(reader, 'owned').id}"
        await reader.send(path, {"do": "pause"})
        page = await reader.get(path)
        assert "‖ paused since" in words(page)
        assert 'name="do" value="resume"' in page
        await reader.send(path, {"do": "resume"})
        assert not named(reader, "owned").operator.paused
        await reader.send(path, {"do": "explode"}, 422)


async def test_removing_asks_first(tmp_path: Path) -> None:
    """A page of its own, so that it asks without scripts too."""
    async with console(tmp_path, **{"global": _SLOW}) as reader:
        path = await add(reader)
        assert "Remove shop?" in await reader.get(f"{path}/delete")
        await reader.send(f"{path}/delete", {})
        assert reader.on.targets.named("shop") is None
        assert "there is no target" in await reader.get(path, 404)


async def test_a_probe_on_demand_shows_what_happened(tmp_path: Path) -> None:
    """Its reason, its numbers and its story; it leaves no sample."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_OWNED) as reader:
        path = f"/targets/{named(reader, 'owned').id}/probe"
        page = words((await reader.send(path, {}, 200)).text)
    assert "▲ connect after" in page
    assert "What happened" in page
    assert "probe_dns_lookup_time_seconds" in page


async def test_its_past_is_drawn(tmp_path: Path) -> None:
    """Latency by phase, since when it is down, its certificate, the alerts that name it."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_OWNED) as reader:
        target, now = named(reader, "owned"), reader.now
        labels = dict(target.labels())
        instants = [now - 120_000 * n for n in range(9, -1, -1)]

        def series(
            name: str, values: list[float], **extra: str
        ) -> tuple[dict[str, str], list[tuple[int, float]]]:
            samples = list(zip(instants, values, strict=True))
            return {**labels, **extra, "__name__": name}, samples

        await put(
            reader,
            series("probe_success", [1.0] * 5 + [0.0] * 5),
            series("probe_duration_seconds", [0.12] * 10),
            series("probe_http_duration_seconds", [0.02] * 10, phase="connect"),
            series("probe_http_duration_seconds", [0.1] * 10, phase="processing"),
            series("probe_ssl_earliest_cert_expiry", [now / 1000 + 5 * 86_400] * 10),
        )
        about = Labels({"alertname": "Down", "job": "owned", "instance": _URL})
        other = Labels({"alertname": "Other", "job": "owned", "instance": "x"})
        await reader.on.alerts.put([Alert(each, now, now + 60_000, now) for each in (about, other)])
        page = await reader.get(f"/targets/{target.id}?range=1h")
        state = words(await reader.get(f"/targets/{target.id}?part=state"))
        day = await reader.get(f"/targets/{target.id}?range=24h&part=latency")
    assert "120 ms last probe" in state
    assert "5 days certificate, until" in state
    assert f'href="/alerts/{about.fingerprint()}"' in page
    assert f'href="/alerts/{other.fingerprint()}"' not in page
    assert page.count('class="area ') == 2
    assert "&#34;label&#34;:&#34;first byte&#34;" in page
    assert 'data-plot="' in day
    assert page.count('<svg class="bars"') == 3


async def test_the_evidence_of_failures_is_shown_as_text(tmp_path: Path) -> None:
    """The reason, what was answered, the log; a hostile body is only text."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_OWNED) as reader:
        target = named(reader, "owned")
        evidence = {
            "error": "status 500, wanted 2xx",
            "status": 500,
            "body": _SCRIPT,
            "headers": [["Server", "x"]],
            "phases": {"connect": 0.01},
            "duration_seconds": 0.02,
            "log": ["asked", "answered"],
        }
        reader.on.failures.add(target.id, reader.now, "status", evidence)
        reader.on.failures.add(target.id, reader.now - 1, "internal", {})
        page = await reader.get(f"/targets/{target.id}?part=failures")
    assert _SCRIPT not in page
    text = words(page)
    assert "status 500, wanted 2xx" in text
    assert "20 ms, connect 10.0 ms" in text
    assert "Server: x" in text
    assert _SCRIPT in text


async def test_a_real_failure_reaches_the_page(tmp_path: Path) -> None:
    """Probed, recorded, shown: down, with the reason."""
    targets = [{"name": "gone", "url": _URL, "interval": "1s"}]
    async with console(tmp_path, targets=targets) as reader:
        path = f"/targets/{named(reader, 'gone').id}"
        async with asyncio.timeout(20):
            text = ""
            while "▲ down" not in text or "connect" not in text:
                await reader.on.clock.sleep(0.05)
                text = words(await reader.get(path))
