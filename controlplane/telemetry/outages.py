"""Lines about what fails again and again: when it begins, now and then, and when it is over."""

from collections.abc import Callable
from typing import Any, Final

from controlplane.telemetry.logs import Logger

_REMIND_SECONDS: Final = 60.0


class Outage:
    """One thing that works or does not, tried much more often than anybody wants to read of it.

    `monotonic` tells the time in seconds; a line is written each `remind`
    seconds while the outage lasts, with how many `times` it failed since the
    line before.
    """

    def __init__(
        self, log: Logger, monotonic: Callable[[], float], *, remind: float = _REMIND_SECONDS
    ) -> None:
        self._log = log
        self._monotonic = monotonic
        self._remind = remind
        self._began: float | None = None
        self._told = 0.0
        self._times = 0

    def fails(self, event: str, **fields: Any) -> None:
        """Write that it fails, unless that was written lately."""
        now = self._monotonic()
        self._times += 1
        if self._began is None:
            self._began = now
        elif now - self._told < self._remind:
            return
        self._log.warning(event, times=self._times, **fields)
        self._told, self._times = now, 0

    def works(self, event: str, **fields: Any) -> None:
        """Write that it works again, and for how long it did not, if it had failed."""
        if self._began is not None:
            seconds = round(self._monotonic() - self._began, 1)
            self._log.info(event, seconds=seconds, **fields)
            self._began, self._times = None, 0
