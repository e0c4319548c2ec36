"""`inhibit_rules` and `time_intervals`: alertmanager.yml's, with the names that went before."""

from collections.abc import Callable, Iterator
from typing import Final

from controlplane.config.findings import Findings
from controlplane.config.kinds import LABEL_NAME, NAME, TEXT, text
from controlplane.config.routing import MATCHERS, match_kind
from controlplane.config.schema import Key, Leaf, ListOf, Made, Section, UniqueList
from controlplane.model.marked_yaml import Mapping, Node, Scalar, Sequence
from controlplane.model.matcher_syntax import sort_matchers
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.time_interval import (
    Span,
    TimeInterval,
    parse_days_of_month,
    parse_months,
    parse_times,
    parse_weekdays,
    parse_years,
    time_zone,
)
from controlplane.mute.options import InhibitRule, NamedIntervals

_WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def _inhibit_rule(
    *,
    source: tuple[Matcher, ...] = (),
    source_match: tuple[Matcher, ...] = (),
    source_match_re: tuple[Matcher, ...] = (),
    target: tuple[Matcher, ...] = (),
    target_match: tuple[Matcher, ...] = (),
    target_match_re: tuple[Matcher, ...] = (),
    equal: tuple[str, ...] = (),
    name: str = "",
) -> InhibitRule:
    return InhibitRule(
        source=sort_matchers(source + source_match + source_match_re),
        target=sort_matchers(target + target_match + target_match_re),
        equal=equal,
        name=name,
    )


INHIBIT_RULE: Final = Section(
    "inhibit_rule",
    _inhibit_rule,
    {
        "name": Key(TEXT),
        "source_matchers": Key(MATCHERS, field="source"),
        "source_match": Key(match_kind(MatchOp.EQUAL)),
        "source_match_re": Key(match_kind(MatchOp.REGEX)),
        "target_matchers": Key(MATCHERS, field="target"),
        "target_match": Key(match_kind(MatchOp.EQUAL)),
        "target_match_re": Key(match_kind(MatchOp.REGEX)),
        "equal": Key(ListOf("a list of label names", LABEL_NAME)),
    },
)
INHIBIT_RULES: Final = ListOf("a list of inhibition rules", INHIBIT_RULE)


def _spans(
    title: str, parse: Callable[[str], Span], shown: Callable[[int], object] = int
) -> ListOf[Span]:
    def written(span: Span) -> str:
        ends = (span.begin,) if span.begin == span.end else (span.begin, span.end)
        return ":".join(str(shown(end)) for end in ends)

    return ListOf(f"a list of {title}", Leaf(title, lambda node: parse(text(node)), written))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


_TIMES: Final = Made(
    Section(
        "time_interval_times",
        dict,
        {"start_time": Key(TEXT, required=True), "end_time": Key(TEXT, required=True)},
    ),
    lambda given: parse_times(**given),
    lambda span: {"start_time": _clock(span.begin), "end_time": _clock(span.end + 1)},
)


def _zone(node: Scalar) -> str:
    time_zone(node.text)
    return node.text or "UTC"


TIME_INTERVAL: Final = Section(
    "time_interval",
    TimeInterval,
    {
        "times": Key(ListOf("a list of times", _TIMES)),
        "weekdays": Key(_spans("weekdays", parse_weekdays, _WEEKDAYS.__getitem__)),
        "days_of_month": Key(_spans("days of a month", parse_days_of_month)),
        "months": Key(_spans("months", parse_months)),
        "years": Key(_spans("years", parse_years)),
        "location": Key(Leaf("a time zone", _zone)),
    },
)
_NAMED: Final = Section(
    "time_intervals",
    NamedIntervals,
    {
        "name": Key(NAME, required=True),
        "time_intervals": Key(ListOf("a list of time intervals", TIME_INTERVAL)),
    },
)
TIME_INTERVALS: Final = UniqueList("a list of time intervals", _NAMED, "name")


def check_time_intervals(root: Mapping, found: Findings) -> None:
    """Note names that both lists define, and routes that name intervals which are not there."""
    known = {name.text for name in _names(root.get("mute_time_intervals"))}
    for name in _names(root.get("time_intervals")):
        if name.text in known:
            found.add(name.file, name.line, f"time interval {name.text!r} is not unique")
    known |= {name.text for name in _names(root.get("time_intervals"))}
    for name in _used(root.get("route")):
        if name.text not in known:
            reason = f"undefined time interval {name.text!r} used in route"
            found.add(name.file, name.line, reason)


def _names(node: Node | None) -> Iterator[Scalar]:
    for item in node.items if isinstance(node, Sequence) else ():
        name = item.get("name") if isinstance(item, Mapping) else None
        if isinstance(name, Scalar):
            yield name


def _used(route: Node | None) -> Iterator[Scalar]:
    if not isinstance(route, Mapping):
        return
    for key in ("mute_time_intervals", "active_time_intervals"):
        names = route.get(key)
        for name in names.items if isinstance(names, Sequence) else ():
            if isinstance(name, Scalar):
                yield name
    routes = route.get("routes")
    for child in routes.items if isinstance(routes, Sequence) else ():
        yield from _used(child)
