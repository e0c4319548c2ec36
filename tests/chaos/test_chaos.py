"""A small fault run; `make chaos` is the large one."""

from pathlib import Path

import pytest

from tests.chaos.run import Chaos, told


@pytest.mark.slow
async def test_nothing_is_lost_under_faults_and_kills(tmp_path: Path) -> None:
    """What is open at the receiver is what fires, and every message came to a good end."""
    result = await Chaos(tmp_path, changes=200, kills=4, alerts=20, seed=3).run()
    assert result.problems == [], told(result)
    assert (result.changes, result.kills) == (200, 4)
    assert result.faults, "the receiver did fail"
