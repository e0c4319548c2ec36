"""A section that was sent as JSON: read by the tables that read files, problems by pointer."""

import json
from typing import Any, Final, TypeVar

from controlplane.config.findings import Findings
from controlplane.config.places import SENT
from controlplane.config.schema import Kind
from controlplane.errors import ConfigError, InvalidFields, InvalidInput, Place
from controlplane.model.marked_yaml import Mapping, Node, Scalar, Sequence
from controlplane.model.secret import REDACTED

T = TypeVar("T")

_DEEPEST: Final = 50


def read_sent(kind: Kind[T], value: object) -> T:
    """Return what a kind makes of a JSON value.

    Files of the server cannot be named in it, and a secret that was struck out
    when it was shown is none. Raises InvalidFields with every problem.
    """
    sheet = _Sheet()
    root = sheet.node(value, "")
    found = Findings()
    read = found.read_or(kind, root, None)
    try:
        found.raise_any()
    except ConfigError as error:
        places = [Place(sheet.pointers[each.line], each.reason) for each in error.problems]
        raise InvalidFields(places) from None
    if read is None:
        raise InvalidInput("nothing was sent")
    return read


class _Sheet:
    """Nodes as those of a file, whose line is the number of their pointer."""

    def __init__(self) -> None:
        self.pointers: list[str] = []

    def node(self, value: Any, pointer: str) -> Node:
        if pointer.count("/") > _DEEPEST:
            raise InvalidInput("the body is nested too deeply")
        line = len(self.pointers)
        self.pointers.append(pointer)
        if isinstance(value, dict):
            entries = {
                name: self.node(each, f"{pointer}/{_token(name)}") for name, each in value.items()
            }
            lines = {name: each.line for name, each in entries.items()}
            return Mapping(SENT, line, entries, lines)
        if isinstance(value, list):
            items = [self.node(each, f"{pointer}/{place}") for place, each in enumerate(value)]
            return Sequence(SENT, line, tuple(items))
        if value is None:
            return Scalar(SENT, line, "", null=True)
        if value == REDACTED:
            raise InvalidInput("a secret that was struck out: send it itself", pointer=pointer)
        if isinstance(value, str):
            return Scalar(SENT, line, value, quoted=True)
        return Scalar(SENT, line, json.dumps(value))


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
