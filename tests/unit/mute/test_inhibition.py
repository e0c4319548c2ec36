"""Inhibition by rules, and hours of routes."""

import pytest

from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.mute.hours import Hours
from controlplane.mute.inhibition import Inhibitor
from controlplane.mute.options import InhibitRule
from tests.unit.mute.world import HOUR, NOW, At, alert


def rule(source: str, target: str, *equal: str) -> InhibitRule:
    return InhibitRule(parse_matchers(source), parse_matchers(target), equal)


RACK = rule('alertname="RackDown"', 'severity="page"', "rack")


def test_a_source_mutes_targets_with_equal_labels() -> None:
    """Only where the named labels are the same, and only while the source fires."""
    source = alert(alertname="RackDown", rack="1", ends_at=NOW + 10)
    inhibitor = Inhibitor([RACK], [source])
    target = Labels({"alertname": "HostDown", "severity": "page", "rack": "1"})
    assert inhibitor.muted_by(target, At(NOW)) == (source.fingerprint,)
    assert inhibitor.muting(target, NOW + 10) == ()
    assert inhibitor.muting(target.merge({"rack": "2"}), NOW) == ()
    assert inhibitor.muting(target.merge({"severity": "info"}), NOW) == ()


def test_labels_that_neither_has_are_equal() -> None:
    """An absent label is an empty one, as in Alertmanager."""
    inhibitor = Inhibitor([RACK], [alert(alertname="RackDown")])
    assert inhibitor.muting(Labels({"severity": "page"}), NOW)


def test_a_source_that_comes_and_goes_is_followed() -> None:
    """What is heard later counts as what was there at the start."""
    inhibitor = Inhibitor([RACK])
    target = Labels({"severity": "page", "rack": "1"})
    assert not inhibitor.muting(target, NOW)
    inhibitor.heard([alert(alertname="RackDown", rack="1")], NOW)
    assert inhibitor.muting(target, NOW)
    inhibitor.heard([alert(alertname="RackDown", rack="1", ends_at=NOW)], NOW)
    assert not inhibitor.muting(target, NOW)


def test_another_source_takes_over() -> None:
    """With two sources of the same values, the end of one changes nothing."""
    first = alert(alertname="RackDown", rack="1", n="1", ends_at=NOW + HOUR)
    second = alert(alertname="RackDown", rack="1", n="2", ends_at=NOW + 1)
    target = Labels({"severity": "page", "rack": "1"})
    inhibitor = Inhibitor([RACK], [second, first])
    assert inhibitor.muting(target, NOW + 1) == (first.fingerprint,)


def test_what_is_source_and_target_does_not_inhibit_itself() -> None:
    """Nor another one that is both; a plain target is still inhibited."""
    both = rule('severity="page"', 'severity=~".+"')
    inhibitor = Inhibitor([both], [alert(severity="page", n="1"), alert(severity="page", n="2")])
    assert inhibitor.muting(Labels({"severity": "page", "n": "1"}), NOW) == ()
    assert inhibitor.muting(Labels({"severity": "info"}), NOW)


NIGHT = TimeInterval(times=(Span(22 * 60, 24 * 60 - 1),))  # NOW is 22:13:20 UTC
MORNING = TimeInterval(times=(Span(0, 12 * 60),))
HOURS = Hours({"night": (MORNING, NIGHT), "morning": (MORNING,), "never": ()})


@pytest.mark.parametrize(
    ("mute", "active", "muted_by"),
    [
        ((), (), ()),
        (("night",), (), ("night",)),
        (("morning", "never"), (), ()),
        (("night", "morning"), (), ("night",)),
        ((), ("night",), ()),
        ((), ("morning",), ("morning",)),
        ((), ("morning", "night"), ()),
        ((), ("morning", "never"), ("morning", "never")),
        (("night",), ("morning",), ("night",)),
        (("never",), ("morning",), ("morning",)),
    ],
)
def test_hours_mute_a_whole_group(
    mute: tuple[str, ...], active: tuple[str, ...], muted_by: tuple[str, ...]
) -> None:
    """Within a mute interval, or outside of all active ones where there are any."""
    assert HOURS.muted_by(Labels(), At(NOW, mute, active)) == muted_by


def test_what_was_made_up_inhibits_nothing() -> None:
    """A fire drill with the labels of a source hides no alert that is real."""
    source = alert(alertname="RackDown", rack="1", controlplane_test="true")
    inhibitor = Inhibitor([RACK], [source])
    assert inhibitor.muting(Labels({"severity": "page", "rack": "1"}), NOW) == ()
