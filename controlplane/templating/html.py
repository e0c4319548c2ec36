"""Templates of HTML: what an action prints is text of the page, never markup.

A small part of what Go's html/template does: every value is escaped, also
within quoted attributes, and a value that begins an `href` or `src` must not
name a scheme that runs code. `safeHtml`, `safeUrl` and `html` say that a value
is what it should be already.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from controlplane.templating.builtins import html
from controlplane.templating.values import ANY, STRING, Function

# What html/template puts in the place of a URL that is not to be followed.
UNSAFE_URL: Final = "#ZgotmplZ"
_URL_BEGINS: Final = re.compile(r"""(?:href|src|action)\s*=\s*["']?\s*\Z""", re.IGNORECASE)
_SCHEME: Final = re.compile(r"\s*([^/?#:]*):")
_SCHEMES: Final = frozenset({"http", "https", "mailto"})
# As html/template writes them.
_ESCAPES: Final = str.maketrans(
    {
        "\0": "\ufffd",
        '"': "&#34;",
        "&": "&amp;",
        "'": "&#39;",
        "+": "&#43;",
        "<": "&lt;",
        ">": "&gt;",
    }
)
_TAIL: Final = 32  # characters before a value that tell where it stands


class Safe(str):
    """A text that is HTML, or a URL, as it is."""

    __slots__ = ()


def escaped(text: str, before: Sequence[str]) -> str:
    """Return a value as it stands in HTML; `before` is what has been printed so far."""
    if _URL_BEGINS.search("".join(before[-3:])[-_TAIL:]):
        scheme = _SCHEME.match(text)
        if scheme is not None and scheme[1].strip().lower() not in _SCHEMES:
            return UNSAFE_URL
    return text.translate(_ESCAPES)


HTML_FUNCTIONS: Final[Mapping[str, Function]] = {
    "safeHtml": Function(Safe, (STRING,)),
    "safeUrl": Function(lambda url: Safe(url.translate(_ESCAPES)), (STRING,)),
    "html": Function(lambda *args: Safe(html(*args)), (), ANY),
}
