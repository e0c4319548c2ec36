"""How these tests read configurations: from texts, with problems as lines and reasons."""

from pathlib import Path
from textwrap import dedent

from controlplane.config.config import Config
from controlplane.config.loader import load
from controlplane.errors import ConfigError

DATA = Path(__file__).parent / "data"


def read(directory: Path, text: str, name: str = "controlplane.yml") -> Config:
    """Write a text to a file in `directory` and load it."""
    path = directory / name
    path.write_text(dedent(text))
    return load(path)


def problems(directory: Path, text: str) -> list[tuple[int, str]]:
    """Return the problems of a text, line and reason; empty when it can be used."""
    try:
        read(directory, text)
    except ConfigError as error:
        return [(problem.line, problem.reason) for problem in error.problems]
    return []
