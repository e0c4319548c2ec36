"""The route of remote write: types, versions, codes and headers as senders need them."""

from collections.abc import Mapping

import httpx
import pytest

from controlplane.errors import Overloaded
from controlplane.ingest.receiver import Receiver
from tests.support.remote_write import snappy, version_1, version_2

NOW = 1_700_000_000_000
PATH = "/prometheus/api/v1/write"
ONE = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
TWO = {**ONE, "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
SERIES = ({"__name__": "up"}, [(NOW, 1.0), (NOW + 1, 2.0)])
LATE = ({"__name__": "up"}, [(NOW - 1, 1.0), (NOW + 2, 1.0)])


async def post(
    client: httpx.AsyncClient, body: bytes, headers: Mapping[str, str]
) -> httpx.Response:
    return await client.post(PATH, content=snappy(body), headers=dict(headers))


async def test_version_1_is_taken(client: httpx.AsyncClient) -> None:
    """204 and nothing else, with or without the message's name."""
    named = {**ONE, "content-type": "application/x-protobuf; proto=prometheus.WriteRequest"}
    for number, headers in enumerate((ONE, named)):
        answer = await post(
            client, version_1([({"__name__": "up", "n": str(number)}, [(NOW, 1.0)])]), headers
        )
        assert (answer.status_code, answer.content) == (204, b"")
        assert "X-Prometheus-Remote-Write-Samples-Written" not in answer.headers


async def test_version_2_says_what_it_wrote(client: httpx.AsyncClient) -> None:
    """The three headers stand there, also beside a refusal of a part."""
    for series, code, written in ((SERIES, 204, "2"), (LATE, 400, "1")):
        answer = await post(client, version_2([series]), TWO)
        assert answer.status_code == code
        names = ("Samples", "Histograms", "Exemplars")
        found = [answer.headers[f"X-Prometheus-Remote-Write-{name}-Written"] for name in names]
        assert found == [written, "0", "0"]
    assert answer.text == "1 samples written, others not: out of order: 1"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/x-protobuf;proto=io.prometheus.write.v3.Request"},
        {"content-encoding": "gzip"},
        {"content-encoding": "x-snappy-framed"},
    ],
)
async def test_other_types_are_415(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """So that the sender falls back instead of losing its samples."""
    answer = await post(client, version_1([SERIES]), {**ONE, **headers})
    assert answer.status_code == 415


async def test_what_cannot_be_decoded_is_400(client: httpx.AsyncClient) -> None:
    """Never retried, in Prometheus' own shape of errors."""
    answer = await post(client, b"\xff", ONE)
    assert answer.status_code == 400
    assert answer.json()["errorType"] == "bad_data"


async def test_overload_is_503_and_says_when(
    client: httpx.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender comes again after the time that is named."""

    def refuse(*_: object) -> None:
        raise Overloaded("full", retry_after=7)

    monkeypatch.setattr(receiver, "take", refuse)
    answer = await post(client, version_1([SERIES]), ONE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


async def test_a_body_may_be_larger_than_others(client: httpx.AsyncClient) -> None:
    """Bodies of this path have a bound of their own."""
    noise = bytes(range(256))
    for length, code in ((1_000, 400), (20_000, 413)):
        answer = await client.post(PATH, content=(noise * 80)[:length], headers=ONE)
        assert answer.status_code == code


async def test_a_form_is_no_read(client: httpx.AsyncClient) -> None:
    """A page in a browser cannot write: unlike the query endpoints this one changes things."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client.post(PATH, content=b"a=b", headers=headers)
    assert answer.status_code == 403
