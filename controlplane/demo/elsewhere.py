"""The sample services alone, registered at a control plane that runs elsewhere."""

import asyncio
import signal
from contextlib import suppress
from typing import Final

from controlplane.clock import Clock
from controlplane.demo.services import HERE, Cycle, Place, SampleServices

LOOPBACK: Final = HERE.name
# Long enough for rules that wait for minutes, with calm between.
_CYCLE: Final = Cycle(first=60, trouble=300, calm=600)


async def run_services(url: str, name: str, clock: Clock, seconds: float | None) -> None:
    """Run them until SIGTERM or SIGINT, or for `seconds`; then they deregister.

    They listen at every address unless `name` is that of loopback, and find
    their token where every client does, in the environment.
    """
    place = HERE if name == LOOPBACK else Place(bind="", name=name)
    services = SampleServices(url, clock=clock, cycle=_CYCLE, interval="5s", place=place)
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    running = asyncio.create_task(services.run())
    ending = asyncio.create_task(_end(told, seconds))
    try:
        done, _ = await asyncio.wait([running, ending], return_when=asyncio.FIRST_COMPLETED)
        if running in done:
            running.result()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        running.cancel()
        ending.cancel()
        await asyncio.gather(running, ending, return_exceptions=True)


async def _end(told: asyncio.Event, seconds: float | None) -> None:
    """Return when told so, or when the time is up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await told.wait()
