"""What holds for all tests: files in memory, and little time for the collector of garbage."""

import gc
import os
import tempfile
from typing import Final

from tests.support import memory

# Tests leave little behind in cycles, and are many: walking what lives takes a fifth of their time.
_GENERATIONS: Final = (50_000, 20, 50)


def pytest_configure() -> None:
    """Choose where files are; collect the tests without collecting garbage: imports make none."""
    if "TMPDIR" not in os.environ and (directory := memory.directory()) is not None:
        os.environ["TMPDIR"] = tempfile.tempdir = str(directory)
    gc.disable()


def pytest_collection_finish() -> None:
    """Look only at what comes from now on."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(*_GENERATIONS)
