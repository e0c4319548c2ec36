"""How the configuration file stands: which version is in force, and what is wrong with it."""

from dataclasses import dataclass

from controlplane.clock import Timestamp
from controlplane.errors import Problem


@dataclass(frozen=True, slots=True)
class Standing:
    """The configuration in force, and the last try to put another in its place.

    `refused` says line by line why that try failed, and is empty when it went
    well; `tried_at` is when. `doubts` are about the one in force.
    """

    path: str
    files: tuple[str, ...]
    digest: str
    loaded_at: Timestamp
    tried_at: Timestamp
    refused: tuple[str, ...] = ()
    doubts: tuple[Problem, ...] = ()
