"""A process killed while blocks are cut and made one of several has lost nothing."""

import random
from pathlib import Path

import pytest

from benchmarks.kill_runs import kill_store


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_acknowledged_sample_survives_kills_amid_work_on_blocks(tmp_path: Path) -> None:
    """After each of some kills all samples are there, once, with their values, late ones too."""
    found = kill_store(tmp_path, 6, random.Random(3))
    assert found.acknowledged > 0
    assert (found.missing, found.wrong, found.errors) == (0, 0, 0)
