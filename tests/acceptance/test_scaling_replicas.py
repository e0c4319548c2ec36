"""Two replicas, one policy that acts: whoever is told to scale is told once of each decision."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from controlplane.clock import SystemClock
from controlplane.demo.standins import WebhookStandIn
from tests.acceptance.house import configuration
from tests.support.fleet import fleet
from tests.support.service import PATIENCE, Service, eventually

_CLOCK: Final = SystemClock()
_CLUSTER: Final = {"lease": "4s", "renew": "1s"}
# As fast as it likes: what is looked at is who acts, and how often.
_AT_ONCE: Final = {"policies": [{"type": "Pods", "value": 100, "periodSeconds": 1}]}
_SHOP: Final = "/api/v1/autoscaling/shop"
_HANDS: Final = "autoscaling policy changes hands"


def _wanting(number: int) -> Mapping[str, Any]:
    """Return the part of a policy that has it ask for so many replicas."""
    target = {"type": "AverageValue", "value": 1}
    return {"metrics": [{"name": "load", "query": f"vector({number})", "target": target}]}


def _policy(webhook: str) -> Mapping[str, Any]:
    return {
        "name": "shop",
        "mode": "act",
        "max_replicas": 50,
        "interval": "1s",
        "webhook": {"url": webhook},
        "behavior": {"scaleUp": _AT_ONCE},
        **_wanting(3),
    }


async def _want(service: Service, number: int) -> None:
    answer = await service.request(
        "PATCH",
        _SHOP,
        json=_wanting(number),
        headers={"Content-Type": "application/merge-patch+json"},
    )
    answer.raise_for_status()


async def _settles_at(number: int, *services: Service) -> None:
    """Return when every one of the replicas says that there should be so many."""

    async def look() -> bool:
        answers = [await each.request("GET", _SHOP) for each in services]
        return all(each.is_success and each.json()["desired"] == number for each in answers)

    await eventually(look, f"{number} replicas wanted")


async def _has_it_back(service: Service, before: int) -> None:
    """Return when a replica has taken the policy over after it had begun `before` times."""

    async def look() -> bool:
        return len([line for line in service.events(_HANDS) if line["mine"]]) > before

    await eventually(look, "the policy in the hands of who had it")


@pytest.mark.slow
async def test_each_decision_is_acted_on_once(tmp_path: Path) -> None:
    """By the one that has the policy, by the other when that is killed, by it when it is back."""
    async with (
        WebhookStandIn(strict=False) as hook,
        fleet(tmp_path, configuration(), cluster=_CLUSTER) as run,
    ):

        async def told(*changes: tuple[int, int]) -> None:
            await hook.wait_for(lambda: len(hook.payloads) >= len(changes), PATIENCE)
            assert [(each["current"], each["desired"]) for each in hook.payloads] == [*changes]

        sent = await run.services[0].request("POST", "/api/v1/autoscaling", json=_policy(hook.url))
        assert sent.status_code == 201
        await told((1, 3))
        await _settles_at(3, *run.services)
        [owner] = [each for each in run.services if each.events("scaled")]
        [other] = [each for each in run.services if each is not owner]
        await _want(other, 5)
        await told((1, 3), (3, 5))
        await _settles_at(5, *run.services)
        assert not other.events("scaled")

        begun = len([line for line in owner.events(_HANDS) if line["mine"]])
        await owner.kill()
        await _want(other, 7)
        await told((1, 3), (3, 5), (5, 7))
        await _settles_at(7, other)

        await owner.start()
        await _has_it_back(owner, begun)
        await _want(other, 9)
        changes = ((1, 3), (3, 5), (5, 7), (7, 9))
        await told(*changes)
        await _settles_at(9, *run.services)
        await _CLOCK.sleep(2.5)  # two more evaluations, by whoever thinks that it is to act
        await told(*changes)
        assert [len(each.events("scaled")) for each in (owner, other)] == [3, 1]
        assert len({each["idempotency-key"] for each in map(httpx.Headers, hook.headers)}) == 4
