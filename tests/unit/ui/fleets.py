"""Targets made up for tests of what shows many of them."""

from collections.abc import Sequence

from controlplane.model.labels import Labels
from controlplane.model.target import Operator, Provenance, Target, TargetSpec
from controlplane.targets.index import Entry


def target(name: str, provenance: Provenance = Provenance.API, **labels: str) -> Target:
    """Return a target whose id tells its name."""
    spec = TargetSpec(name, url=f"http://{name}.example/", labels=Labels(labels))
    return Target(f"{name:>032}", spec, provenance, 1, 1, 1, Operator())


def entries(*targets: Target) -> Sequence[Entry]:
    """Return targets as the registry gives them: by name, with their labels."""
    ordered = sorted(targets, key=lambda each: each.name)
    return [Entry(each, each.labels()) for each in ordered]
