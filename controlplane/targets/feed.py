"""Who wants to hear of changed targets: the prober, the scraper."""

from collections.abc import Callable, Iterable

from controlplane.model.origin import Origin
from controlplane.model.target import Target
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.ports import Change, TargetChange, TargetListener
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)


class ChangeFeed:
    """Tells each listener of every change, in order. One that fails hinders no other."""

    def __init__(self, metrics: TargetMetrics) -> None:
        self._metrics = metrics
        self._listeners: list[tuple[TargetListener, Origin | None]] = []

    def subscribe(
        self, listener: TargetListener, present: Iterable[Target], origin: Origin | None = None
    ) -> Callable[[], None]:
        """Tell `listener` of the targets that are there; return what ends the subscription.

        With an origin it hears of nothing but the changes made there from now on.
        """
        for target in present if origin is None else ():
            listener(TargetChange(Change.ADDED, target))
        listening = (listener, origin)
        self._listeners.append(listening)
        return lambda: self._listeners.remove(listening)

    def tell(self, kind: Change, target: Target, origin: Origin) -> None:
        """Tell every listener of one change."""
        for listener, wanted in tuple(self._listeners):
            if wanted not in (None, origin):
                continue
            try:
                listener(TargetChange(kind, target))
            except Exception:
                self._metrics.listener_errors.inc()
                log.exception("a listener failed", target=target.name, change=kind)
