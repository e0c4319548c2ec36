"""What a registration may say. Each refusal points into it (RFC 6901)."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from controlplane.errors import InvalidInput
from controlplane.model.duration import format_duration
from controlplane.model.labels import is_utf8
from controlplane.model.target import DASHBOARD_TEMPLATES, TargetSpec
from controlplane.targets.options import TargetOptions
from controlplane.targets.ports import ProberOf

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?\Z")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_LONGEST_URL: Final = 2048
_LONGEST_LABEL: Final = 1024
_MOST_LABELS: Final = 64
_MOST_DEPENDENCIES: Final = 64
# What a prober needs to be given.
_ENDPOINT: Final = {"http": "url", "tcp": "address"}


def check_spec(spec: TargetSpec, options: TargetOptions, prober_of: ProberOf) -> None:
    """Return when the registration can be taken. Raises InvalidInput for the first fault."""
    check_name(spec.name)
    _check_endpoint(spec)
    if spec.metrics_url is not None:
        check_url(spec.metrics_url, "/metrics_url")
    _check_module(spec, prober_of)
    _check_at_least("/interval", spec.interval, options.min_interval)
    _check_at_least("/lease", spec.lease, options.min_lease)
    check_labels(spec.labels, "/labels")
    if len(spec.depends_on) > _MOST_DEPENDENCIES:
        raise InvalidInput(f"at most {_MOST_DEPENDENCIES}", pointer="/depends_on")
    if spec.dashboard is not None and spec.dashboard not in DASHBOARD_TEMPLATES:
        known = ", ".join(DASHBOARD_TEMPLATES)
        raise InvalidInput(f"there is no such template; there is {known}", pointer="/dashboard")


def check_name(name: str) -> None:
    """Return for a good name. Raises InvalidInput."""
    if not _NAME.match(name):
        raise InvalidInput(
            "a name is 1 to 63 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit",
            pointer="/name",
        )


def check_labels(labels: Mapping[str, str], pointer: str) -> None:
    """Return for labels that a series may carry. Raises InvalidInput."""
    if len(labels) > _MOST_LABELS:
        raise InvalidInput(f"at most {_MOST_LABELS} labels", pointer=pointer)
    for name, value in labels.items():
        if not name:
            raise InvalidInput("a label needs a name", pointer=pointer)
        if not is_utf8(name) or not is_utf8(value):
            raise InvalidInput("a label is valid UTF-8", pointer=pointer)
        place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        if name.startswith("__"):
            raise InvalidInput("names that begin with __ are reserved", pointer=place)
        if len(name) > _LONGEST_LABEL or len(value) > _LONGEST_LABEL:
            raise InvalidInput(f"at most {_LONGEST_LABEL} characters", pointer=place)


def check_url(url: str, pointer: str) -> None:
    """Return for an http or https URL with a host. Raises InvalidInput, without the URL."""
    if len(url) > _LONGEST_URL or _UNPRINTABLE.search(url) or not is_utf8(url):
        reason = f"a url has no blanks and at most {_LONGEST_URL} characters"
        raise InvalidInput(reason, pointer=pointer)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("not a url: its host or port is malformed", pointer=pointer) from None
    if parts.scheme not in ("http", "https"):
        raise InvalidInput("a url begins with http:// or https://", pointer=pointer)
    if "@" in parts.netloc:
        # It would stand in the label `instance`, for all to read.
        reason = "a url carries no credentials: give them in a module (basic_auth, authorization)"
        raise InvalidInput(reason, pointer=pointer)
    if not host or port == 0 or not _is_host(host, bracketed="[" in parts.netloc):
        raise InvalidInput("not a url: its host or port is malformed", pointer=pointer)


def check_address(address: str, pointer: str) -> None:
    """Return for `host:port`, an IPv6 address in brackets. Raises InvalidInput."""
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    good_port = port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536
    if not colon or not good_port or not _is_host(host.strip("[]"), bracketed=bracketed):
        raise InvalidInput("an address is host:port, such as 10.0.0.5:5432", pointer=pointer)


def _check_endpoint(spec: TargetSpec) -> None:
    if (spec.url is None) == (spec.address is None):
        raise InvalidInput("exactly one of url and address is needed", pointer="/url")
    if spec.url is not None:
        check_url(spec.url, "/url")
    if spec.address is not None:
        check_address(spec.address, "/address")


def _check_module(spec: TargetSpec, prober_of: ProberOf) -> None:
    prober = prober_of(spec.module)
    if prober is None:
        raise InvalidInput(f"there is no module {spec.module!r}", pointer="/module")
    wanted = _ENDPOINT.get(prober, "")
    if wanted and getattr(spec, wanted) is None:
        reason = f"module {spec.module!r} ({prober}) probes what `{wanted}` names"
        raise InvalidInput(reason, pointer="/module")


def _check_at_least(pointer: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise InvalidInput(f"at least {format_duration(least)}", pointer=pointer)


def _is_host(host: str, *, bracketed: bool) -> bool:
    if bracketed:
        try:
            return ipaddress.ip_address(host.partition("%")[0]).version == 6
        except ValueError:
            return False
    return len(host) <= 253 and _is_name(host)


def _is_name(host: str) -> bool:
    if host.isascii():
        return _HOST_NAME.match(host) is not None
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False
