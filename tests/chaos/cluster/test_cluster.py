"""A small fault run of two replicas; `make chaos-cluster` is the large one."""

from pathlib import Path

import pytest

from tests.chaos.cluster.run import ClusterChaos, Plan, told
from tests.support.engines import PROMETHEUS


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")
async def test_nobody_notices_that_replicas_die(tmp_path: Path) -> None:
    """What is open at the receiver is what is down, and every target was probed all the time."""
    plan = Plan(
        replicas=2,
        targets=60,
        seconds=75,
        seed=5,
        kill=30,
        redis=37,
        redis_hang=0,
        postgres=45,
        pause=0,
        cut=50,
        changing=2,
    )
    result = await ClusterChaos(tmp_path, plan).run()
    assert result.problems == [], told(plan, result)
    assert result.faults["killed with -9"] >= 1
    assert any("cut" in fault for fault in result.faults)
    assert result.opened >= 6
