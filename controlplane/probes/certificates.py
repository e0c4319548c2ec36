"""What the metrics say of a certificate, read from its DER encoding (RFC 5280).

Names are written as Go writes them (crypto/x509/pkix, Name.String), because
label values of existing dashboards and alerts hold that text.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from controlplane.errors import InvalidInput

_BOOLEAN_CONTEXT: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_UTC_TIME: Final = 0x17
_DNS_NAME: Final = 0x82
_PRINTABLE: Final = 0x13
_UTF8: Final = 0x0C
_ALT_NAME: Final = bytes.fromhex("551d11")
_STANDARD: Final = bytes.fromhex("5504")  # 2.5.4, the arc of the attributes of names

# In the order in which Go writes them, by the last number of their identifier.
_ATTRIBUTES: Final = {
    5: "SERIALNUMBER",
    3: "CN",
    17: "POSTALCODE",
    9: "STREET",
    8: "ST",
    7: "L",
    11: "OU",
    10: "O",
    6: "C",
}
# Of these a name has one: the last that it holds.
_SINGLE: Final = frozenset({3, 5})
_ENCODINGS: Final = {0x14: "latin-1", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}
_PRINTABLE_LETTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 '()+,-./:=?"
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate. Its times are seconds since the Unix epoch; raw names are in DER."""

    fingerprint: str
    subject: str
    issuer: str
    dns_names: tuple[str, ...]
    serial: str
    not_before: int
    not_after: int
    raw_subject: bytes = field(repr=False)
    raw_issuer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Element:
    """One element of DER: its tag and its content."""

    tag: int
    content: bytes

    def parts(self) -> list["_Element"]:
        return list(_elements(self.content))


def parse_certificate(der: bytes) -> Certificate:
    """Return what a certificate says. Raises InvalidInput when it is none."""
    try:
        fields = _elements(der).__next__().parts()[0].parts()
        if fields[0].tag == _BOOLEAN_CONTEXT:  # the version, which may be left out
            fields = fields[1:]
        serial, _, issuer, validity, subject = fields[:5]
        return Certificate(
            fingerprint=hashlib.sha256(der).hexdigest(),
            subject=_name(subject),
            issuer=_name(issuer),
            dns_names=tuple(_dns_names(fields[5:])),
            serial=serial.content.lstrip(b"\0").hex(),
            not_before=_seconds(validity.parts()[0]),
            not_after=_seconds(validity.parts()[1]),
            raw_subject=subject.content,
            raw_issuer=issuer.content,
        )
    except (IndexError, ValueError, StopIteration) as error:
        raise InvalidInput(f"not a certificate: {error}") from None


def _elements(data: bytes) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size]), at + size
        if at + length > len(data):
            raise ValueError("cut short")
        yield _Element(tag, data[at : at + length])
        at += length


def _seconds(element: _Element) -> int:
    text = element.content.decode("ascii")
    if element.tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return int(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp())


def _dns_names(fields: list[_Element]) -> Iterator[str]:
    for extensions in (each for each in fields if each.tag == _EXTENSIONS):
        for extension in extensions.parts()[0].parts():
            identifier, *_, value = extension.parts()
            if identifier.content == _ALT_NAME:
                names = _Element(0, value.content).parts()[0].parts()
                yield from (name.content.decode() for name in names if name.tag == _DNS_NAME)


def _name(name: _Element) -> str:
    """Return a name as Go writes it: known attributes first, the rest as numbers and hex."""
    known: dict[int, list[str]] = {number: [] for number in _ATTRIBUTES}
    other: list[str] = []
    for attribute in (attribute for group in name.parts() for attribute in group.parts()):
        identifier, value = attribute.parts()
        text = value.content.decode(_ENCODINGS.get(value.tag, "utf-8"), errors="replace")
        number = identifier.content[-1]
        if identifier.content[:-1] != _STANDARD or number not in known:
            other.insert(0, f"{_dotted(identifier.content)}=#{_encoded(text)}")
        elif number in _SINGLE:
            known[number] = [text]
        else:
            known[number].append(text)
    parts = [
        "+".join(f"{_ATTRIBUTES[number]}={_escaped(text)}" for text in texts)
        for number, texts in known.items()
        if texts
    ]
    return ",".join([*parts, *other])


def _escaped(text: str) -> str:
    """Return an attribute's value with the escapes of RFC 2253."""
    escaped = "".join(f"\\{letter}" if letter in ',+"\\<>;' else letter for letter in text)
    if text.startswith((" ", "#")):
        escaped = f"\\{escaped}"
    if text.endswith(" ") and len(text) > 1:
        escaped = f"{escaped[:-1]}\\ "
    return escaped


def _encoded(text: str) -> str:
    tag = _PRINTABLE if _PRINTABLE_LETTERS.issuperset(text) else _UTF8
    content = text.encode()
    size = len(content)
    length = bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2)
    return (bytes([tag]) + length + content).hex()


def _dotted(identifier: bytes) -> str:
    numbers: list[int] = []
    number = 0
    for byte in identifier:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))
