"""What holds for all tests: files in memory, and little time for the collector of garbage."""

import gc
import os
import tempfile
from collections.abc import Generator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.support import memory

# Tests leave little behind in cycles, and are many: walking what lives takes a fifth of their time.
_GENERATIONS: Final = (50_000, 20, 50)


def pytest_configure() -> None:
    """Set everything up, and collect the tests without collecting garbage: imports make none."""
    if "TMPDIR" not in os.environ and (directory := memory.directory()) is not None:
        os.environ["TMPDIR"] = tempfile.tempdir = str(directory)
    gc.disable()
    # How long an example takes says how busy the machine is, and nothing about what is tested.
    settings.register_profile(
        "tests", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("tests")


def pytest_xdist_auto_num_workers() -> int:
    """Have half as many processes again as there are cores: a third of a test's time is waiting."""
    cores = len(os.sched_getaffinity(0))
    return cores + max(1, cores // 2)


def pytest_collection_finish() -> None:
    """Look only at what comes from now on."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(*_GENERATIONS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Have a test that is skipped fail where everything is there that it could want."""
    report = yield
    if report.skipped and os.environ.get("SKIPPED_TESTS_FAIL"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where nothing may be: {report.longrepr}"
    return report
