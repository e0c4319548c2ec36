"""Planned maintenance: which targets are in it when. Their time is then neither up nor down."""

from dataclasses import dataclass

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, matches_all
from controlplane.model.target import Provenance
from controlplane.model.time_interval import TimeInterval


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A plan: the targets that one of `match` selects, from a time until, without, another.

    `times` narrow it to hours that come again; a plan of the file with them
    needs no end. Counted by whole minutes.
    """

    title: str
    match: tuple[tuple[Matcher, ...], ...]
    starts_at: Timestamp = 0
    ends_at: Timestamp | None = None
    times: tuple[TimeInterval, ...] = ()
    text: str = ""
    created_by: str = ""
    provenance: Provenance = Provenance.API
    id: str = ""

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise InvalidInput("must not be empty", pointer="/title")
        if not self.match:
            raise InvalidInput("say which targets: match is missing", pointer="/match")
        if self.ends_at is None and not self.times:
            raise InvalidInput("say when it ends, or in which times it is", pointer="/ends_at")
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise InvalidInput("it would end before it begins", pointer="/ends_at")

    def covers(self, at: Timestamp) -> bool:
        """Tell whether it is under way at an instant."""
        return (
            self.starts_at <= at
            and (self.ends_at is None or at < self.ends_at)
            and (not self.times or any(each.contains(at) for each in self.times))
        )

    def is_over(self, now: Timestamp) -> bool:
        """Tell whether it will not come again."""
        return self.ends_at is not None and self.ends_at <= now

    def selects(self, labels: Labels) -> bool:
        """Tell whether it concerns a target with these labels."""
        return any(matches_all(matchers, labels) for matchers in self.match)
