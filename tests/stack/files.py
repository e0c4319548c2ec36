"""The files of the stack, as the tests read them."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
# `${NAME:-default}`, as compose fills it in.
_VARIABLE: Final = re.compile(r"\$\{\w+:-([^}]*)\}")


def compose() -> dict[str, Any]:
    """Return docker-compose.yml as it is when no variable is set."""
    text = (ROOT / "docker-compose.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(r"\1", text))
    return found


def services() -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return what a service sees of the repository: places in the container by path here."""
    split = (volume.split(":") for volume in service.get("volumes", []))
    return {source: place for source, place, *_ in split if source.startswith("./")}
