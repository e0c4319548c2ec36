"""`GET /probe` as blackbox_exporter answers it."""

import httpx

from tests.support.web import answer, web


async def test_a_probe_is_answered_as_metrics(api: httpx.AsyncClient) -> None:
    """The module defaults to http_2xx; the time-out is the scrape's less half a second."""
    async with web(answer(body=b"hello")) as site:
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": "2.5"}
        found = await api.get("/probe", params={"target": site.url()}, headers=headers)
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = found.text.splitlines()
    assert "probe_success 1" in lines
    assert "probe_http_status_code 200" in lines
    assert "probe_timeout_seconds 2" in lines


async def test_a_failed_probe_is_an_answer_too(api: httpx.AsyncClient) -> None:
    """200 with probe_success 0 and why."""
    found = await api.get("/probe", params={"target": "http://127.0.0.1:1/", "module": "http_2xx"})
    assert found.status_code == 200
    assert "probe_success 0" in found.text.splitlines()
    assert 'probe_failure_info{reason="connect"} 1' in found.text.splitlines()


async def test_debug_shows_what_happened(api: httpx.AsyncClient) -> None:
    """Log, metrics and module, for people."""
    given = {"target": "http://127.0.0.1:1/", "debug": "true"}
    found = (await api.get("/probe", params=given)).text
    for part in ("Logs for the probe:", "Metrics that would have been", "Module configuration:"):
        assert part in found


async def test_bad_requests_are_refused_in_plain_text(api: httpx.AsyncClient) -> None:
    """400 with the reason, as Prometheus shows it on its targets page."""
    for given, reason in (
        ({}, "Target parameter is missing"),
        ({"target": "a", "module": "nope"}, "Unknown module"),
    ):
        found = await api.get("/probe", params=given)
        assert (found.status_code, reason in found.text) == (400, True)
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": "soon"}
    found = await api.get("/probe", params={"target": "http://a/"}, headers=headers)
    assert found.status_code == 400
