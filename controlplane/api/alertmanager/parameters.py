"""The parameters of lists: flags and filters, as Alertmanager reads them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
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
    """By receiver: its name, and `receiver_matchers` over its labels."""

    receiver: Annotated[str | None, Field(description="A regex; it must match all of a name.")] = (
        None
    )
    receiver_matchers: Filters

    def takes(self, labels: Mapping[str, Labels]) -> "ReceiverFilter":
        """Return the filter of receivers, whose labels stand by their names.

        Raises InvalidInput.
        """
        pattern = None
        if self.receiver is not None:
            try:
                pattern = compile_regex(self.receiver)
            except InvalidInput as error:
                reason = f"failed to parse receiver param: {error.reason}"
                raise InvalidInput(reason, pointer="?receiver") from None
        return ReceiverFilter(pattern, receiver_matchers_of(self.receiver_matchers), labels)


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

    def __init__(
        self, pattern: Pattern | None, matchers: Sequence[Matcher], labels: Mapping[str, Labels]
    ) -> None:
        self._pattern = pattern
        self._matchers = matchers
        self._labels = labels

    def __call__(self, name: str) -> bool:
        if self._pattern is not None and self._pattern.fullmatch(name) is None:
            return False
        if not self._matchers:
            return True
        return name in self._labels and matches_all(self._matchers, self._labels[name])


def matchers_of(filters: Sequence[str]) -> tuple[Matcher, ...]:
    """Return what filters say. Raises InvalidInput."""
    return tuple(parse_matcher(each) for each in filters)


def receiver_matchers_of(filters: Sequence[str]) -> tuple[Matcher, ...]:
    """Return what filters say of the labels of receivers. Raises InvalidInput."""
    try:
        return matchers_of(filters)
    except InvalidInput as error:
        reason = f"failed to parse receiver_matchers param: {error.reason}"
        raise InvalidInput(reason, pointer="?receiver_matchers") from None


def are_among(wanted: Sequence[Matcher], matchers: Sequence[Matcher]) -> bool:
    """Tell whether a silence has each of some matchers, letter by letter."""
    return all(each in matchers for each in wanted)
