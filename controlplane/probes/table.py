"""The one table of probers: adding one is a file and a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from controlplane.probes.http import probe_http
from controlplane.probes.prober import Prober, awaited
from controlplane.probes.tcp import probe_tcp

PROBERS: Final[Mapping[str, Prober]] = MappingProxyType(
    {
        "http": probe_http,
        "tcp": awaited(probe_tcp),
    }
)
