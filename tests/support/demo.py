"""The demo as a process of its own, run until it has shown all that it has to show."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from tests.support.service import start_command

_SEEN: Final = "all three stories were seen"
_SECONDS: Final = 180


@asynccontextmanager
async def demo(directory: Path) -> AsyncIterator[str]:
    """Run the demo until all its stories were seen, and yield its address; it runs on."""
    words = ("demo", "--listen", "127.0.0.1:0", "--data-dir", str(directory))
    process = await start_command(*words)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_SECONDS):
            url = ""
            async for line in process.stdout:
                found = re.search(r"targets +(http\S+)/api/v1/targets", line.decode())
                url = found[1] if found else url
                if _SEEN in line.decode():
                    break
        assert url, "the demo ended before it began"
        draining = asyncio.create_task(process.stdout.read())
        yield url
        draining.cancel()
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()
