"""What targets depend on must not go round in a circle."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from controlplane.errors import InvalidInput
from controlplane.model.dependency import Dependency, find_cycle
from controlplane.model.labels import Labels
from controlplane.model.target import Target, TargetSpec


class Depending(NamedTuple):
    """A target with what it depends on. `labels` are those of its series."""

    name: str
    labels: Labels
    on: Sequence[Dependency]

    @classmethod
    def of_spec(cls, spec: TargetSpec) -> "Depending":
        """Return a registration by itself, without what an operator may set."""
        return cls(spec.name, Labels(spec.own_labels()), spec.depends_on)

    @classmethod
    def of(cls, target: Target) -> "Depending":
        """Return a target as it stands."""
        return cls(target.name, target.labels(), target.spec.depends_on)


def cycle_through(name: str, targets: Iterable[Depending]) -> tuple[str, ...]:
    """Return the names on the shortest way from a target back to itself, or nothing.

    That matchers find the very target which says them is no circle.
    """
    known = {target.name: target for target in targets}
    return find_cycle(name, lambda each: _below(known[each], known))


def check_dependencies(spec: TargetSpec, targets: Iterable[Target]) -> None:
    """Refuse a registration by which a target would come to depend on itself.

    Raises InvalidInput.
    """
    if not spec.depends_on:
        return
    others = [Depending.of(target) for target in targets if target.name != spec.name]
    if cycle := cycle_through(spec.name, [*others, Depending.of_spec(spec)]):
        raise InvalidInput(f"it would go round: {' -> '.join(cycle)}", pointer="/depends_on")


def _below(target: Depending, known: Mapping[str, Depending]) -> Iterable[str]:
    for dependency in target.on:
        if dependency.name:
            if dependency.name in known:
                yield dependency.name
            continue
        for other in known.values():
            if other.name != target.name and dependency.finds(other.name, other.labels):
                yield other.name
