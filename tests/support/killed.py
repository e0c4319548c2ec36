"""Work that is done in a process of its own, and killed in its midst."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from tests.support import warm
from tests.support.service import PATIENCE

# Does one piece after the other without an end, and sends the number of each that was acknowledged.
Work = Callable[[str, Connection], None]


def killed_after(number: int, work: Work, url: str) -> int:
    """Kill who works on the database at `url` once a number came; return the newest that did."""
    receiver, sender = warm.context().Pipe(duplex=False)
    process = warm.context().Process(target=work, args=(url, sender))
    process.start()
    sender.close()
    newest = -1
    while newest < number:
        assert receiver.poll(PATIENCE), "the process does nothing"
        newest = receiver.recv()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with suppress(EOFError):
        while True:
            newest = receiver.recv()
    receiver.close()
    return newest
