"""`route:` of alertmanager.yml, as it is written; defaults are inherited in `tree`."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.matchers import Matcher

GROUP_BY_ALL: Final = "..."


@dataclass(frozen=True, slots=True)
class Route:
    """One node of the routing tree; None means "as the parent has it". Intervals are a node's own.

    `matchers` holds what `matchers`, `match` (equal) and `match_re` (regex)
    said together. `continue_` is the key `continue`. `labels` are put over the
    parent's; their values are templates. Raises InvalidInput for
    what Alertmanager refuses of a single node.
    """

    receiver: str | None = None
    group_by: tuple[str, ...] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    matchers: tuple[Matcher, ...] = ()
    continue_: bool = False
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple["Route", ...] = ()
    labels: Labels = EMPTY

    def __post_init__(self) -> None:
        names = self.group_by or ()
        if GROUP_BY_ALL in names and len(names) > 1:
            raise InvalidInput(
                "group_by cannot have the wildcard '...' and other labels at the same time",
                pointer="/group_by",
            )
        for place, name in enumerate(names):
            if not name:
                raise InvalidInput("group_by has an empty label name", pointer=f"/group_by/{place}")
            if name in names[:place]:
                raise InvalidInput(f"group_by names {name!r} twice", pointer=f"/group_by/{place}")
        for key in ("group_interval", "repeat_interval"):
            if getattr(self, key) == 0:
                raise InvalidInput(f"{key} cannot be zero", pointer=f"/{key}")


def check_root(root: Route, receivers: frozenset[str]) -> None:
    """Raise InvalidInput for a tree that cannot stand, with the pointer to its node.

    The root takes every alert, so it needs a receiver and no matchers; every
    receiver that is named must be among `receivers`.
    """
    if not root.receiver:
        raise InvalidInput("the root route needs a receiver", pointer="/receiver")
    if root.matchers:
        raise InvalidInput("the root route must not have any matchers", pointer="/matchers")
    for key in ("mute_time_intervals", "active_time_intervals"):
        if getattr(root, key):
            raise InvalidInput(f"the root route must not have any {key}", pointer=f"/{key}")
    _check_receivers(root, receivers, "")


def _check_receivers(route: Route, receivers: frozenset[str], pointer: str) -> None:
    if route.receiver and route.receiver not in receivers:
        raise InvalidInput(
            f"route names an undefined receiver {route.receiver!r}", pointer=f"{pointer}/receiver"
        )
    for place, child in enumerate(route.routes):
        _check_receivers(child, receivers, f"{pointer}/routes/{place}")
