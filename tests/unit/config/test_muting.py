"""`inhibit_rules` and `time_intervals`, read and shown."""

from pathlib import Path

from controlplane.config.render import render
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.mute.options import InhibitRule
from tests.unit.config.reading import read

FILE = """\
route:
  receiver: r
  routes:
    - matchers: [team="shop"]
      mute_time_intervals: [nights]
      active_time_intervals: [offhours, never]
receivers: [{name: r}]
inhibit_rules:
  - name: racks
    source_match: {alertname: RackDown}
    source_matchers: [severity=~"page|warn", 'env!=""']
    target_match_re: {alertname: Host.*}
    equal: [rack, env]
  - {}
time_intervals:
  - name: offhours
    time_intervals:
      - times: [{start_time: '00:00', end_time: '09:00'}, {start_time: '17:30', end_time: '24:00'}]
        weekdays: [monday:friday]
        location: Europe/Berlin
      - weekdays: [Saturday, sunday]
        days_of_month: ['1:-2', '-1']
        months: [march:5]
        years: [2026]
  - name: never
mute_time_intervals:
  - {name: nights, time_intervals: [{times: [{start_time: '22:00', end_time: '23:00'}]}]}
"""


def test_alertmanagers_sections_are_read_as_they_are(tmp_path: Path) -> None:
    """Older and newer forms together; intervals under both of their names."""
    options = read(tmp_path, FILE).mute_options()
    assert options.inhibit_rules == (
        InhibitRule(
            source=parse_matchers('alertname="RackDown", severity=~"page|warn", env!=""'),
            target=parse_matchers('alertname=~"Host.*"'),
            equal=("rack", "env"),
            name="racks",
        ),
        InhibitRule(),
    )
    assert options.time_intervals == {
        "nights": (TimeInterval(times=(Span(1320, 1379),)),),
        "offhours": (
            TimeInterval(
                times=(Span(0, 539), Span(1050, 1439)),
                weekdays=(Span(1, 5),),
                location="Europe/Berlin",
            ),
            TimeInterval(
                weekdays=(Span(6, 6), Span(0, 0)),
                days_of_month=(Span(1, -2), Span(-1, -1)),
                months=(Span(3, 5),),
                years=(Span(2026, 2026),),
            ),
        ),
        "never": (),
    }


def test_routes_name_the_intervals_that_they_keep(tmp_path: Path) -> None:
    """Each route its own: they are not inherited."""
    (child,) = read(tmp_path, FILE).route.routes
    assert child.mute_time_intervals == ("nights",)
    assert child.active_time_intervals == ("offhours", "never")


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    """Ranges, hours and matchers are written as they are read."""
    config = read(tmp_path, FILE)
    again = read(tmp_path, render(config))
    assert again.mute_options() == config.mute_options()
    assert again.route == config.route
