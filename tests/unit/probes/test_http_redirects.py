"""Redirects: how many, where to, and what of the answer that is not followed."""

import gzip
from typing import Any

import pytest

from controlplane.probes.outcome import Outcome, Reason
from controlplane.transport.options import HTTPClientConfig
from tests.support.web import Web, answer, web
from tests.unit.probes.rig import DENIED, Rig, module, values

STAY = HTTPClientConfig(follow_redirects=False)


async def chain(prober: Rig, length: int) -> tuple[Outcome, Web]:
    """Probe a server that redirects so often."""

    def respond(path: str) -> bytes:
        step = int(path[1:] or 0)
        if step == length:
            return answer(body=b"end")
        return answer("302 Found", headers=(f"Location: /{step + 1}",))

    async with web(respond) as site:
        return await prober.probe(site.url("/0")), site


async def test_ten_redirects_are_followed(prober: Rig) -> None:
    """The tenth is the last that is followed."""
    outcome, site = await chain(prober, 10)
    assert outcome.success
    assert values(outcome)["probe_http_redirects"] == 10
    assert values(outcome)["probe_http_uncompressed_body_length"] == 3
    assert len(site.requests) == 11


async def test_eleven_redirects_are_too_many(prober: Rig) -> None:
    """The eleventh ends the probe with its own answer and reason redirect."""
    outcome, site = await chain(prober, 11)
    assert outcome.reason is Reason.REDIRECT
    told = values(outcome)
    assert (told["probe_http_redirects"], told["probe_http_status_code"]) == (11, 302)
    assert len(site.requests) == 11


async def test_redirect_that_is_not_followed_is_the_answer(prober: Rig) -> None:
    """With follow_redirects false the redirect's own status is judged."""
    async with web(answer("301 Moved", body=b"gone", headers=("Location: /x",))) as site:
        wanted = await prober.probe(site.url(), module(STAY, valid_status_codes=(301,)))
        unwanted = await prober.probe(site.url(), module(STAY))
    assert wanted.success
    told = values(wanted)
    assert told["probe_http_redirects"] == 1
    assert told["probe_http_content_length"] == 4
    assert told["probe_http_uncompressed_body_length"] == 0
    assert unwanted.reason is Reason.STATUS
    assert len(site.requests) == 2


@pytest.mark.parametrize(
    ("keys", "body", "reason"),
    [
        ({"fail_if_body_matches_regexp": ("never",)}, b"gone", Reason.BODY),
        ({"fail_if_body_not_matches_regexp": ("gone",)}, b"gone", Reason.BODY),
        ({"fail_if_body_matches_regexp": ("never",)}, b"", None),
    ],
)
async def test_body_of_a_redirect_cannot_be_searched(
    prober: Rig, keys: dict[str, tuple[str, ...]], body: bytes, reason: Reason | None
) -> None:
    """Demands on a body that Go has closed fail by the regular expression, as upstream."""
    async with web(answer("302 Found", body=body, headers=("Location: /",))) as site:
        outcome = await prober.probe(site.url(), module(STAY, valid_status_codes=(302,), **keys))
    assert outcome.reason is reason
    assert values(outcome)["probe_failed_due_to_regex"] == (reason is not None)


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "http://[bad/", "http:///nohost"])
async def test_redirect_that_leads_nowhere(prober: Rig, location: str) -> None:
    """A Location that cannot be asked is no answer at all, even where 302 is valid."""
    async with web(answer("302 Found", headers=(f"Location: {location}",))) as site:
        outcome = await prober.probe(site.url(), module(valid_status_codes=(302,)))
    assert outcome.reason is Reason.REDIRECT
    assert values(outcome)["probe_http_status_code"] == 0
    assert values(outcome)["probe_http_redirects"] == 1


async def test_redirect_to_a_denied_address(prober: Rig) -> None:
    """The policy is asked anew at each hop: nothing is sent there."""
    async with web(answer("302 Found", headers=(f"Location: http://{DENIED}/",))) as site:
        outcome = await prober.probe(site.url(), module(valid_status_codes=(302,)))
    assert outcome.reason is Reason.POLICY
    assert outcome.evidence is not None
    assert DENIED in outcome.evidence.error


async def test_phases_are_summed_over_hops(prober: Rig) -> None:
    """Processing counts each hop's wait, transfer the last one's only."""
    outcome, _ = await chain(prober, 3)
    told = values(outcome)
    assert outcome.evidence is not None
    assert dict(outcome.evidence.phases)["processing"] == pytest.approx(
        told["probe_http_duration_seconds processing"]
    )
    assert sum(line.startswith("requesting") for line in outcome.evidence.log) == 4


async def test_redirect_status_without_location_is_the_answer(prober: Rig) -> None:
    """There is nowhere to go: no redirect is counted."""
    async with web(answer("302 Found")) as site:
        outcome = await prober.probe(site.url(), module(valid_status_codes=(302,)))
    assert outcome.success
    assert values(outcome)["probe_http_redirects"] == 0


@pytest.mark.parametrize("keys", [{"body_size_limit": 4}, {"compression": "gzip"}])
async def test_own_body_of_a_redirect_matters_to_nobody(prober: Rig, keys: dict[str, Any]) -> None:
    """A redirect is followed, or is the answer, whatever is wrong with its own body."""

    def respond(path: str) -> bytes:
        if path == "/end":
            return answer(body=gzip.compress(b"ok") if "compression" in keys else b"ok")
        return answer("302 Found", body=b"moved away", headers=("Location: /end",))

    async with web(respond) as site:
        followed = await prober.probe(site.url(), module(**keys))
        stayed = await prober.probe(site.url(), module(STAY, valid_status_codes=(302,), **keys))
    assert (followed.reason, stayed.reason) == (None, None)
