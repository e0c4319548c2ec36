"""The languages of the pages: gettext catalogues in `words/`, read as they are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.core import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

DEFAULT: Final = "en"
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "de": "Deutsch"}


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its code, how it formats numbers and dates, what it says."""

    code: str
    locale: Locale
    words: NullTranslations


def chosen(cookie: str, accept: str) -> Language:
    """Return the language that a reader asked for by a cookie, else by `Accept-Language`."""
    if cookie in LANGUAGES:
        return language(cookie)
    return language(negotiate_locale(_preferred(accept), list(LANGUAGES), sep="-") or DEFAULT)


@cache
def language(code: str) -> Language:
    """Return a language of LANGUAGES."""
    if code == DEFAULT:
        return Language(code, Locale(code), NullTranslations())
    text = (files("controlplane.ui") / "words" / f"{code}.po").read_text(encoding="utf-8")
    compiled = BytesIO()
    write_mo(compiled, read_po(text.splitlines(keepends=True), locale=code))
    compiled.seek(0)
    return Language(code, Locale(code), Translations(compiled))


def _preferred(accept: str) -> list[str]:
    """Return the languages of an `Accept-Language` header (RFC 9110, 12.5.4), the best first."""
    weighed = []
    for entry in accept[:200].split(","):
        tag, _, weight = entry.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), tag.strip().lower()))
        except ValueError:
            continue
    return [tag for _, tag in sorted(weighed, key=lambda each: each[0]) if tag]
