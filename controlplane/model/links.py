"""Addresses of the pages that messages lead to: one place, for those who link and who answer.

`base` is the external URL, without a slash at its end.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from controlplane.clock import Timestamp
from controlplane.model.duration import format_time
from controlplane.model.matcher_syntax import format_matchers
from controlplane.model.matchers import Matcher, MatchOp

ALERTS: Final = "/alerts"
QUERY: Final = "/query"
NEW_SILENCE: Final = "/silences/new"
# The parameters of the query page and of the silence form.
EXPR: Final = "expr"
END: Final = "end"
MATCH: Final = "match"


def alerts(base: str) -> str:
    """Return the page of all alerts."""
    return base + ALERTS


def story(base: str, fingerprint: str) -> str:
    """Return the page of one alert: what happened to it, and who was told."""
    return f"{base}{ALERTS}/{quote(fingerprint, safe='')}"


def graph(base: str, expr: str, until: Timestamp | None = None) -> str:
    """Return the page that plots an expression, up to an instant or to now."""
    end = "" if until is None else f"&{END}={quote(format_time(until), safe='')}"
    return f"{base}{QUERY}?{EXPR}={quote(expr, safe='')}{end}"


def silence(base: str, labels: Mapping[str, str]) -> str:
    """Return the form for a silence of what has these labels."""
    matchers = tuple(Matcher(name, MatchOp.EQUAL, value) for name, value in labels.items())
    return f"{base}{NEW_SILENCE}?{MATCH}={quote(format_matchers(matchers), safe='')}"


def expression(base: str, url: str) -> str:
    """Return the expression that a link to our query page plots, or an empty text."""
    if not url.startswith(f"{base}{QUERY}?"):
        return ""
    return parse_qs(urlsplit(url).query).get(EXPR, [""])[0]
