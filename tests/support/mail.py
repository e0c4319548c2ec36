"""A mail server on loopback that keeps what it takes, and can be told to misbehave."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


@dataclass
class MailServer:
    """What the server has seen, and what it is to answer instead of taking a mail."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)  # name, password, over TLS
    hellos: list[str] = field(default_factory=list)
    on_recipient: str = ""
    on_data: str = ""
    password: str = "hunter2"

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.hellos.append(hostname)
        return responses

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.on_recipient:
            return self.on_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.on_data == "hang up":
            server.transport.abort()
            return "250 nobody hears it"
        if self.on_data:
            return self.on_data
        self.mails.append(message_from_bytes(envelope.content, policy=POLICY))
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return "250 OK"

    def authenticate(
        self, _server: Any, session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        password = data.password.decode()
        self.logins.append((data.login.decode(), password, session.ssl is not None))
        return AuthResult(success=password == self.password, handled=False)


@asynccontextmanager
async def mail_server(
    *,
    starttls: ssl.SSLContext | None = None,
    implicit: ssl.SSLContext | None = None,
    auth: bool = False,
) -> AsyncIterator[MailServer]:
    """Run a server on the event loop; give what it has seen."""
    seen = MailServer()

    def session() -> SMTP:
        return SMTP(
            seen,
            hostname="mail.test",
            tls_context=starttls,
            authenticator=seen.authenticate,
            auth_required=auth,
            auth_require_tls=starttls is not None,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=implicit)
    try:
        seen.port = server.sockets[0].getsockname()[1]
        yield seen
    finally:
        server.close()
        await server.wait_closed()
