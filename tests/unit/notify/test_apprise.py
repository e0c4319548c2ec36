"""Apprise: its services by URL, in threads, within the policy and a time limit."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controlplane.clock import SystemClock
from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.apprise.options import AppriseConfig
from controlplane.notify.integrations.apprise.services import check_url, scrub
from controlplane.notify.integrations.apprise.threads import Threads
from controlplane.notify.integrations.table import build_integrations
from controlplane.notify.message import Content, FailureReason, Notification, Outcome
from controlplane.notify.options import Receiver
from controlplane.notify.ports import Integration
from controlplane.settings.secret_files import FileSecret
from tests.support.alerting import EXTERNAL_URL
from tests.support.outbound import surroundings
from tests.support.recorder import Recorder, Request, recorder

NOW = 1_700_000_000_000
TOKEN = "s3cr3ttoken"


def notification(*, ended: bool = False) -> Notification:
    labels = Labels({"alertname": "Broken", "instance": "a&b"})
    ends_at = NOW - 1 if ended else NOW + 1
    notes = Labels({"summary": "it <broke>", "runbook_url": "http://runbook"})
    alert = Alert(labels, NOW - 90_000, ends_at, NOW, annotations=notes)
    content = Content("{}:{}", Labels(), Reason.FIRST, (alert,), NOW)
    return Notification("ops", "apprise/0", "{}:{}", content)


@asynccontextmanager
async def sender(url: Secret, *deny: str, **options: Any) -> AsyncIterator[Integration]:
    """Build one as the program does."""
    async with surroundings(deny) as around:
        receiver = Receiver("ops", apprise_configs=(AppriseConfig(url, **options),))
        [(_, [made])] = build_integrations([receiver], around).items()
        yield made
        await made.close()


def service(site: Recorder) -> Secret:
    """Return the URL of a service of Apprise's that takes JSON."""
    return Secret(f"json://127.0.0.1:{site.port}/{TOKEN}/")


async def test_a_message_arrives_with_its_state() -> None:
    """Title, text and type are rendered: firing is a failure, resolved a success."""
    async with recorder() as site, sender(service(site)) as made:
        await made.send(notification())
        await made.send(notification(ended=True))
        first, second = (request.body for request in site.requests)
    assert (first["title"], first["type"]) == ("FIRING: it <broke>", "failure")
    assert first["message"].startswith("it <broke>\nSince 2023-11-14 22:11:50 UTC\nRunbook: ")
    assert first["message"].rstrip().rpartition("/")[0].endswith(f"Story: {EXTERNAL_URL}/alerts")
    assert (second["title"], second["type"]) == ("RESOLVED: it <broke>", "success")
    assert second["message"].startswith("Over after 1m 30s: it <broke>")


async def test_texts_formats_and_types_are_those_of_the_configuration() -> None:
    """In `html`, what values bring into the page is escaped."""
    options = {
        "title": "{{ .Receiver }}",
        "body": "<b>{{ .CommonLabels.instance }}</b>",
        "format": "html",
        "type": "{{ if .Alerts.Firing }}warning{{ end }}",
    }
    async with recorder() as site:
        url = Secret(f"{service(site).reveal()}?format=html")
        async with sender(url, **options) as made:
            await made.send(notification())
            with pytest.raises(DeliveryError, match="type is none of info, success") as caught:
                await made.send(notification(ended=True))
        (request,) = site.requests
    assert request.body["title"] == "ops"
    assert request.body["message"] == "<b>a&amp;b</b>"
    assert request.body["type"] == "warning"
    assert not caught.value.temporary


async def test_the_url_may_stand_in_a_file(tmp_path: Path) -> None:
    """Read at each message; while it is not there, nothing was sent."""
    file = tmp_path / "url"
    async with recorder() as site, sender(FileSecret(file)) as made:
        with pytest.raises(DeliveryError) as caught:
            await made.send(notification())
        file.write_text(service(site).reveal() + "\n")
        await made.send(notification())
        assert len(site.requests) == 1
    assert (caught.value.temporary, caught.value.outcome) == (True, Outcome.REFUSED)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_outbound_policy_holds(host: str) -> None:
    """A denied address is refused for good, with the reason, and nothing reaches it."""
    async with recorder() as site:
        url = Secret(f"json://{host}:{site.port}/{TOKEN}")
        async with sender(url, "127.0.0.0/8", "::1/128") as made:
            with pytest.raises(DeliveryError, match="the outbound policy denies") as caught:
                await made.send(notification())
        assert site.requests == []
    assert (caught.value.temporary, caught.value.outcome) == (False, Outcome.REFUSED)


async def test_the_policy_holds_for_a_redirect_too() -> None:
    """It is asked at each connection, wherever the service was led."""

    def lead(_request: Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://127.0.0.2:1/"})

    async with recorder(lead) as site, sender(service(site), "127.0.0.2/32") as made:
        with pytest.raises(DeliveryError, match=r"denies 127\.0\.0\.2") as caught:
            await made.send(notification())
    assert (caught.value.temporary, caught.value.outcome) == (False, Outcome.UNKNOWN)


@contextmanager
def logged() -> Iterator[list[str]]:
    """Give all that reaches our logs, whose handler is that of the root."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Keeper()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


async def test_a_refusal_may_be_tried_again_and_may_have_arrived() -> None:
    """The library says no more; its words, in the error and in no log, have no secret."""

    def refuse(_request: Request) -> web.Response:
        return web.Response(status=403, text=TOKEN)

    with logged() as lines:
        async with recorder(refuse) as site, sender(service(site)) as made:
            with pytest.raises(DeliveryError, match="error=403") as caught:
                await made.send(notification())
    assert (caught.value.temporary, caught.value.outcome) == (True, Outcome.UNKNOWN)
    assert TOKEN not in "\n".join((str(caught.value), *lines))


async def test_a_service_that_does_not_answer_in_time_may_have_been_told() -> None:
    """The time is ours to end; the thread ends later, by itself."""
    async with hanging() as (site, release), sender(service(site)) as made:
        late = replace(notification(), seconds=3.0)
        with pytest.raises(DeliveryError, match="not ended in time") as caught:
            await made.send(late)
        release.set()
    assert (caught.value.temporary, caught.value.outcome) == (True, Outcome.UNKNOWN)
    assert caught.value.reason is FailureReason.CONTEXT_DEADLINE_EXCEEDED


@asynccontextmanager
async def hanging() -> AsyncIterator[tuple[Recorder, asyncio.Event]]:
    """Run a service that takes a connection and says nothing until it is released."""
    release = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    try:
        yield Recorder(port=server.sockets[0].getsockname()[1]), release
    finally:
        release.set()
        server.close()


@pytest.mark.parametrize(
    "url", ["nosuchservice://x", f"tgram://{TOKEN}", "json://", "", f"{TOKEN}", "json://[::1"]
)
async def test_a_url_of_no_service_is_refused_without_a_word_of_it(url: str) -> None:
    """When the file is read, and when it stands in a file of its own."""
    with pytest.raises(InvalidInput) as caught:
        check_url(url)
    assert TOKEN not in str(caught.value)
    async with sender(Secret(url)) as made:
        with pytest.raises(DeliveryError, match="not a URL of a service") as failed:
            await made.send(notification())
    assert (failed.value.temporary, failed.value.reason) == (False, FailureReason.CLIENT_ERROR)


@pytest.mark.parametrize(
    "url",
    [
        "ntfys://tk_0123456789@ntfy.example.org/alerts",
        "gotifys://gotify.example.org/Abcdefghijklmno",
        "mailtos://user:password@example.org?to=ops@example.org",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
    ],
)
def test_services_of_all_kinds_are_known(url: str) -> None:
    """Their URLs are looked at, and nothing is sent."""
    check_url(url)


def test_no_part_of_a_url_is_repeated() -> None:
    """As it is written, and as it is meant."""
    url = "tgram://123:abc%2Fdef@host.example/-100?token=q%20r%20stu&x=y"
    said = "could not POST abc/def abc%2Fdef to host.example/-100 with q r stu and y"
    assert scrub(said, url) == (
        "could not POST <secret>/<secret> <secret> to <secret>/<secret> with q r <secret> and y"
    )


async def test_calls_that_hang_take_their_places_and_no_more() -> None:
    """Who comes then is told so at once; a place is free again when its call has ended."""
    threads: Threads[int] = Threads("x", 2)
    go = threading.Event()

    def slow() -> int:
        go.wait(30)
        return 1

    for _ in range(2):
        with pytest.raises(TimeoutError):
            await threads.run(slow, seconds=0.01)
    with pytest.raises(Unavailable, match="all earlier calls still wait"):
        await threads.run(slow, seconds=1.0)
    go.set()
    async with asyncio.timeout(30):
        while True:
            try:
                assert await threads.run(lambda: 2, seconds=10.0) == 2
            except Unavailable:
                await SystemClock().sleep(0.01)
            else:
                return


async def test_what_a_call_raises_is_raised() -> None:
    """And its place is free again."""
    threads: Threads[int] = Threads("x", 1)

    def wrong() -> int:
        raise InvalidInput("wrong")

    with pytest.raises(InvalidInput, match="wrong"):
        await threads.run(wrong, seconds=10.0)
