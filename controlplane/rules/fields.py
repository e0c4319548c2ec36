"""Fields of a YAML node by their types; what does not fit is noted, and read as nothing."""

from collections.abc import Iterator

from controlplane.errors import InvalidInput
from controlplane.model.duration import parse_duration
from controlplane.model.marked_yaml import Mapping, Node, Problems, Scalar, Sequence, describe


class Fields:
    """Reads fields and collects everything that is wrong with one file."""

    def __init__(self, file: str) -> None:
        self.problems = Problems(file)

    def add(self, line: int, reason: str) -> None:
        self.problems.add(line, reason)

    def mapping(self, node: Node, what: str, known: frozenset[str]) -> Mapping:
        """Return the node if it is a mapping, of none but the known keys."""
        if not isinstance(node, Mapping):
            self.add(node.line, f"{what} must be a mapping, not {describe(node)}")
            return Mapping(node.file, node.line, {}, {})
        for key in node.entries.keys() - known:
            self.add(node.key_lines[key], f"unknown key {key!r} in {what}")
        return node

    def items(self, node: Mapping, key: str) -> Iterator[Node]:
        found = node.get(key)
        if isinstance(found, Sequence):
            yield from found.items
        elif found is not None:
            self.add(found.line, f"{key!r} must be a list, not {describe(found)}")

    def text(self, node: Mapping, key: str) -> str:
        """Return a scalar as it was written; an empty text where there is none."""
        found = node.get(key)
        if found is None or isinstance(found, Scalar):
            return "" if found is None else found.text
        self.add(found.line, f"{key!r} must be a text, not {describe(found)}")
        return ""

    def duration(self, node: Mapping, key: str) -> int:
        text = self.text(node, key)
        if not text:
            return 0
        try:
            return parse_duration(text)
        except InvalidInput as error:
            self.add(node.key_lines[key], f"{key!r}: {error.reason}")
            return 0

    def integer(self, node: Mapping, key: str) -> int:
        text = self.text(node, key)
        try:
            return int(text or "0")
        except ValueError:
            self.add(node.key_lines[key], f"{key!r} must be a whole number, not {text!r}")
            return 0

    def boolean(self, node: Mapping, key: str) -> bool:
        text = self.text(node, key).lower()
        if text not in ("", "true", "false"):
            self.add(node.key_lines[key], f"{key!r} must be true or false, not {text!r}")
        return text == "true"

    def number(self, node: Mapping, key: str) -> float:
        """Return a float in YAML's spelling: `.inf`, `-.inf` and `.nan` are some."""
        text = self.text(node, key)
        try:
            return float((text or "0").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self.add(node.key_lines[key], f"{key!r} must be a number, not {text!r}")
            return 0.0

    def string_map(self, node: Mapping, key: str) -> dict[str, str]:
        found = node.get(key)
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            self.add(found.line, f"{key!r} must be a mapping, not {describe(found)}")
            return {}
        return {name: self.text(found, name) for name in found.entries}
