"""Alertmanager's template functions, for notifications (template/template.go)."""

import base64
import binascii
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from json.encoder import encode_basestring
from typing import Final
from urllib.parse import unquote_to_bytes

from controlplane.clock import Timestamp
from controlplane.templating import functions, golayout
from controlplane.templating.data import Strings
from controlplane.templating.errors import FunctionError
from controlplane.templating.expressions import Functions
from controlplane.templating.gotime import TIME, Time
from controlplane.templating.printf import check_size, shortest
from controlplane.templating.values import (
    ANY,
    LIST,
    STRING,
    STRINGS,
    Function,
    List,
    StringMap,
    Struct,
    entries,
    is_list,
)

# What encoding/json writes by its number, for pages may hold it.
_ESCAPED: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def alertmanager_functions(
    now: Timestamp, route_label: Callable[[str], str] = lambda _name: ""
) -> Functions:
    """Return the functions of a notification made at `now`.

    `route_label` returns a label of the route by its name.
    """
    return {
        **_FIXED,
        "now": Function(lambda: Time.of(now)),
        "since": Function(lambda instant: Time.of(now).sub(instant), (TIME,)),
        "routeLabels": Function(route_label, (STRING,)),
    }


def _join(separator: str, texts: List) -> str:
    return separator.join(str(text) for text in texts)


def _append(items: List, *more: object) -> list[object]:
    check_size(len(items) + len(more))
    return [*items, *more]


def _dict(*values: object) -> dict[str, object]:
    if len(values) % 2:
        raise FunctionError("dict requires an even number of arguments")
    out: dict[str, object] = {}
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, str):
            raise FunctionError("dict keys must be strings")
        out[key] = value
    return out


def _url_unescape(text: str) -> str:
    for part in text.split("%")[1:]:
        if len(part) < 2 or not all(char in "0123456789abcdefABCDEF" for char in part[:2]):
            raise FunctionError(f'invalid URL escape "%{part[:2]}"')
    return unquote_to_bytes(text.replace("+", " ")).decode(errors="replace")


def _base64_decode(text: str) -> str:
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise FunctionError("illegal base64 data") from None
    return raw.decode(errors="replace")


def _to_date(layout: str, text: str) -> Time:
    try:
        return golayout.parse(layout, text)
    except FunctionError:
        return Time.zero()


def to_json(value: object) -> str:
    """Return a value as Go's encoding/json writes it, with `<`, `>` and `&` escaped."""
    out = _json(value, 0).translate(_ESCAPED)
    check_size(len(out))
    return out


def _json(value: object, depth: int) -> str:
    """Return JSON in which `_ESCAPED` stand as they are: none but texts hold them."""
    if isinstance(value, str):
        return encode_basestring(value)
    if depth > 50:
        raise FunctionError("json: nested too deeply")
    if isinstance(value, Time):
        return f'"{value.rfc3339()}"'
    if isinstance(value, float):
        return _json_float(value)
    if value is None or isinstance(value, int):
        return json.dumps(value if isinstance(value, bool) or value is None else int(value))
    if isinstance(value, StringMap):
        pairs = sorted(value.pairs.items())
        return "{" + ",".join([f"{encode_basestring(k)}:{_json(v, 50)}" for k, v in pairs]) + "}"
    if isinstance(value, Mapping):
        held = [f"{_json(str(k), 0)}:{_json(v, depth + 1)}" for k, v in entries(value)]
        return "{" + ",".join(held) + "}"
    if is_list(value):
        return "[" + ",".join(_bounded(_json(item, depth + 1) for item in value)) + "]"
    if isinstance(value, Struct):
        fields = [
            f"{_json_name(name)}:{_json(getattr(value, attribute), depth + 1)}"
            for name, attribute in value.FIELDS.items()
        ]
        return "{" + ",".join(fields) + "}"
    raise FunctionError("json: unsupported type")


def _bounded(parts: Iterable[str]) -> Iterator[str]:
    """Iterate over texts for as long as they are not too long together."""
    size = 0
    for part in parts:
        size += len(part)
        check_size(size)
        yield part


@cache
def _json_name(name: str) -> str:
    """Return a field's name, quoted, in Alertmanager's JSON: `generatorURL`, `commonLabels`."""
    own = name[0].lower() + name[1:]
    return '"notification_reason"' if name == "NotificationReason" else f'"{own}"'


def _json_float(value: float) -> str:
    if not math.isfinite(value):
        raise FunctionError(f"json: unsupported value: {shortest(value)}")
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return repr(value).replace("e-0", "e-")


_FIXED: Final[Functions] = {
    "toUpper": Function(lambda text: text.upper(), (STRING,)),
    "toLower": Function(lambda text: text.lower(), (STRING,)),
    "title": Function(functions.title_words, (STRING,)),
    "trimSpace": Function(lambda text: text.strip(), (STRING,)),
    "join": Function(_join, (STRING, STRINGS)),
    "match": Function(functions.match, (STRING, STRING)),
    "safeHtml": Function(lambda text: text, (STRING,)),
    "safeUrl": Function(lambda text: text, (STRING,)),
    "urlUnescape": Function(_url_unescape, (STRING,)),
    "reReplaceAll": Function(functions.re_replace_all, (STRING, STRING, STRING)),
    "stringSlice": Function(lambda *texts: Strings(texts), (), STRING),
    "date": Function(lambda layout, instant: instant.format(layout), (STRING, TIME)),
    "tz": Function(lambda name, instant: instant.in_zone(name), (STRING, TIME)),
    "humanizeDuration": Function(functions.humanize_duration, (ANY,)),
    "toDate": Function(_to_date, (STRING, STRING)),
    "mustToDate": Function(golayout.parse, (STRING, STRING)),
    "toJson": Function(to_json, (ANY,)),
    "base64encode": Function(
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(), (STRING,)
    ),
    "base64decode": Function(_base64_decode, (STRING,)),
    "list": Function(lambda *args: list(args), (), ANY),
    "append": Function(_append, (LIST,), ANY),
    "dict": Function(_dict, (), ANY),
}
ALERTMANAGER_FUNCTIONS: Final = frozenset(alertmanager_functions(0))
