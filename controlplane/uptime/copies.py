"""Copies of status pages on disk, for the time after a restart in which nothing is known yet."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from controlplane.telemetry.logs import get_logger
from controlplane.uptime.view import PageView, document_of, view_of

log = get_logger(__name__)


class Copies:
    """One file a page. Its methods block: call them in a thread. A copy that fails is logged."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self, names: Sequence[str]) -> Mapping[str, PageView]:
        """Return the copies that there are of the pages of these names."""
        found = {}
        for name in names:
            try:
                found[name] = view_of(json.loads((self._directory / f"{name}.json").read_bytes()))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("copy of a status page cannot be read", page=name, reason=str(error))
        return found

    def keep(self, views: Sequence[PageView]) -> None:
        """Replace the copies of some pages, each whole or not at all."""
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            for view in views:
                path = self._directory / f"{view.name}.json"
                fresh = path.with_suffix(".new")
                fresh.write_text(json.dumps(document_of(view)), encoding="utf-8")
                fresh.replace(path)
        except OSError as error:
            log.warning("copy of a status page cannot be kept", reason=str(error))
