"""The message format: names to bytes, bytes to answers, and what is refused."""

import pytest

from controlplane.transport.dns import (
    Answer,
    QueryType,
    decode_answer,
    encode_name,
    encode_query,
)
from tests.unit.transport.nameserver import parse

NAME = encode_name("a.test")
QUERY = parse(encode_query(7, NAME, QueryType.A))


def test_query_asks_for_recursion() -> None:
    """A query is one question with the flag that has the server follow it up."""
    assert encode_query(0x1234, NAME, QueryType.AAAA).hex() == (
        "1234010000010000000000000161047465737400001c0001"
    )


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("a.test", b"\x01a\x04test\x00"),
        ("a.test.", b"\x01a\x04test\x00"),
        ("straße.test", b"\x07strasse\x04test\x00"),
        ("x" * 63, b"\x3f" + b"x" * 63 + b"\x00"),
    ],
)
def test_names(name: str, wire: bytes) -> None:
    """Labels with their lengths, a final dot or not."""
    assert encode_name(name) == wire


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64, ".".join(["abcd"] * 60), "\x80" * 70])
def test_names_that_do_not_fit(name: str) -> None:
    """Empty and overlong labels, and overlong names, are refused."""
    with pytest.raises(ValueError, match=r".+"):
        encode_name(name)


def test_answer_with_addresses() -> None:
    """Records of the type asked for, in order, behind aliases too."""
    message = QUERY.answer("192.0.2.1", "192.0.2.2", "::1", alias="b.test")
    assert decode_answer(message, NAME, QueryType.A) == Answer(
        0, truncated=False, addresses=("192.0.2.1", "192.0.2.2")
    )


def test_case_of_the_question_does_not_matter() -> None:
    """Servers may repeat the name in letters of another size."""
    message = QUERY.answer("192.0.2.1", question=b"\x01A\x04TeSt\x00\x00\x01\x00\x01")
    assert decode_answer(message, NAME, QueryType.A) is not None


@pytest.mark.parametrize("code", [2, 3])
def test_codes_and_truncation(code: int) -> None:
    """The response code and the flag of a cut-off answer are told."""
    message = QUERY.answer(code=code, truncated=True)
    assert decode_answer(message, NAME, QueryType.A) == Answer(code, truncated=True, addresses=())


def test_every_cut_of_an_answer_is_refused() -> None:
    """A message that ends too early, wherever, is no answer and no exception."""
    message = QUERY.answer("192.0.2.1", alias="b.test")
    for size in range(len(message)):
        assert decode_answer(message[:size], NAME, QueryType.A) is None


@pytest.mark.parametrize(
    "question",
    [
        b"\x01b\x04test\x00\x00\x01\x00\x01",  # another name
        b"\x01a\x04test\x00\x00\x1c\x00\x01",  # another type
        b"\x01a\x04test\x00\x00\x01\x00\x03",  # another class
        b"",
    ],
)
def test_other_questions_are_refused(question: bytes) -> None:
    """The question must come back as it was asked."""
    message = QUERY.answer("192.0.2.1", question=question)
    assert decode_answer(message, NAME, QueryType.A) is None


def test_addresses_of_a_wrong_size_are_passed_over() -> None:
    """A record that is no address of its type is not read as one."""
    message = bytearray(QUERY.answer("192.0.2.1"))
    message[-5] = 3  # the record's length
    answer = decode_answer(bytes(message), NAME, QueryType.A)
    assert answer is None or answer.addresses == ()
