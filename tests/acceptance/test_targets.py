"""Leases, refused addresses and the evidence of failures, as a user sees them."""

from pathlib import Path
from typing import Final

import pytest

from controlplane.demo.standins import Fault, PagerDutyStandIn, WebhookStandIn
from tests.acceptance.house import ROUTING_KEY, configuration, shop, write_rules
from tests.support.service import eventually, running

METADATA: Final = "http://169.254.169.254/latest/meta-data"


async def test_an_expired_lease_is_shown_and_the_target_probed_on(tmp_path: Path) -> None:
    """The series says 1 until a renewal; probes go on all the time."""
    settings = {"lease_check_interval": "1s"}
    config = configuration(target_settings=settings)
    async with shop() as shop_, running(tmp_path, config) as service:
        target = await service.register("checkout", shop_.url, lease="1s")

        async def expired() -> bool:
            return await service.value("controlplane_target_lease_expired") == 1

        async def renewed() -> bool:
            return await service.value("controlplane_target_lease_expired") == 0

        await eventually(expired, "an expired lease")
        asked = len(shop_.headers)

        async def probed_on() -> bool:
            return len(shop_.headers) > asked

        await eventually(probed_on, "another probe")
        assert (await service.get(f"/api/v1/targets/{target['id']}"))["state"] == "up"
        body = {"lease": "1h"}
        path = f"/api/v1/targets/{target['id']}"
        assert (await service.request("PATCH", path, json=body)).status_code == 200
        assert (await service.request("POST", f"{path}/renew")).status_code == 200
        await eventually(renewed, "a lease that runs")


@pytest.mark.parametrize("redirected", [False, True], ids=["directly", "by a redirect"])
async def test_cloud_metadata_is_out_of_reach(tmp_path: Path, *, redirected: bool) -> None:
    """A probe that is sent to 169.254.169.254 fails with reason `policy`, and says so."""
    async with shop() as shop_, running(tmp_path, configuration()) as service:
        shop_.status, shop_.location = 302, METADATA
        url = shop_.url if redirected else METADATA
        target = await service.register("thief", url)

        async def refused() -> bool:
            return await service.value('probe_failure_info{reason="policy"}') == 1

        await eventually(refused, "a probe that the policy refuses")

        async def told() -> list[dict[str, object]]:
            found = await service.get(f"/api/v1/targets/{target['id']}/failures")
            items: list[dict[str, object]] = found["items"]
            return items

        failures = await eventually(told, "the evidence")
        assert failures[0]["reason"] == "policy"
        assert bool(shop_.headers) is redirected
        answer = await service.request("GET", "/probe", params={"target": url})
        assert 'probe_failure_info{reason="policy"} 1' in answer.text


async def test_a_paused_target_is_left_alone(tmp_path: Path) -> None:
    """PATCH pauses a target of the file too; its series end, and come back."""
    async with shop() as shop_:
        config = configuration(targets=[{"name": "checkout", "url": shop_.url}])
        async with running(tmp_path, config) as service:

            async def probed() -> bool:
                return await service.value("probe_success") == 1

            async def silent() -> bool:
                return await service.value("probe_success") is None

            await eventually(probed, "a probe")
            (target,) = (await service.get("/api/v1/targets"))["items"]
            path = f"/api/v1/targets/{target['id']}"
            paused = await service.request("PATCH", path, json={"paused": True})
            assert paused.json()["state"] == "paused"
            assert paused.json()["operator"]["actor"] == "local"
            await eventually(silent, "the end of the series")
            await service.request("PATCH", path, json={"paused": None})
            await eventually(probed, "a probe again")


async def test_dead_letters_are_told_and_sent_again(tmp_path: Path) -> None:
    """A page that PagerDuty refuses is a dead letter, with the answers; redriven, it arrives."""
    async with shop() as shop_, PagerDutyStandIn() as pager, WebhookStandIn() as hook:
        pager.fail_always(Fault.answer(400))
        rules = write_rules(tmp_path / "shop.rules.yml")
        receiver = {
            "pagerduty_configs": [{"routing_key": ROUTING_KEY, "url": f"{pager.url}/v2/enqueue"}],
            "webhook_configs": [{"url": hook.url}],
        }
        config = configuration(receiver, rule_files=[rules])
        # The group tells once, lest it overtakes the letter before that is sent again.
        config["route"]["group_interval"] = "1h"
        async with running(tmp_path, config) as service:
            shop_.status = 500
            await service.register("checkout", shop_.url)

            async def dead() -> list[dict[str, object]]:
                # That a page was given up is an alert of its own, with letters of its own.
                items: list[dict[str, object]]
                items = (await service.get("/api/v1/dead-letters"))["items"]
                return [item for item in items if 'alertname="Down"' in str(item["group_key"])]

            letter = (await eventually(dead, "a dead letter"))[0]
            assert letter["state"] == "dead"
            assert "pagerduty" in str(letter["integration"])
            attempts = letter["attempts"]
            assert isinstance(attempts, list)
            assert (attempts[0]["status_code"], attempts[0]["reason"]) == (400, "clientError")
            assert ROUTING_KEY not in str(letter)
            down = [told for told in hook.payloads if told["groupLabels"]["alertname"] == "Down"]
            assert len(down) == 1
            pager.heal()
            path = f"/api/v1/dead-letters/{letter['id']}/redrive"
            assert (await service.request("POST", path)).status_code == 202
            await pager.wait_for(lambda: bool(pager.open_incidents()))
            assert (await service.request("POST", path)).status_code == 409

            async def gone() -> bool:
                return letter["id"] not in [item["id"] for item in await dead()]

            await eventually(gone, "a letter that is dead no more")
