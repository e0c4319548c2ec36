"""Numbers as text, by Go's rules: what PromQL reads and what its answers print."""

import math
import re
from typing import Final

_OCTAL: Final = re.compile(r"0[oO]?[0-7_]+\Z")
_BINARY_OR_HEX: Final = re.compile(r"0[xXbB]")


def parse_number(text: str) -> float:
    """Return the value of a literal: decimal, `0x` hexadecimal, leading-zero octal, Inf, NaN.

    Raises ValueError.
    """
    lowered = text.lower()
    if lowered in ("inf", "nan"):
        return math.inf if lowered == "inf" else math.nan
    plain = lowered.replace("_", "")
    if _BINARY_OR_HEX.match(plain):
        return float(int(plain, 0))
    if _OCTAL.match(plain):
        return float(int(plain.replace("o", ""), 8))
    return float(plain)


def format_value(value: float) -> str:
    """Return a sample value as Prometheus' API prints it.

    The shortest digits that read back as the same number, without exponent,
    except below 1e-6 and from 1e21 on (as JSON numbers of ECMAScript are).
    """
    if not math.isfinite(value):
        return _special(value)
    magnitude = abs(value)
    if magnitude and not 1e-6 <= magnitude < 1e21:
        return _scientific(value, digits=1)
    return format_plain(value)


def format_plain(value: float) -> str:
    """Return the shortest decimal digits, never with an exponent (Go's format 'f')."""
    if not math.isfinite(value):
        return _special(value)
    text = repr(float(value))
    if "e" not in text:
        return text.removesuffix(".0")
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits, point = whole + fraction, len(whole) + int(exponent)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


def format_general(value: float) -> str:
    """Return Go's format 'g' with the shortest digits: exponents below -4 and from 21 on."""
    if not math.isfinite(value):
        return _special(value)
    magnitude = abs(value)
    if magnitude and not 1e-4 <= magnitude < 1e21:
        return _scientific(value, digits=2)
    return format_plain(value)


def format_exponent(value: float) -> str:
    """Return Go's format 'e' with the shortest digits, as upstream shows an alert's value."""
    return _scientific(value, digits=2) if math.isfinite(value) else _special(value)


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def _scientific(value: float, *, digits: int) -> str:
    text = repr(float(value))
    if "e" not in text:
        text = f"{value:.17e}" if float(f"{value:.16e}") != value else _shortest(value)
    mantissa, _, exponent = text.partition("e")
    power = int(exponent)
    return f"{mantissa.removesuffix('.0')}e{'-' if power < 0 else '+'}{abs(power):0{digits}d}"


def _shortest(value: float) -> str:
    for precision in range(17):
        text = f"{value:.{precision}e}"
        if float(text) == value:
            return text
    return f"{value:.17e}"
