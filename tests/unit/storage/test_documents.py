"""JSON in columns: whatever a client sent comes back as it was."""

import json

import pytest

from controlplane.storage import documents


@pytest.mark.parametrize(
    "value",
    [
        {"labels": {"instance": "a:9100", "größe": "√2"}, "at": 1},
        ["\x00", '"', "\\", "\u2028"],
        "half of a pair: \ud83d",
        2**70,
        [],
        None,
    ],
    ids=repr,
)
def test_a_value_comes_back(value: object) -> None:
    """Also what orjson does not take: half a surrogate pair, an integer above 64 bits."""
    assert documents.read(documents.write(value)) == value


@pytest.mark.parametrize("value", [{"a": "\ud83d"}, {"a": [1, 2.5, "ü"]}])
def test_what_the_standard_library_wrote_is_read(value: object) -> None:
    """Rows that were written before are read as they were meant."""
    assert documents.read(json.dumps(value)) == value


def test_what_is_no_json_is_refused() -> None:
    """A damaged row is told as one."""
    with pytest.raises(ValueError, match="Expecting"):
        documents.read("{")
