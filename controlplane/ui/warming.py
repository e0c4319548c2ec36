"""What the first readers would have to wait for is made before they come."""

import asyncio
from typing import Final

from controlplane.api.surface import Surface
from controlplane.errors import ControlPlaneError
from controlplane.notify.message import MessageState
from controlplane.telemetry.logs import get_logger
from controlplane.ui.pages.overview import depth, waiting

log = get_logger(__name__)

# The start waits no longer for it (seconds).
_PATIENCE: Final = 2.0


async def warm(on: Surface) -> None:
    """Make the overview's figures and the views of all status pages. What fails is made later."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await depth(on)
            for state in (MessageState.QUEUED, MessageState.DEAD):
                await waiting(on, state)
            for name in on.status_pages.names():
                on.status_pages.view(name)
    except (ControlPlaneError, TimeoutError) as error:
        log.info("caches begin cold", reason=str(error) or type(error).__name__)
