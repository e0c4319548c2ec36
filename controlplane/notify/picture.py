"""A picture of what a group of alerts is about, for the messages that can show one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controlplane.notify.message import Content


@dataclass(frozen=True, slots=True)
class Graph:
    """A PNG, how large it is to be shown in pixels, and what it shows in words."""

    png: bytes
    width: int
    height: int
    words: str


# Draws the expression that a group's alerts come from, around the moment at
# which they fired. Gives None where there is nothing to draw, no room or no
# time: it raises nothing, and no message waits for it longer than its limit.
Picture = Callable[[Content], Awaitable[Graph | None]]


async def no_picture(_content: Content) -> Graph | None:
    """Draw nothing."""
    return None
