"""The end of a loop, also where something that it called has kept the word to itself."""

import asyncio


def end_if_cancelled() -> None:
    """Raise CancelledError when this task was cancelled and somebody below has swallowed that.

    A driver that is cancelled in the middle of tidying up may do so; the loop
    around it would then run on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
