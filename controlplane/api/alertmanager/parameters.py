"""The parameters of lists: flags and filters, as Alertmanager reads them."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field

from controlplane.errors import InvalidInput
from controlplane.model.labels import EMPTY
from controlplane.model.matcher_syntax import parse_matcher
from controlplane.model.matchers import Matcher, Pattern, compile_regex, matches_all

# As go-openapi reads a flag; whatever else is said means no, and an empty text nothing.
_YES: Final = frozenset(
    ("", "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled")
)

_FILTER: Final = 'A matcher, such as `alertname="Down"`; all of several count.'


def _flag(given: Any) -> bool:
    return str(given).lower() in _YES


Flag = Annotated[bool, BeforeValidator(_flag)]
Filters = Annotated[list[str], Field(default_factory=list, description=_FILTER)]


class Receivers(BaseModel):
    """By receiver: `receiver_matchers` are over labels of receivers, which ours do not have."""

    receiver: Annotated[str | None, Field(description="A regex; it must match all of a name.")] = (
        None
    )
    receiver_matchers: Filters

    def takes(self) -> "ReceiverFilter":
        """Return the filter. Raises InvalidInput."""
        pattern = None
        if self.receiver is not None:
            try:
                pattern = compile_regex(self.receiver)
            except InvalidInput as error:
                reason = f"failed to parse receiver param: {error.reason}"
                raise InvalidInput(reason, pointer="?receiver") from None
        return ReceiverFilter(pattern, labels=no_labels_match(self.receiver_matchers))


class Firing(Receivers):
    """Which alerts are wanted, by what keeps them from being told and by their labels."""

    active: Flag = True
    silenced: Flag = True
    inhibited: Flag = True
    filter: Filters


class AlertParameters(Firing):
    """Which alerts are wanted. `unprocessed` is taken, and none of ours ever is."""

    unprocessed: Flag = True


class GroupParameters(Firing):
    """Which groups are wanted, and which of their alerts."""

    muted: Flag = True


class SilenceParameters(BaseModel):
    """Which silences are wanted."""

    active: Flag = True
    pending: Flag = True
    expired: Flag = True
    filter: Filters


class ReceiverFilter:
    """Tells whether a receiver is wanted."""

    def __init__(self, pattern: Pattern | None, *, labels: bool) -> None:
        self._pattern = pattern
        self._labels = labels

    def __call__(self, name: str) -> bool:
        return self._labels and (self._pattern is None or self._pattern.fullmatch(name) is not None)


def matchers_of(filters: Sequence[str]) -> tuple[Matcher, ...]:
    """Return what filters say. Raises InvalidInput."""
    return tuple(parse_matcher(each) for each in filters)


def no_labels_match(filters: Sequence[str]) -> bool:
    """Tell whether a receiver without labels is wanted. Raises InvalidInput."""
    try:
        return matches_all(matchers_of(filters), EMPTY)
    except InvalidInput as error:
        reason = f"failed to parse receiver_matchers param: {error.reason}"
        raise InvalidInput(reason, pointer="?receiver_matchers") from None


def are_among(wanted: Sequence[Matcher], matchers: Sequence[Matcher]) -> bool:
    """Tell whether a silence has each of some matchers, letter by letter."""
    return all(each in matchers for each in wanted)
