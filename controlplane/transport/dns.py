"""The DNS message format, as far as a stub that asks for addresses needs it (RFC 1035)."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final


class QueryType(IntEnum):
    """The two record types that hold addresses."""

    A = 1
    AAAA = 28


_HEADER: Final = struct.Struct("!HHHHHH")
_QUESTION: Final = struct.Struct("!HH")
_RECORD: Final = struct.Struct("!HHIH")
_RECURSION_DESIRED: Final = 0x0100
_RESPONSE: Final = 0x8000
_TRUNCATED: Final = 0x0200
_CLASS_IN: Final = 1
_FAMILIES: Final = {QueryType.A: (AF_INET, 4), QueryType.AAAA: (AF_INET6, 16)}

NO_ERROR: Final = 0
NAME_ERROR: Final = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its response code and the addresses of the type asked for."""

    code: int
    truncated: bool
    addresses: tuple[str, ...]


def encode_name(name: str) -> bytes:
    """Return a host name in wire form. Raises ValueError for one that cannot be written."""
    ascii_name = name.rstrip(".")
    if not ascii_name.isascii():
        ascii_name = ascii_name.encode("idna").decode("ascii")
    labels = [label.encode("ascii") for label in ascii_name.split(".")]
    if any(not 0 < len(label) < 64 for label in labels):
        raise ValueError(f"not a host name: {name!r}")
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    if len(wire) > 255:
        raise ValueError(f"host name too long: {name[:64]!r}")
    return wire


def encode_query(identifier: int, wire_name: bytes, kind: QueryType) -> bytes:
    """Return a query for one name, recursion desired."""
    header = _HEADER.pack(identifier, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + wire_name + _QUESTION.pack(kind, _CLASS_IN)


def decode_answer(message: bytes, wire_name: bytes, kind: QueryType) -> Answer | None:
    """Return the answer to a query, or None when `message` is not one or is broken.

    The question must come back as it was asked, apart from case. Addresses at
    the end of a chain of CNAMEs count: the server has followed it.
    """
    try:
        return _decode(message, wire_name, kind)
    except (struct.error, IndexError, ValueError):
        return None


def _decode(message: bytes, wire_name: bytes, kind: QueryType) -> Answer | None:
    _, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    end = _HEADER.size + len(wire_name)
    asked = message[_HEADER.size : end]
    if not flags & _RESPONSE or questions != 1 or asked.lower() != wire_name.lower():
        return None
    if _QUESTION.unpack_from(message, end) != (kind, _CLASS_IN):
        return None
    family, size = _FAMILIES[kind]
    position, found = end + _QUESTION.size, []
    for _ in range(answers):
        position = _skip_name(message, position)
        record_kind, record_class, _, length = _RECORD.unpack_from(message, position)
        position += _RECORD.size
        if record_kind == kind and record_class == _CLASS_IN and length == size:
            found.append(inet_ntop(family, message[position : position + size]))
        position += length
    return Answer(flags & 0xF, bool(flags & _TRUNCATED), tuple(found))


def _skip_name(message: bytes, position: int) -> int:
    while True:
        length = message[position]
        if length >= 0xC0:
            return position + 2
        position += length + 1
        if length == 0:
            return position
