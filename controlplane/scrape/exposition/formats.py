"""Which formats we ask for, and which one an answer is in."""

from collections.abc import Mapping, Sequence
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.scrape.exposition.grammar import Grammar
from controlplane.scrape.exposition.openmetrics import OPENMETRICS
from controlplane.scrape.exposition.text import TEXT
from controlplane.scrape.options import ScrapeProtocol

_MEDIA_TYPES: Final[Mapping[ScrapeProtocol, str]] = {
    ScrapeProtocol.OPENMETRICS_1_0_0: (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"
    ),
    ScrapeProtocol.OPENMETRICS_0_0_1: "application/openmetrics-text;version=0.0.1",
    ScrapeProtocol.TEXT_1_0_0: "text/plain;version=1.0.0;escaping=allow-utf-8",
    ScrapeProtocol.TEXT_0_0_4: "text/plain;version=0.0.4",
    ScrapeProtocol.PROTOBUF: (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
    ),
}
_PROTOBUF: Final = "application/vnd.google.protobuf"
_GRAMMARS: Final[Mapping[str, Grammar]] = {
    "application/openmetrics-text": OPENMETRICS,
    "text/plain": TEXT,
}


def accept_header(protocols: Sequence[ScrapeProtocol]) -> str:
    """Return the `Accept` header that prefers the protocols in their order."""
    weights = range(len(ScrapeProtocol) + 1, 0, -1)
    wanted = [*(_MEDIA_TYPES[protocol] for protocol in protocols), "*/*"]
    return ",".join(f"{kind};q=0.{weight}" for kind, weight in zip(wanted, weights, strict=False))


def is_protobuf(content_type: str, fallback: ScrapeProtocol | None) -> bool:
    """Tell whether a body is a sequence of protobuf messages, by its `Content-Type`."""
    media_type = content_type.partition(";")[0].strip().lower()
    known = media_type == _PROTOBUF or media_type in _GRAMMARS
    return media_type == _PROTOBUF or (not known and fallback is ScrapeProtocol.PROTOBUF)


def grammar_for(content_type: str, fallback: ScrapeProtocol | None) -> Grammar:
    """Return the grammar of a body by its `Content-Type`, else that of `fallback`.

    Raises InvalidInput for a type that is blank or unknown, without a fallback.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    grammar = _GRAMMARS.get(media_type)
    if grammar is not None:
        return grammar
    if fallback is None:
        raise InvalidInput(
            f"received unsupported Content-Type {content_type!r}"
            " and no fallback_scrape_protocol is set for the target"
        )
    return _GRAMMARS[_MEDIA_TYPES[fallback].partition(";")[0]]
