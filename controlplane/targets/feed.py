"""Who wants to hear of changed targets: the prober, the scraper."""

from collections.abc import Callable, Iterable

from controlplane.model.target import Target
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.ports import Change, TargetChange, TargetListener
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)


class ChangeFeed:
    """Tells each listener of every change, in order. One that fails hinders no other."""

    def __init__(self, metrics: TargetMetrics) -> None:
        self._metrics = metrics
        self._listeners: list[TargetListener] = []

    def subscribe(self, listener: TargetListener, present: Iterable[Target]) -> Callable[[], None]:
        """Tell `listener` of the targets that are there; return what ends the subscription."""
        for target in present:
            listener(TargetChange(Change.ADDED, target))
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, kind: Change, target: Target) -> None:
        """Tell every listener of one change."""
        for listener in tuple(self._listeners):
            try:
                listener(TargetChange(kind, target))
            except Exception:
                self._metrics.listener_errors.inc()
                log.exception("a listener failed", target=target.name, change=kind)
