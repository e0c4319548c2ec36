"""What one evaluation of a rule gives to the sample store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.model.duration import SECOND
from controlplane.model.histogram import Histograms
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import Values
from controlplane.rules.state import RuleAlert

ALERTS: Final = "ALERTS"
ALERTS_FOR_STATE: Final = "ALERTS_FOR_STATE"
ALERT_NAME: Final = "alertname"
ALERT_STATE: Final = "alertstate"


@dataclass(frozen=True, slots=True)
class Produced:
    """What one evaluation gave: series and their values, and whether a state changed."""

    series: Sequence[Labels]
    values: Values
    changed: bool = True
    histograms: Histograms | None = None


def series_of(active: Sequence[RuleAlert]) -> Produced:
    """Return the synthetic series of active alerts: their state, and since when."""
    series = [
        alert.labels.merge({METRIC_NAME: ALERTS, ALERT_STATE: alert.state.value})
        for alert in active
    ]
    series += [alert.labels.merge({METRIC_NAME: ALERTS_FOR_STATE}) for alert in active]
    since = [alert.active_at // SECOND for alert in active]
    values = np.array([1] * len(active) + since, dtype=np.float64)
    return Produced(series, values, changed=False)
