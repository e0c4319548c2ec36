"""What messages show of the rules behind alerts: a picture, and how bad it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.model import links
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.notify.message import Content
from controlplane.notify.picture import Graph
from controlplane.notify.reading import Reading
from controlplane.plot.plotter import Plotter, Scene
from controlplane.plot.subject import threshold_of
from controlplane.rules.status import GroupStatus

# A picture is of one expression: the labels of so many of its alerts choose the series.
_MOST_ALERTS: Final = 100


@dataclass(frozen=True, slots=True)
class Pictures:
    """Draws the expression of a group's newest alert, if a rule of ours raised it.

    What others link to is not ours to know: their alerts have no picture.
    """

    plotter: Plotter
    external_url: str

    async def __call__(self, content: Content) -> Graph | None:
        scene = self._scene(content)
        plot = None if scene is None else await self.plotter.plot(scene)
        return None if plot is None else Graph(plot.png, plot.width, plot.height, plot.words)

    def _scene(self, content: Content) -> Scene | None:
        firing = [a for a in content.alerts if content.status_of(a) is AlertStatus.FIRING]
        newest = max(firing or content.alerts, key=lambda a: a.starts_at, default=None)
        expr = "" if newest is None else self._expr(newest)
        if newest is None or not expr:
            return None
        alike = [a for a in firing or content.alerts if a.generator_url == newest.generator_url]
        return Scene(
            expr,
            tuple(alert.labels for alert in alike[:_MOST_ALERTS]),
            fired=newest.starts_at,
            until=content.at,
            over=None if firing else newest.ends_at,
        )

    def _expr(self, alert: Alert) -> str:
        return links.expression(self.external_url.rstrip("/"), alert.generator_url)


@dataclass(frozen=True, slots=True)
class RuleReadings:
    """Reads off the rules what their alerts stood at when they were last evaluated."""

    groups: Callable[[], Sequence[GroupStatus]]
    external_labels: Callable[[], Mapping[str, str]]

    def __call__(self, name: str) -> Mapping[Labels, Reading]:
        """Return the readings of the alerts with a name, by their labels as they are sent."""
        return {
            self._sent(alert.labels): Reading(alert.value, limit.comparison, limit.threshold)
            for group in self.groups()
            for status in group.rules
            if status.rule.alert == name
            for limit in (threshold_of(status.rule.expr),)
            for alert in status.alerts
        }

    def _sent(self, labels: Labels) -> Labels:
        outside = self.external_labels()
        return Labels({**outside, **labels}) if outside else labels
