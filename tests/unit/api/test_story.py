"""Why somebody was told of an alert, and why not: the whole application, and a real receiver."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from controlplane.api.surface import Surface
from controlplane.app.build import build
from controlplane.clock import Clock, SystemClock
from controlplane.config.loader import load
from controlplane.demo.standins import Fault, WebhookStandIn
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.mute.silence import Silence
from controlplane.settings.settings import Settings
from tests.support.alerting import firing, resolved
from tests.support.sqlite import migrated


@dataclass
class World:
    """The application, its insides, and who is told."""

    client: httpx.AsyncClient
    surface: Surface
    server: WebhookStandIn

    @property
    def now(self) -> int:
        return self.surface.clock.now()

    async def get(self, path: str, **parameters: str) -> Any:
        answer = await self.client.get(path, params=parameters)
        return answer.raise_for_status().json()

    async def entries(self, fingerprint: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get(f"/api/v1/alerts/{fingerprint}/story"))[
            "entries"
        ]
        return found

    async def kinds(self, fingerprint: str, enough: Callable[[list[str]], bool]) -> list[str]:
        """Return the kinds of a story's entries once they are enough."""
        async with asyncio.timeout(30):
            while True:
                kinds = [entry["kind"] for entry in await self.entries(fingerprint)]
                if enough(kinds):
                    return kinds
                await self.surface.clock.sleep(0.02)


@asynccontextmanager
async def world(
    directory: Path, clock: Clock | None = None, /, **extra: object
) -> AsyncIterator[World]:
    """Give an application whose one receiver is a real server; `extra` are keys of its file."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(WebhookStandIn())
        path = directory / "controlplane.yml"
        receiver = {"name": "ops", "webhook_configs": [{"url": server.url}]}
        route = {"receiver": "ops", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        path.write_text(json.dumps({"route": route, "receivers": [receiver], **extra}))
        settings = Settings(data_dir=directory / "data", config=path, replica="test")
        settings.data_dir.mkdir(mode=0o700)
        migrated(settings.data_dir / "controlplane.db")
        service = await build(
            settings,
            load(path),
            clock=clock or SystemClock(),
            registry=CollectorRegistry(),
            stack=stack,
        )
        transport = httpx.ASGITransport(service.application, client=("127.0.0.1", 4711))
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        await stack.enter_async_context(client)
        yield World(client, service.application.state.surface, server)


async def test_why_was_i_paged(tmp_path: Path) -> None:
    """From its beginning to its end: the route, the message, each attempt with its answer."""
    async with world(tmp_path) as there:
        there.server.fail_next(Fault.answer(500))
        alert = firing(there.now)
        await there.surface.alerts.put([alert])
        kinds = await there.kinds(alert.fingerprint, lambda kinds: kinds.count("attempt") == 2)
        assert kinds[:4] == ["received", "grouped", "message", "attempt"]
        await there.surface.alerts.put([resolved(alert, there.now)])
        await there.kinds(alert.fingerprint, lambda kinds: kinds.count("attempt") == 3)
        entries = await there.entries(alert.fingerprint)
    _, grouped, message, refused, *rest = entries
    assert (grouped["what"], grouped["place"]) == ("it is for ops", "ops")
    assert grouped["because"].startswith("the route {} takes it, as one of the group {}:{")
    assert message["what"] == "ops/webhook/0 is to be told that it fires"
    assert message["because"] == "first notification"
    assert refused["what"] == "attempt 1 to tell ops/webhook/0 failed, and may have arrived"
    assert refused["detail"]["status_code"] == 500
    assert "status 500" in refused["because"]
    assert "attempt 2 to tell ops/webhook/0 arrived" in [entry["what"] for entry in rest]
    assert "it ended" in [entry["what"] for entry in rest]
    assert "ops/webhook/0 is to be told that it has ended" in [entry["what"] for entry in rest]
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)


async def test_why_was_i_not_paged(tmp_path: Path) -> None:
    """A silence, whose it is and what it says; it is told once, not with every flush."""
    async with world(tmp_path) as there:
        now = there.now
        silence = await there.surface.silences.set(
            Silence(
                (Matcher("alertname", MatchOp.EQUAL, "Broken"),),
                now,
                now + 3_600_000,
                "mia",
                "rack moves",
            )
        )
        alert = firing(now)
        await there.surface.alerts.put([alert])
        await there.kinds(alert.fingerprint, lambda kinds: "silenced" in kinds)
        await there.surface.clock.sleep(1.5)
        *_, entry = await there.entries(alert.fingerprint)
        assert there.server.payloads == []
        assert [e["kind"] for e in await there.entries(alert.fingerprint)] == [
            "received",
            "grouped",
            "silenced",
        ]
        await there.surface.silences.expire(silence.id)
        await there.kinds(alert.fingerprint, lambda kinds: "attempt" in kinds)
        assert len(there.server.payloads) == 1
    assert entry["what"] == "ops/webhook/0 is not told"
    assert entry["because"] == f"silenced by mia, 'rack moves' ({silence.id})"
    assert entry["detail"] == {"by": [silence.id]}


async def test_past_alerts_are_listed_and_shown(tmp_path: Path) -> None:
    """What the active alerts have forgotten the ledger still knows; pages hold each once."""
    async with world(tmp_path) as there:
        now = there.now
        long_ago = now - 7_200_000
        alerts = [resolved(firing(long_ago - 1, n=str(n)), long_ago) for n in range(3)]
        await there.surface.alerts.put([*alerts, firing(now, n="9"), firing(now, n="8")])
        await there.surface.ledger.flush()
        await there.surface.alerts.gc(now)
        assert there.surface.alerts.get(alerts[0].fingerprint) is None
        one = await there.get(f"/api/v1/alerts/{alerts[0].fingerprint}")
        assert (one["state"], one["labels"]["n"]) == ("resolved", "0")
        seen: list[str] = []
        page = await there.get("/api/v1/alerts", limit="2")
        seen += [item["fingerprint"] for item in page["items"]]
        while page["next_cursor"]:
            page = await there.get("/api/v1/alerts", limit="2", cursor=page["next_cursor"])
            seen += [item["fingerprint"] for item in page["items"]]
        assert (len(seen), len(set(seen)), seen) == (5, 5, sorted(seen))
        only = await there.get("/api/v1/alerts", state="resolved", **{"match[]": '{n=~"1|2|9"}'})
        assert {item["labels"]["n"] for item in only["items"]} == {"1", "2"}
        firing_now = await there.get("/api/v1/alerts", state="firing")
        assert {item["labels"]["n"] for item in firing_now["items"]} == {"8", "9"}
        missing = await there.client.get(f"/api/v1/alerts/{Labels({'a': 'b'}).fingerprint()}/story")
        assert missing.status_code == 404
