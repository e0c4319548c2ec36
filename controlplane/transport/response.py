"""Reading a response's header lines, which arrive as bytes that may be anything."""

from collections.abc import Iterable


def decoded_headers(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    """Return the headers as pairs in order; bytes that are not UTF-8 are taken as Latin-1."""
    pairs = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and not name.startswith(b"HTTP/"):
            pairs.append((decode(name).strip(), decode(value).strip()))
    return pairs


def header_values(lines: Iterable[bytes], name: str) -> list[str]:
    """Return the values of a header, whose name is given in lower case."""
    wanted = name.encode()
    size = len(wanted)
    return [
        decode(line[size + 1 :]).strip()
        for line in lines
        if line[size : size + 1] == b":" and line[:size].lower() == wanted
    ]


def header_value(lines: Iterable[bytes], name: str) -> str:
    """Return the first value of a header, or an empty string."""
    values = header_values(lines, name)
    return values[0] if values else ""


def final_headers(lines: list[bytes]) -> list[bytes]:
    """Return the lines of the last response among `lines`: interim ones (1xx) come first."""
    starts = [index for index, line in enumerate(lines) if line.startswith(b"HTTP/")]
    return lines[starts[-1] :] if len(starts) > 1 else lines


def decode(raw: bytes) -> str:
    """Return text for the bytes of a header."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
