"""The bounded queue between those who append and the one writer."""

import threading
from collections import deque
from collections.abc import Sequence

from controlplane.errors import Overloaded, Unavailable
from controlplane.tsdb.ports import Write


class WriteQueue:
    """Writes in their order. The bound counts samples; the whole of a call fits or none."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        lock = threading.Lock()
        # Two conditions, so that a put wakes nobody but an idle writer.
        self._filled = threading.Condition(lock)
        self._emptied = threading.Condition(lock)
        self._closed = threading.Event()
        self._writes: deque[Write] = deque()
        self._samples = 0
        self._taken = 0
        self._done = 0
        self._put = 0

    @property
    def samples(self) -> int:
        """How many samples wait."""
        return self._samples

    def put(self, writes: Sequence[Write]) -> None:
        """Queue writes. Raises Overloaded over the bound, Unavailable once closed.

        An empty queue takes whatever comes: a write larger than the bound
        would otherwise never get in.
        """
        size = sum(len(write.refs) for write in writes)
        with self._filled:
            if self._closed.is_set():
                raise Unavailable("the sample store is closed")
            if self._samples and self._samples + size > self._bound:
                raise Overloaded(f"{self._samples} samples wait for the sample store already")
            self._writes.extend(writes)
            self._samples += size
            self._put += len(writes)
            self._filled.notify()

    def wait(self, seconds: float) -> bool:
        """Wait until something is queued or the queue is closed; tell whether something is."""
        with self._filled:
            if not self._writes and not self._closed.is_set():
                self._filled.wait(seconds)
            return bool(self._writes)

    def linger(self, seconds: float) -> None:
        """Let more come for so long, unless the queue is being closed."""
        self._closed.wait(max(0.0, seconds))

    def take(self) -> list[Write]:
        """Take all that is queued; `done` must be called when it is committed."""
        with self._filled:
            writes = list(self._writes)
            self._writes.clear()
            self._samples = 0
            self._taken += len(writes)
            return writes

    def done(self) -> None:
        """Tell that all that was taken is committed."""
        with self._emptied:
            self._done = self._taken
            self._emptied.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait until all that is queued by now is committed; False when time is up."""
        with self._emptied:
            mark = self._put
            return self._emptied.wait_for(lambda: self._done >= mark, seconds)

    def close(self) -> None:
        """Take nothing more."""
        with self._filled:
            self._closed.set()
            self._filled.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()
