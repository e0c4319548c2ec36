"""The parameters of lists. One that a list does not know is refused, not ignored."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from controlplane.api.selectors import selectors
from controlplane.model.alert import AlertStatus
from controlplane.model.matchers import Matcher
from controlplane.model.target import Provenance
from controlplane.mute.silence import SilenceState
from controlplane.targets.index import Query as TargetQuery
from controlplane.targets.index import State


class PageFilter(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1000, description="How many at most.")] = 100
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None


class LabelFilter(PageFilter):
    """What a list of things with labels takes."""

    match: Annotated[
        list[str] | None,
        Field(alias="match[]", description="PromQL selectors over labels; one of them matches."),
    ] = None

    def selectors(self) -> Sequence[tuple[Matcher, ...]]:
        """Return the selectors. Raises ParseError."""
        return selectors(self.match or ())


class TargetFilter(LabelFilter):
    """What the list of targets takes."""

    state: list[State] | None = None
    provenance: list[Provenance] | None = None

    def to_query(self) -> TargetQuery:
        """Return the question for the registry. Raises ParseError."""
        return TargetQuery(
            limit=self.limit,
            cursor=self.cursor,
            match=tuple(self.selectors()),
            states=tuple(self.state or ()),
            provenances=tuple(self.provenance or ()),
        )


class AlertFilter(LabelFilter):
    """What the list of alerts takes."""

    state: list[AlertStatus] | None = None


class SilenceFilter(LabelFilter):
    """What the list of silences takes: selectors are over the names and values of matchers."""

    state: list[SilenceState] | None = None
