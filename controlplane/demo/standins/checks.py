"""Checks of single fields, shared by the stand-ins."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit


class Problems:
    """Collects what is wrong with a request, each with the place of the field."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, problem: str) -> None:
        self.found.append(problem)

    def text(
        self, holder: Mapping[str, Any], name: str, *, most: int, required: bool = False
    ) -> str:
        """Check a field that must be a text of limited length; return it."""
        value = holder.get(name)
        if value is None or value == "":
            if required:
                self.add(f"'{name}' is missing or blank")
            return ""
        if not isinstance(value, str):
            self.add(f"'{name}' must be a string")
            return ""
        if len(value) > most:
            self.add(f"'{name}' is longer than {most} characters")
        return value

    def url(self, holder: Mapping[str, Any], name: str, *, required: bool = False) -> None:
        """Check a field that must be an http(s) address."""
        value = self.text(holder, name, most=3_000, required=required)
        if value and urlsplit(value).scheme not in ("http", "https"):
            self.add(f"'{name}' is not a valid URL")

    def known(self, holder: Mapping[str, Any], names: Iterable[str]) -> None:
        """Check that there are no fields besides those documented."""
        for name in sorted(set(holder) - set(names)):
            self.add(f"'{name}' is not a documented field")

    def one_of(self, value: object, allowed: Iterable[str], name: str) -> None:
        """Check a field that must have one of several values."""
        if value not in set(allowed):
            self.add(f"'{name}' is invalid (must be one of {', '.join(sorted(allowed))})")

    def objects(self, holder: Mapping[str, Any], name: str, *, most: int) -> list[dict[str, Any]]:
        """Check a field that must be a list of objects; return those that are."""
        value = holder.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.add(f"'{name}' must be a list of objects")
            return []
        if len(value) > most:
            self.add(f"'{name}' has more than {most} entries")
        return value

    def time(self, holder: Mapping[str, Any], name: str) -> None:
        """Check a field that must be an ISO 8601 time."""
        value = self.text(holder, name, most=64)
        if value:
            try:
                datetime.fromisoformat(value)
            except ValueError:
                self.add(f"'{name}' is not an ISO 8601 time")
