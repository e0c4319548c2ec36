"""What a module demands of an answer: each key, met and not met."""

import ssl
from typing import Any

import pytest
import trustme

from controlplane.probes.options import HeaderMatch, Module
from controlplane.probes.outcome import Reason
from controlplane.transport.options import HTTPClientConfig, TLSConfig
from tests.support.web import answer, web
from tests.unit.probes.rig import Rig, module, values

BODY = b"all is well"
ANSWER = answer(body=BODY, headers=("X-Kind: red", "X-Kind: blue", "X-Empty:"))


def match(header: str, regexp: str, *, allow_missing: bool = False) -> tuple[HeaderMatch, ...]:
    return (HeaderMatch(header, regexp, allow_missing),)


@pytest.mark.parametrize(
    ("demand", "reason", "regex"),
    [
        (module(), None, 0),
        (module(valid_status_codes=(200, 204)), None, 0),
        (module(valid_status_codes=(404,)), Reason.STATUS, 0),
        (module(valid_http_versions=("HTTP/1.1",)), None, 0),
        (module(valid_http_versions=("HTTP/2.0", "HTTP/1.0")), Reason.PROTOCOL, 0),
        (module(fail_if_ssl=True), None, 0),
        (module(fail_if_not_ssl=True), Reason.SSL, 0),
        (module(fail_if_body_matches_regexp=("error", "ill$")), None, 0),
        (module(fail_if_body_matches_regexp=("error", "well$")), Reason.BODY, 1),
        (module(fail_if_body_not_matches_regexp=("^all", "is")), None, 0),
        (module(fail_if_body_not_matches_regexp=("^all", "^is")), Reason.BODY, 1),
        (module(fail_if_header_matches=match("X-Kind", "green")), None, 0),
        (module(fail_if_header_matches=match("x-kind", "blu")), Reason.HEADER, 1),
        (module(fail_if_header_matches=match("X-None", ".")), Reason.HEADER, 1),
        (module(fail_if_header_matches=match("X-None", ".", allow_missing=True)), None, 0),
        (module(fail_if_header_not_matches=match("X-KIND", "^blue$")), None, 0),
        (module(fail_if_header_not_matches=match("X-Kind", "green")), Reason.HEADER, 1),
        (module(fail_if_header_not_matches=match("X-None", ".")), Reason.HEADER, 1),
        (module(fail_if_header_not_matches=match("X-None", ".", allow_missing=True)), None, 0),
        (module(fail_if_header_not_matches=match("X-Empty", "^$")), None, 0),
    ],
)
async def test_each_demand(prober: Rig, demand: Module, reason: Reason | None, regex: int) -> None:
    """A demand that is met is a success, one that is not has its own reason."""
    async with web(ANSWER) as site:
        outcome = await prober.probe(site.url(), demand)
    assert (outcome.reason, outcome.success) == (reason, reason is None)
    assert values(outcome)["probe_failed_due_to_regex"] == regex


@pytest.mark.parametrize(
    ("status", "valid", "reason"),
    [
        ("600 Odd", (), Reason.STATUS),
        ("200 OK", (), None),
        ("299 Odd", (), None),
        ("301 No Location", (), Reason.STATUS),
        ("404 Not Found", (), Reason.STATUS),
        ("500 Broken", (500,), None),
        ("200 OK", (500,), Reason.STATUS),
    ],
)
async def test_status(
    prober: Rig, status: str, valid: tuple[int, ...], reason: Reason | None
) -> None:
    """Without a list 2xx is good; with one only what it names."""
    async with web(answer(status)) as site:
        outcome = await prober.probe(site.url(), module(valid_status_codes=valid))
    assert outcome.reason is reason
    assert values(outcome)["probe_http_status_code"] == int(status[:3])


async def test_the_first_unmet_demand_is_the_reason(prober: Rig) -> None:
    """Status comes before headers, headers before the body, and only they set the regex metric."""
    demand: dict[str, Any] = {
        "fail_if_header_matches": match("X-Kind", "red"),
        "fail_if_body_matches_regexp": ("well",),
    }
    async with web(ANSWER) as site:
        both = await prober.probe(site.url(), module(**demand))
        status = await prober.probe(site.url(), module(valid_status_codes=(201,), **demand))
    assert (both.reason, values(both)["probe_failed_due_to_regex"]) == (Reason.HEADER, 1)
    assert (status.reason, values(status)["probe_failed_due_to_regex"]) == (Reason.STATUS, 0)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [({}, None), ({"fail_if_not_ssl": True}, None), ({"fail_if_ssl": True}, Reason.SSL)],
)
async def test_demands_on_tls(
    prober: Rig,
    authority: trustme.CA,
    context: ssl.SSLContext,
    keys: dict[str, bool],
    reason: Reason | None,
) -> None:
    """fail_if_ssl and fail_if_not_ssl look at the final request."""
    client = HTTPClientConfig(tls_config=TLSConfig(ca=authority.cert_pem.bytes().decode()))
    async with web(answer(), context=context) as site:
        outcome = await prober.probe(site.url(), module(client, **keys))
    assert outcome.reason is reason
    assert values(outcome)["probe_http_ssl"] == 1


async def test_body_is_searched_as_text_that_may_be_broken(prober: Rig) -> None:
    """Bytes that are no UTF-8 stand for one character each, and do not hide what follows."""
    async with web(answer(body=b"a\xff\xfeb")) as site:
        outcome = await prober.probe(
            site.url(), module(fail_if_body_not_matches_regexp=("^a..b$",))
        )
    assert outcome.success


async def test_broken_regular_expression_is_config(prober: Rig) -> None:
    """A pattern that RE2 refuses fails the probe with its reason, and asks nobody."""
    async with web(answer()) as site:
        outcome = await prober.probe(site.url(), module(fail_if_body_matches_regexp=("(",)))
    assert outcome.reason is Reason.CONFIG
    assert site.requests == []


@pytest.mark.parametrize(
    ("head", "demand"),
    [
        ("HTTP/1.1 103 Early Hints\r\nX-Kind: early\r\n\r\n", "early"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "early"),
    ],
)
async def test_interim_answers_are_not_judged(prober: Rig, head: str, demand: str) -> None:
    """Headers of a 1xx that comes first are nobody's: the final answer counts."""
    async with web(head.encode() + answer(headers=("X-Kind: late",))) as site:
        early = await prober.probe(
            site.url(), module(fail_if_header_matches=match("X-Kind", demand))
        )
        late = await prober.probe(
            site.url(), module(fail_if_header_not_matches=match("X-Kind", "late"))
        )
    assert (early.reason, late.reason) == (None, None)
    assert values(late)["probe_http_status_code"] == 200


async def test_trailers_are_not_judged(prober: Rig) -> None:
    """What comes after a chunked body is no header, and does not spoil the answer."""
    respond = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Kind\r\n\r\n"
        b"2\r\nok\r\n0\r\nX-Kind: trailing\r\n\r\n"
    )
    async with web(respond) as site:
        outcome = await prober.probe(
            site.url(), module(fail_if_header_matches=match("X-Kind", ".", allow_missing=True))
        )
    assert outcome.reason is None
    assert values(outcome)["probe_http_uncompressed_body_length"] == 2
