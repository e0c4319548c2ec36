"""Matchers as text, as Alertmanager 0.34 reads them: UTF-8, or classic, or both.

By default both readings are tried. Where only the classic one succeeds, or the
two disagree, the classic one counts, so that old files keep their meaning
(matcher/compat of Alertmanager, "fallback mode").
"""

import re
from collections.abc import Iterator
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.matchers import Matcher, MatchOp

# One token of the UTF-8 grammar; what is left over is an error. Spaces are Unicode's.
_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<open>\{) | (?P<close>\}) | (?P<comma>,)
      | (?P<op>=~|=|!=|!~)
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<bare>[^\s{}!=~,\\"'`]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_CLASSIC: Final = re.compile(
    r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*\Z", re.DOTALL
)
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))",
    re.DOTALL,
)
_NEEDS_QUOTES: Final = re.compile(r"""[\s{}!=~,\\"'`]""")
_SIMPLE: Final = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))
_SPECIAL: Final = {char: f"\\{name}" for name, char in _SIMPLE.items()}


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of `{a="b", c=~"d.*"}`, braces being optional.

    The result is sorted, as a route keeps them. Raises InvalidInput.
    """
    try:
        modern = parse_utf8_matchers(text)
    except InvalidInput:
        return parse_classic_matchers(text)
    try:
        classic = parse_classic_matchers(text)
    except InvalidInput:
        return modern
    return modern if modern == classic else classic


def parse_matcher(text: str) -> Matcher:
    """Return the one matcher that `text` holds, without braces. Raises InvalidInput."""
    if text.startswith("{") or text.endswith("}"):
        raise InvalidInput(f"unexpected open or close brace: {text}")
    found = parse_matchers(text)
    if len(found) != 1:
        raise InvalidInput(f"expected 1 matcher, found {len(found)}: {text}")
    return found[0]


def sort_matchers(matchers: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    """Return them by name, then value, then operator: the order in group keys."""
    order = tuple(MatchOp)
    return tuple(sorted(matchers, key=lambda m: (m.name, m.value, order.index(m.op))))


def format_matchers(matchers: tuple[Matcher, ...]) -> str:
    """Return them as Alertmanager prints a list: `{a="b",c=~"d"}`."""
    return "{" + ",".join(_format(matcher) for matcher in matchers) + "}"


def parse_utf8_matchers(text: str) -> tuple[Matcher, ...]:
    """Read the grammar in which names too may be quoted. Raises InvalidInput."""
    tokens = [*_tokens(text), ("end", "")]
    braced = tokens[0][0] == "open"
    place = 1 if braced else 0
    found: list[Matcher] = []
    while tokens[place][0] not in ("close", "end"):
        name, op, value = (*tokens[place : place + 3], ("end", ""), ("end", ""))[:3]
        _expect(name, ("bare", "quoted"), "a label name")
        _expect(op, ("op",), "an operator such as '=', '!=', '=~' or '!~'")
        _expect(value, ("bare", "quoted"), "a label value")
        found.append(Matcher(_unquote(name), MatchOp(op[1]), _unquote(value)))
        place += 3
        if tokens[place][0] == "comma":
            place += 1
            _expect(tokens[place], ("bare", "quoted", "close", "end"), "a matcher or close brace")
        else:
            _expect(tokens[place], ("close", "end"), "a comma or close brace")
    if braced != (tokens[place][0] == "close"):
        raise InvalidInput(f"expected {'close' if braced else 'opening'} brace: {text}")
    _expect(tokens[place + 1] if braced else tokens[place], ("end",), "end of input")
    return sort_matchers(tuple(found))


def parse_classic_matchers(text: str) -> tuple[Matcher, ...]:
    """Read the tolerant grammar that came first. Raises InvalidInput."""
    inner = text.removeprefix("{").removesuffix("}")
    return sort_matchers(tuple(_classic_matcher(part) for part in _split_outside_quotes(inner)))


def _format(matcher: Matcher) -> str:
    if _NEEDS_QUOTES.search(matcher.name) is None:
        return str(matcher)
    return f"{go_quote(matcher.name)}{matcher.op}{go_quote(matcher.value)}"


def go_quote(text: str) -> str:
    """Return a Go string literal (`strconv.Quote`); what cannot be printed is escaped."""
    return '"' + "".join(_go_escape(char) for char in text) + '"'


def _go_escape(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char.isprintable():
        return char
    point = ord(char)
    if point < 0x80:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place, end)
        if match is None:
            raise InvalidInput(f"1:{place + 1}: invalid input in matchers: {text[place:end]}")
        place = match.end()
        yield str(match.lastgroup), match.group(str(match.lastgroup))


def _expect(token: tuple[str, str], kinds: tuple[str, ...], wanted: str) -> None:
    if token[0] not in kinds:
        got = f"unexpected {token[1]}" if token[0] != "end" else "unexpected end of input"
        raise InvalidInput(f"{got}, expected {wanted}")


def _unquote(token: tuple[str, str]) -> str:
    """Undo a Go string literal; a byte escape such as `\\xff` must make valid UTF-8."""
    kind, text = token
    if kind == "bare":
        return text
    if "\n" in text:
        raise InvalidInput(f"a quoted string must not hold a line feed: {text}")
    if "\\" not in text:
        return text[1:-1]
    raw = bytearray()
    place = 1
    for match in _ESCAPE.finditer(text, 1, len(text) - 1):
        raw += text[place : match.start()].encode()
        raw += _escaped(match)
        place = match.end()
    raw += text[place:-1].encode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"not valid UTF-8: {text}") from None


def _escaped(match: re.Match[str]) -> bytes:
    simple, hexa, octal, short, long, _ = match.groups()
    if simple:
        return _SIMPLE[simple].encode()
    if hexa or octal:
        value = int(hexa, 16) if hexa else int(octal, 8)
        if value < 256:
            return bytes([value])
    elif short or long:
        point = int(short or long, 16)
        if point < 0x110000 and not 0xD800 <= point < 0xE000:
            return chr(point).encode()
    raise InvalidInput(f"unknown escape {match.group()} in a quoted string")


def _split_outside_quotes(text: str) -> list[str]:
    parts, current, quoted, escaped = [], "", False, False
    for char in text:
        if char == "," and not quoted:
            parts.append(current)
            current = ""
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
        current += char
    return [*parts, current] if current.strip() else parts


def _classic_matcher(text: str) -> Matcher:
    match = _CLASSIC.match(text)
    if match is None:
        raise InvalidInput(f"bad matcher format: {text}")
    name, op, raw = match.groups()
    body = raw
    if raw.startswith('"'):
        body = raw[1:-1] if len(raw) > 1 and _closes(raw) else raw
    if re.search(r'(?<!\\)(?:\\\\)*"', body):
        raise InvalidInput(f"matcher value contains unescaped double quote: {raw}")
    return Matcher(name, MatchOp(op), re.sub(r'\\(["\\n])', _classic_escape, body))


def _closes(raw: str) -> bool:
    """Tell whether the last character is a quote that is not escaped itself."""
    backslashes = len(raw) - 1 - len(raw[:-1].rstrip("\\"))
    return raw.endswith('"') and backslashes % 2 == 0


def _classic_escape(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]
