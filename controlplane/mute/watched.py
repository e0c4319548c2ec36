"""The targets that are watched, found by the labels that their alerts carry."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.model.dependency import Dependency
from controlplane.model.labels import Labels

_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Watched:
    """A target, as far as it matters to muting. `labels` are those that all its series carry."""

    id: str
    name: str
    labels: Labels
    endpoint: str
    interval: Duration
    depends_on: tuple[Dependency, ...] = ()


class TargetBook:
    """Targets by id, by name, and by the job and instance of alerts about them."""

    def __init__(self) -> None:
        self._all: dict[str, Watched] = {}
        self._by_name: dict[str, str] = {}
        self._by_place: dict[tuple[str, str], set[str]] = {}
        self.version = 0  # moves with each change

    def __iter__(self) -> Iterator[Watched]:
        return iter(self._all.values())

    def get(self, target_id: str) -> Watched | None:
        return self._all.get(target_id)

    def named(self, name: str) -> Watched | None:
        target_id = self._by_name.get(name)
        return None if target_id is None else self._all[target_id]

    def about(self, labels: Labels) -> frozenset[str] | set[str]:
        """Return the ids of the targets that an alert with these labels is about.

        It has to name both job and instance: one about a whole job is about
        none of its targets.
        """
        place = _place(labels)
        return self._by_place.get(place, _NONE) if all(place) else _NONE

    def put(self, target: Watched) -> None:
        """Take a target up, in place of the one with its id."""
        if self._all.get(target.id) == target:
            return
        self.remove(target.id)
        self._all[target.id] = target
        self._by_name[target.name] = target.id
        self._by_place.setdefault(_place(target.labels), set()).add(target.id)
        self.version += 1

    def remove(self, target_id: str) -> None:
        old = self._all.pop(target_id, None)
        if old is None:
            return
        if self._by_name.get(old.name) == target_id:
            del self._by_name[old.name]
        place = _place(old.labels)
        self._by_place[place].discard(target_id)
        if not self._by_place[place]:
            del self._by_place[place]
        self.version += 1


def _place(labels: Labels) -> tuple[str, str]:
    return labels.value("job"), labels.value("instance")
