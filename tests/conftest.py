"""What holds for the whole suite."""

import os

import pytest


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes `-n auto` means: twice the cores, for most tests wait."""
    return 2 * (os.cpu_count() or 1)
