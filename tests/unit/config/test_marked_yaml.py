"""YAML with its lines, and what is refused of it."""

from itertools import pairwise

import pytest

from controlplane.errors import ConfigError
from controlplane.model.marked_yaml import (
    MAX_DEPTH,
    Mapping,
    Node,
    Scalar,
    Sequence,
    is_null,
    load_marked,
)


def plain(node: Node) -> object:
    """Return a node as plain values: texts, lists and dicts."""
    if isinstance(node, Mapping):
        return {name: plain(child) for name, child in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(child) for child in node.items]
    return None if node.null else node.text


def refusal(text: str) -> str:
    """Return the one reason for which a text is refused."""
    with pytest.raises(ConfigError) as caught:
        load_marked(text, "f.yml")
    return str(caught.value)


def test_nodes_know_file_and_line() -> None:
    """Keys and values stand where the file has them, counted from 1."""
    root = load_marked("a: 1\nb:\n  - x\n  - {c: y}\n", "f.yml")
    assert isinstance(root, Mapping)
    assert (root.file, root.key_lines) == ("f.yml", {"a": 1, "b": 2})
    items = root.entries["b"]
    assert isinstance(items, Sequence)
    assert [item.line for item in items.items] == [3, 4]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~", "null"])
def test_nothing_is_a_null_scalar(text: str) -> None:
    """An empty document is null."""
    assert is_null(load_marked(text, "f.yml"))


def test_scalars_stay_text() -> None:
    """Numbers and booleans keep their spelling; quotes are remembered, and never null."""
    root = load_marked("a: 007\nb: yes\nc: ''\nd: 'null'\ne: |\n  x\n", "f.yml")
    assert plain(root) == {"a": "007", "b": "yes", "c": "", "d": "null", "e": "x\n"}
    assert isinstance(root, Mapping)
    assert root.entries["d"] == Scalar("f.yml", 4, "null", quoted=True)


def test_anchors_and_merges() -> None:
    """An alias is its anchor's node; keys of the mapping's own win over merged ones."""
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: [*b]\n"
    expected = {"base": {"x": "1", "y": "2"}, "one": {"y": "3", "x": "1"}}
    assert plain(load_marked(text, "f")) == {**expected, "two": [{"x": "1", "y": "2"}]}


def test_json_is_yaml() -> None:
    """JSON with tabs, escaped slashes and surrogate pairs is read as JSON means it."""
    root = load_marked('{\n\t"a": ["\\ud83d\\ude00", "x\\/y", null]\n}', "f.json")
    assert plain(root) == {"a": ["😀", "x/y", None]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2", "f.yml:2: the key 'a' stands twice (first: line 1)"),
        ("---\na: 1\n---\nb: 2", "f.yml:3: a second document: put all in one"),
        ("a: !python/object:os.system x", "f.yml:1: the tag '!python/object:os.system'"),
        ("? [a]\n: 1", "f.yml:1: a key cannot be a list"),
        ("a: *x", "f.yml:1: the anchor 'x' is not defined"),
        ("a: &x [*x]", "f.yml:1: the anchor 'x' contains itself"),
        ("a: b: c", "f.yml:1: broken YAML: mapping values are not allowed"),
        ("a: {", "f.yml:2: broken YAML:"),
        ("ok: 1\nbad: \x01", "f.yml:2: broken YAML: a character that is not allowed"),
        ("bad: \ud800", "f.yml:1: broken YAML: a character that is not allowed"),
        ("<<: 5\na: 1", "f.yml:1: << needs a mapping, not '5'"),
    ],
)
def test_refusals_name_the_line(text: str, reason: str) -> None:
    """What cannot be read is refused by file and line, in words."""
    assert refusal(text).startswith(reason)


def test_all_duplicate_keys_are_told() -> None:
    """One pass finds every key that stands twice."""
    assert refusal("a: 1\na: 2\nb: {c: 1, c: 2}\n").count("stands twice") == 2


def test_depth_is_bounded() -> None:
    """Nesting ends at MAX_DEPTH, also where aliases make it."""
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert isinstance(load_marked(deep, "f"), Sequence)
    assert "nested deeper" in refusal("[" * 100_000)
    half = "[" * 60 + "{}" + "]" * 60
    chained = f"a: &a {half.format('x')}\nb: {half.format('*a')}\n"
    assert "nested deeper" in refusal(chained)


def test_aliases_cannot_blow_up() -> None:
    """A billion laughs are refused in no time."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    names = "abcdefghijkl"
    for before, name in pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    assert "aliases blow the document up" in refusal("\n".join(lines))
