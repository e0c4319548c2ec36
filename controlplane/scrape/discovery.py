"""Target groups from the configuration and from files (`file_sd_configs`)."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from controlplane.clock import Clock, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.labels import EMPTY, Labels
from controlplane.scrape.options import FileSdConfig, ScrapeConfig
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

ADDRESS: Final = "__address__"
_FILEPATH: Final = "__meta_filepath"
_LARGEST_FILE: Final = 64 << 20
# What tells that a file is another: when it was written, and how long it is.
_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Addresses that share labels, before relabelling."""

    addresses: tuple[str, ...]
    labels: Labels = EMPTY

    def targets(self) -> Iterable[dict[str, str]]:
        """Yield the labels of each target."""
        for address in self.addresses:
            yield {**self.labels, ADDRESS: address}


def static_groups(config: ScrapeConfig) -> list[TargetGroup]:
    """Return the groups of `static_configs`."""
    return [TargetGroup(static.targets, static.labels) for static in config.static_configs]


def parse_groups(text: bytes, path: str) -> list[TargetGroup]:
    """Return the groups that a file lists, in JSON or in YAML by its name.

    Raises InvalidInput: then nothing of the file is to be used.
    """
    try:
        content = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise InvalidInput(f"{path}: cannot be read: {error}") from None
    if not isinstance(content, list):
        raise InvalidInput(f"{path}: expected a list of target groups")
    return [_group(entry, path, number) for number, entry in enumerate(content)]


def _group(entry: Any, path: str, number: int) -> TargetGroup:
    pointer = f"/{number}"
    if not isinstance(entry, dict) or not set(entry) <= {"targets", "labels"}:
        raise InvalidInput(f"{path}: group {number} may have targets and labels", pointer=pointer)
    addresses = [] if entry.get("targets") is None else entry["targets"]
    labels = {} if entry.get("labels") is None else entry["labels"]
    if not isinstance(addresses, list) or not all(isinstance(item, str) for item in addresses):
        raise InvalidInput(f"{path}: targets of group {number} must be strings", pointer=pointer)
    if not isinstance(labels, dict) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in labels.items()
    ):
        raise InvalidInput(f"{path}: labels of group {number} must be strings", pointer=pointer)
    return TargetGroup(tuple(addresses), Labels({**labels, _FILEPATH: path}))


class FileDiscovery:
    """Watches the files of all configurations.

    A file that cannot be read or understood keeps the groups it had; one that
    is gone has none.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._configs: tuple[FileSdConfig, ...] = ()
        self._groups: dict[str, list[TargetGroup]] = {}
        self._stamps: dict[str, _Stamp] = {}
        self._refreshed: dict[FileSdConfig, Timestamp] = {}
        self.failures = 0

    def watch(self, configs: Iterable[FileSdConfig]) -> None:
        """Replace what is watched; what is known of files that stay is kept."""
        self._configs = tuple(dict.fromkeys(configs))

    def groups(self, config: FileSdConfig) -> list[TargetGroup]:
        """Return what was found last, file by file in the order of their names."""
        paths = sorted(path for path in self._groups if _names(config, path))
        return [group for path in paths for group in self._groups[path]]

    async def refresh(self) -> bool:
        """Look at the files; return whether any group may have changed."""
        now = self._clock.now()
        anew = {
            config
            for config in self._configs
            if abs(now - self._refreshed.get(config, 0)) >= config.refresh_interval
        }
        self._refreshed = {
            config: now if config in anew else self._refreshed[config] for config in self._configs
        }
        return await asyncio.to_thread(self._look, anew)

    def _look(self, anew: set[FileSdConfig]) -> bool:
        found = {path: config for config in self._configs for path in _paths(config)}
        gone = [path for path in self._groups if path not in found]
        for path in gone:
            del self._groups[path]
            self._stamps.pop(path, None)
        changed = [path for path in found if self._read(path, force=found[path] in anew)]
        return bool(changed or gone)

    def _read(self, path: str, *, force: bool) -> bool:
        try:
            status = Path(path).stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamps.get(path) and not force:
                return False
            groups = parse_groups(_content(path, status.st_size), path)
        except (OSError, InvalidInput) as error:
            self.failures += 1
            log.warning("file of targets cannot be used, the old targets stay", error=str(error))
            return False
        self._stamps[path] = stamp
        before = self._groups.get(path)
        self._groups[path] = groups
        return groups != before


def _content(path: str, size: int) -> bytes:
    if size > _LARGEST_FILE:
        raise InvalidInput(f"{path}: larger than {_LARGEST_FILE} bytes")
    return Path(path).read_bytes()


def _paths(config: FileSdConfig) -> Sequence[str]:
    """Return the files that exist for the patterns, which may have globs in their last part."""
    return [
        str(path)
        for pattern in config.files
        for path in sorted(Path(pattern).parent.glob(Path(pattern).name))
    ]


def _names(config: FileSdConfig, path: str) -> bool:
    return any(
        Path(path).parent == Path(pattern).parent and Path(path).match(Path(pattern).name)
        for pattern in config.files
    )
