"""What a sync needs of a Grafana, and what it speaks of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Model = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: its JSON, and the uid of the folder that it is in."""

    uid: str
    folder: str
    model: Model

    @property
    def title(self) -> str:
        return str(self.model.get("title", ""))


@dataclass(frozen=True, slots=True)
class Held:
    """A dashboard as a Grafana has it. A provisioned one cannot be changed over its API."""

    board: Board
    version: int
    provisioned: bool = False


class Grafana(Protocol):
    """A Grafana's API. Each raises Unauthorized, Forbidden, Unavailable or InvalidInput."""

    async def folders(self) -> Mapping[str, str]:
        """Return the titles of the folders by their uids."""
        ...

    async def make_folder(self, uid: str, title: str) -> None:
        """Make a folder."""
        ...

    async def tagged(self, tag: str) -> Sequence[str]:
        """Return the uids of all dashboards with a tag."""
        ...

    async def board(self, uid: str) -> Held | None:
        """Return a dashboard, or None where there is none."""
        ...

    async def save(self, board: Board, version: int | None) -> None:
        """Make a dashboard, or put it in the place of a version of itself.

        Raises Conflict when somebody changed it meanwhile, or its title is taken.
        """
        ...

    async def delete(self, uid: str) -> None:
        """Remove a dashboard; one that is gone already is no error."""
        ...
