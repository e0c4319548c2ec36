"""Mail, handed to a real SMTP server: what it gets, and what its refusals mean."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from controlplane.clock import SystemClock
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.email.client import Email
from controlplane.notify.integrations.email.options import EmailConfig, Smarthost, Threading
from controlplane.notify.message import Content, FailureReason, Notification, Outcome
from controlplane.notify.picture import Graph, Picture, no_picture
from controlplane.notify.rendering import Templates
from controlplane.transport.dial import dial
from controlplane.transport.options import TLSConfig
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver
from tests.support.mail import MailServer, mail_server

NOW = 1_700_000_000_000
TEMPLATES = Templates(external_url="http://cp")


def notification(*, ends_at: int = NOW + 1, **labels: str) -> Notification:
    alert = Alert(
        Labels({"alertname": "Down", "severity": "critical"} | labels),
        NOW - 90_000,
        ends_at,
        NOW,
        annotations=Labels({"summary": "shop <b>is</b> down", "runbook_url": "javascript:x"}),
    )
    content = Content("{}:{}", Labels(), Reason.FIRST, (alert,), NOW)
    return Notification("ops", "email/0", "{}:{}", content, seconds=5.0)


@dataclass
class Mailer:
    """Sends by our integration to a server."""

    resolver: StubResolver
    denied: tuple[str, ...] = ()

    async def send(
        self,
        port: int,
        what: Notification | None = None,
        *,
        picture: Picture = no_picture,
        **settings: Any,
    ) -> int:
        usual: dict[str, Any] = {
            "to": "Ops <ops@example.org>, two@example.org",
            "from_": "Control Plane <cp@example.org>",
            "smarthost": Smarthost("localhost", port),
            "require_tls": False,
        }
        config = EmailConfig(**usual | settings)
        integration = Email("email/0", config, TEMPLATES, self._dial, picture)
        delivery = await integration.send(what or notification())
        await integration.close()
        assert delivery.status_code is not None
        return delivery.status_code

    async def _dial(self, host: str, port: int, *, timeout: float) -> Any:
        policy = OutboundPolicy(self.denied)
        return await dial(self.resolver, policy, host, port, timeout=timeout)


@pytest.fixture
async def mailer() -> AsyncIterator[Mailer]:
    """Give a sender whose names are really looked up."""
    resolver = StubResolver(SystemClock())
    yield Mailer(resolver)
    await resolver.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Give an authority that nobody knows but those who are told."""
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def trust(authority: trustme.CA) -> TLSConfig:
    return TLSConfig(ca=authority.cert_pem.bytes().decode())


async def test_a_mail_says_what_is_broken(mailer: Mailer) -> None:
    """To everybody, with a subject and a page in which no value is markup."""
    async with mail_server() as server:
        assert await mailer.send(server.port, hello="cp.example.org") == 250
    (mail,) = server.mails
    assert server.envelopes == [("cp@example.org", ["ops@example.org", "two@example.org"])]
    assert server.hellos == ["cp.example.org"]
    assert mail["Subject"] == "CRITICAL: shop <b>is</b> down"
    assert mail["To"] == "Ops <ops@example.org>, two@example.org"
    page = mail.get_body(("html",))
    assert page is not None
    shown = page.get_content()
    assert "shop &lt;b&gt;is&lt;/b&gt; down" in shown
    assert "javascript" not in shown
    assert "For 1m 30s" in shown
    assert "http://cp/alerts/" in shown


async def test_the_same_message_has_the_same_id(mailer: Mailer) -> None:
    """A mail that is sent twice because nobody knew is known as one."""
    async with mail_server() as server:
        await mailer.send(server.port)
        await mailer.send(server.port)
        later = replace(notification().content, at=NOW + 1)
        await mailer.send(server.port, replace(notification(), content=later))
    ids = [mail["Message-Id"] for mail in server.mails]
    assert ids[0] == ids[1] != ids[2]


async def test_headers_text_and_threads_are_as_configured(mailer: Mailer) -> None:
    """Headers in any letters, both parts, and all mails of a group under one root."""
    async with mail_server() as server:
        await mailer.send(
            server.port,
            headers={"subject": "{{ .Status }}\r\nBcc: evil@example.org", "X-Team": "shop é"},
            text="plain {{ .Receiver }} <b>",
            threading=Threading(enabled=True, thread_by_date="daily"),
        )
        await mailer.send(
            server.port,
            notification(ends_at=NOW),
            html="",
            text="over",
            threading=Threading(enabled=True, thread_by_date="daily"),
        )
    first, second = server.mails
    assert first["Subject"] == "firing Bcc: evil@example.org"
    assert first["Bcc"] is None
    assert first["X-Team"] == "shop é"
    plain = first.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == "plain ops <b>"
    assert first["References"] == first["In-Reply-To"] == second["References"]
    assert "2023-11-14" in first["References"]
    assert second.get_content_type() == "text/plain"


async def test_starttls_comes_before_the_password(
    mailer: Mailer, authority: trustme.CA, tmp_path: Path
) -> None:
    """The server's certificate is checked, and the secret is read from its file each time."""
    login: dict[str, Any] = {
        "require_tls": True,
        "auth_username": "cp",
        "auth_password": Secret("hunter2"),
        "tls_config": trust(authority),
    }
    async with mail_server(starttls=server_context(authority), auth=True) as server:
        assert await mailer.send(server.port, **login) == 250
        with pytest.raises(DeliveryError) as refused:
            await mailer.send(server.port, **login | {"auth_password": Secret("wrong")})
    assert server.logins == [("cp", "hunter2", True), ("cp", "wrong", True)]
    assert refused.value.reason is FailureReason.AUTH_ERROR
    assert not refused.value.temporary
    assert "wrong" not in str(refused.value)


async def test_a_stranger_gets_no_mail(mailer: Mailer, authority: trustme.CA) -> None:
    """A certificate of an unknown authority ends the attempt before anything is said."""
    async with mail_server(starttls=server_context(authority)) as server:
        with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED") as refused:
            await mailer.send(server.port, require_tls=True)
    assert refused.value.outcome is Outcome.REFUSED
    assert server.mails == []


async def test_tls_from_the_start(mailer: Mailer, authority: trustme.CA) -> None:
    """As on port 465, or where it is asked for."""
    async with mail_server(implicit=server_context(authority)) as server:
        await mailer.send(
            server.port, force_implicit_tls=True, require_tls=True, tls_config=trust(authority)
        )
    assert len(server.mails) == 1


async def test_a_server_without_tls_gets_nothing_that_needs_it(mailer: Mailer) -> None:
    """`require_tls` is the default, and a matter of the server's: it may be tried again."""
    async with mail_server() as server:
        with pytest.raises(DeliveryError, match="does not offer STARTTLS") as refused:
            await mailer.send(server.port, require_tls=True)
    assert refused.value.temporary
    assert refused.value.outcome is Outcome.REFUSED
    assert server.mails == []


@pytest.mark.parametrize(
    ("fault", "temporary", "outcome"),
    [
        ({"on_recipient": "550 no such user"}, False, Outcome.REFUSED),
        ({"on_recipient": "451 later"}, True, Outcome.REFUSED),
        ({"on_data": "554 spam"}, False, Outcome.REFUSED),
        ({"on_data": "452 full"}, True, Outcome.REFUSED),
        ({"on_data": "hang up"}, True, Outcome.UNKNOWN),
    ],
)
async def test_refusals_say_whether_to_try_again(
    mailer: Mailer, fault: dict[str, str], temporary: bool, outcome: Outcome
) -> None:
    """4yz is for now and 5yz for good; a connection lost after the content may have carried it."""
    async with mail_server() as server:
        _set(server, fault)
        with pytest.raises(DeliveryError) as refused:
            await mailer.send(server.port)
    assert (refused.value.temporary, refused.value.outcome) == (temporary, outcome)


def _set(server: MailServer, fault: dict[str, str]) -> None:
    for name, answer in fault.items():
        setattr(server, name, answer)


async def test_nobody_there_and_nobody_allowed(mailer: Mailer) -> None:
    """A refused connection and a denied address send nothing, and are tried again."""
    async with mail_server() as server:
        port = server.port
        mailer.denied = ("127.0.0.0/8", "::1/128")
        with pytest.raises(DeliveryError, match="policy"):
            await mailer.send(port)
        mailer.denied = ()
    with pytest.raises(DeliveryError) as refused:
        await mailer.send(port)
    assert refused.value.temporary
    assert refused.value.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "settings",
    [
        {"to": "{{ .Receiver }}"},
        {"to": " "},
        {"from_": "a@example.org, b@example.org"},
        {"html": "{{ .Nothing }}"},
    ],
)
async def test_what_makes_no_mail_is_given_up(mailer: Mailer, settings: dict[str, Any]) -> None:
    """A template that makes no address, header or page will not make one the next time."""
    async with mail_server() as server:
        with pytest.raises(DeliveryError) as refused:
            await mailer.send(server.port, **settings)
    assert not refused.value.temporary


GRAPH = Graph(b"\x89PNG\r\n\x1a\nnot really", 600, 230, 'Graph of "up"')


async def test_a_picture_comes_with_the_page(mailer: Mailer) -> None:
    """It stands in the mail itself: nothing has to be fetched from anywhere."""

    async def picture(_content: Content) -> Graph | None:
        return GRAPH

    async with mail_server() as server:
        await mailer.send(server.port, picture=picture, text="plain")
        await mailer.send(server.port, picture=picture, html="<p>a page of my own</p>")
        await mailer.send(server.port, picture=picture, html="", text="plain")
    page = server.mails[0].get_body(("html",))
    assert page is not None
    (image,) = [part for part in server.mails[0].walk() if part.get_content_type() == "image/png"]
    assert image.get_content() == GRAPH.png
    assert f'src="cid:{image["Content-ID"].strip("<>")}" width="600"' in page.get_content()
    assert 'alt="Graph of &#34;up&#34;"' in page.get_content()
    plain = server.mails[0].get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == "plain"
    for mail in server.mails[1:]:
        assert "image/png" not in [part.get_content_type() for part in mail.walk()]


async def test_no_mail_waits_for_its_picture(mailer: Mailer) -> None:
    """It goes out without one after a quarter of its time."""

    async def never(_content: Content) -> Graph | None:
        await asyncio.Event().wait()
        return GRAPH

    async with mail_server() as server:
        await mailer.send(server.port, replace(notification(), seconds=1.0), picture=never)
    (mail,) = server.mails
    assert "image/png" not in [part.get_content_type() for part in mail.walk()]
    assert "cid:" not in mail.as_string()
