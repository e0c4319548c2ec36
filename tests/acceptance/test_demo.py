"""The demo shows what it promises, and says so by its exit code."""

import asyncio
from pathlib import Path

import pytest

from tests.support.service import start_command


# All three stories take some 50 s; a busy machine may need far longer to start.
@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_the_demo_sees_its_three_stories(tmp_path: Path) -> None:
    """Errors, latency and silence each go from pending to resolved; the exit code is 0."""
    words = ("demo", "--for", "180s", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path))
    process = await start_command(*words)
    try:
        async with asyncio.timeout(230):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    shown = out.decode()
    assert (process.returncode, errors) == (0, b""), shown[-2000:]
    for story in ("errors   payments", "latency  payments", "silence  search"):
        for step in ("PENDING", "FIRING", "RESOLVED IN SLACK", "RESOLVED IN PAGERDUTY"):
            assert any(story in line and step in line for line in shown.splitlines())
