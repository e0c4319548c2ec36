"""Reading a response's header lines, which arrive as bytes that may be anything."""

from collections.abc import Iterable, Sequence
from typing import Final

# The line that ends a head.
_END: Final = b"\r\n"


def decoded_headers(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    """Return the headers as pairs in order; bytes that are not UTF-8 are taken as Latin-1."""
    pairs = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and not name.startswith(b"HTTP/"):
            pairs.append((decode(name).strip(), decode(value).strip()))
    return pairs


def header_values(lines: Sequence[bytes], name: str) -> list[str]:
    """Return the values of a header, whose name is given in lower case."""
    wanted = name.encode()
    # As a rule it is not there, and one search through all lines tells.
    if wanted + b":" not in b"".join(lines).lower():
        return []
    size = len(wanted)
    return [
        decode(line[size + 1 :]).strip()
        for line in lines
        if line[size : size + 1] == b":" and line[:size].lower() == wanted
    ]


def header_value(lines: Sequence[bytes], name: str) -> str:
    """Return the first value of a header, or an empty string."""
    values = header_values(lines, name)
    return values[0] if values else ""


def final_headers(lines: list[bytes]) -> list[bytes]:
    """Return the head of the last response: interim ones (1xx) come before it, trailers after."""
    if lines[-1:] == [_END] and lines.count(_END) == 1:
        return lines
    start = max((at for at, line in enumerate(lines) if line.startswith(b"HTTP/")), default=0)
    end = next((at for at, line in enumerate(lines) if at > start and not line.strip()), None)
    return lines[start:] if end is None else lines[start : end + 1]


def ends_head(lines: list[bytes]) -> bool:
    """Tell whether the head that the lines make is whole."""
    return bool(lines) and not lines[-1].rstrip(b"\r\n")


def decode(raw: bytes) -> str:
    """Return text for the bytes of a header."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
