"""Killed with -9 at any moment, nothing accepted is lost and every incident ends."""

import random
from pathlib import Path

import pytest

from controlplane.demo.standins import Fault, PagerDutyStandIn
from tests.support.killable import Notifier
from tests.support.service import PATIENCE


@pytest.mark.slow
async def test_killed_between_claim_and_answer(tmp_path: Path) -> None:
    """The receiver took the trigger, the process died before it knew: it is closed in the end."""
    async with PagerDutyStandIn() as pagerduty:
        pagerduty.fail_next(Fault.hang(60, after=True))
        process = Notifier(tmp_path, pagerduty.url)
        await process.start()
        await process.say("fire", "a")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await process.kill()
        await process.start()
        await process.say("resolve", "a")
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents(), PATIENCE)
        await process.kill()
    assert len(pagerduty.incidents) == 1


@pytest.mark.slow
async def test_killed_right_after_acceptance(tmp_path: Path) -> None:
    """An alert that was accepted is told, whatever had been done about it until the kill."""
    async with PagerDutyStandIn() as pagerduty:
        process = Notifier(tmp_path, pagerduty.url)
        for number in range(2):
            await process.start()
            await process.say("fire", f"n{number}")
            await process.kill()
        await process.start()
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 2, PATIENCE)
        await process.kill()
    assert len(pagerduty.incidents) == 2


@pytest.mark.slow
async def test_killed_at_random_under_faults(tmp_path: Path) -> None:
    """At the end the receiver's open incidents are exactly the alerts that fire."""
    dice = random.Random(7)
    faults = [Fault.answer(500), Fault.answer(500, after=True), Fault.rate_limited(0)]
    faults += [Fault.reset(), Fault.reset(after=True)]
    state = {f"n{number}": False for number in range(6)}
    async with PagerDutyStandIn() as pagerduty:
        pagerduty.fail_by(lambda: dice.choice(faults) if dice.random() < 1 / 3 else None)
        process = Notifier(tmp_path, pagerduty.url)
        for _ in range(2):
            await process.start()
            for _ in range(12):
                name = dice.choice(list(state))
                state[name] = not state[name]
                await process.say("fire" if state[name] else "resolve", name)
            await process.kill()
        pagerduty.heal()
        await process.start()
        wanted = {name for name, fires in state.items() if fires}

        def opened() -> list[str]:
            return sorted(
                name
                for incident in pagerduty.open_incidents()
                for name in state
                if f"'{name}'" in incident.summary
            )

        await pagerduty.wait_for(lambda: opened() == sorted(wanted), PATIENCE)
        await process.kill()
    assert pagerduty.refused == []
