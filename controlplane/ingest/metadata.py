"""What senders say of their metric families."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LONGEST_HELP: Final = 4096


@dataclass(frozen=True, slots=True)
class Metadata:
    """Type, help and unit of a metric family, as its sender tells them."""

    type: str = "unknown"
    help: str = ""
    unit: str = ""


class MetadataBook:
    """The newest word on each family; of families over the bound nothing is kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._families: dict[str, Metadata] = {}
        self._lock = threading.Lock()

    def note(self, family: str, metadata: Metadata) -> None:
        """Remember what is said of a family."""
        if not family or self._families.get(family) == metadata:
            return
        short = Metadata(metadata.type, metadata.help[:_LONGEST_HELP], metadata.unit)
        with self._lock:
            if family in self._families or len(self._families) < self._most:
                self._families[family] = short

    def families(self) -> Mapping[str, Metadata]:
        """Return all that is known now."""
        with self._lock:
            return dict(self._families)
