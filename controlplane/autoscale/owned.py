"""A policy and who owns it: the file, or who sent it to the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controlplane.autoscale.options import Policy
from controlplane.clock import Timestamp
from controlplane.model.target import Provenance


@dataclass(frozen=True, slots=True)
class Sent:
    """What the API was sent, as it came: its secrets stand in it, so it is not shown."""

    name: str
    document: Mapping[str, Any] = field(repr=False)
    created_at: Timestamp
    updated_at: Timestamp
    actor: str


@dataclass(frozen=True, slots=True)
class Owned:
    """A policy in force. What follows `provenance` is known of those of the API."""

    policy: Policy
    provenance: Provenance
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    actor: str = ""
