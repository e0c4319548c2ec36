"""`status_pages` and `planned_maintenance`: what the public sees, and what does not count."""

from typing import Any, Final

from controlplane.clock import Timestamp
from controlplane.config.kinds import LABEL_NAME, NAME, TEXT, text
from controlplane.config.muting import TIME_INTERVAL
from controlplane.config.schema import Key, Leaf, ListOf, Section, UniqueList
from controlplane.errors import InvalidInput, ParseError
from controlplane.model.duration import format_time, parse_time
from controlplane.model.marked_yaml import Scalar
from controlplane.model.matcher_syntax import format_matchers
from controlplane.model.matchers import Matcher
from controlplane.promql.parser import parse_selector
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.options import PageGroup, StatusPage


def _selector(node: Scalar) -> tuple[Matcher, ...]:
    try:
        return tuple(parse_selector(text(node)))
    except ParseError as error:
        raise InvalidInput(f'not a selector such as {{job="shop"}}: {error}') from None


def _instant(node: Scalar) -> Timestamp:
    return parse_time(node.text)


SELECTORS: Final = ListOf("a list of selectors", Leaf("a selector", _selector, format_matchers))
# None since ever is not written.
INSTANT: Final = Leaf("a time", _instant, lambda time: format_time(time) if time else None)


def _group(*, match: tuple[tuple[Matcher, ...], ...] = (), **values: Any) -> PageGroup:
    return PageGroup(match=match, **values)


PAGE_GROUP: Final = Section(
    "status_page_group",
    _group,
    {
        "name": Key(NAME, required=True),
        "match": Key(SELECTORS, required=True),
        "by": Key(LABEL_NAME),
    },
)
STATUS_PAGE: Final = Section(
    "status_page",
    StatusPage,
    {
        "name": Key(NAME, required=True),
        "title": Key(TEXT),
        "text": Key(TEXT),
        "host": Key(TEXT),
        "groups": Key(UniqueList("a list of groups", PAGE_GROUP, "name")),
    },
)
STATUS_PAGES: Final = UniqueList("a list of status pages", STATUS_PAGE, "name")

MAINTENANCE: Final = Section(
    "planned_maintenance",
    Maintenance,
    {
        "title": Key(NAME, required=True),
        "match": Key(SELECTORS, required=True),
        "starts_at": Key(INSTANT),
        "ends_at": Key(INSTANT),
        "times": Key(ListOf("a list of time intervals", TIME_INTERVAL)),
        "text": Key(TEXT),
    },
)
PLANNED_MAINTENANCE: Final = ListOf("a list of planned maintenance", MAINTENANCE)
