"""Sends mails: one connection for each."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Final

import aiosmtplib
from aiosmtplib import SMTP

from controlplane.errors import ControlPlaneError
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.email.options import EmailConfig
from controlplane.notify.integrations.email.render import mail, shown
from controlplane.notify.integrations.posting import Configured
from controlplane.notify.message import Delivery, FailureReason, Notification, Outcome
from controlplane.notify.picture import Graph, Picture, no_picture
from controlplane.notify.ports import Dial
from controlplane.notify.rendering import Templates
from controlplane.transport.contexts import ssl_context

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_QUIT_SECONDS: Final = 1.0


class Email(Configured[EmailConfig]):
    """One entry of `email_configs`; `name` is its kind and place, such as `email/0`."""

    def __init__(
        self,
        name: str,
        config: EmailConfig,
        templates: Templates,
        dial: Dial,
        picture: Picture = no_picture,
    ) -> None:
        super().__init__(name, config, templates)
        self._dial = dial
        self._picture = picture

    async def close(self) -> None:
        """Nothing stays open between two mails."""

    async def send(self, notification: Notification) -> Delivery:
        """Hand the mail to the server. Raises DeliveryError."""
        graph = await self._graph(notification)
        sender, recipients, message = await self._templates.made(
            notification,
            lambda render: mail(notification, self._config, render, graph),
            shown(notification, graph),
        )
        sending = _Sending()
        try:
            async with asyncio.timeout(notification.seconds):
                smtp = await self._connect(notification.seconds)
                try:
                    await self._introduce(smtp)
                    code = await sending.hand_over(smtp, sender, recipients, message)
                finally:
                    await _leave(smtp)
        except DeliveryError:
            raise
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error) from None
        except (aiosmtplib.SMTPException, TimeoutError, OSError, ControlPlaneError) as error:
            raise sending.failure(error) from None
        return Delivery(status_code=code)

    async def _graph(self, notification: Notification) -> Graph | None:
        """Return a picture for the page, if it comes within a part of the attempt's time."""
        if not self._config.html:
            return None
        try:
            async with asyncio.timeout(notification.seconds / 4):
                return await self._picture(notification.content)
        except TimeoutError:
            return None

    async def _connect(self, seconds: float) -> SMTP:
        config, where = self._config, self._config.smarthost
        context = await asyncio.to_thread(ssl_context, config.tls_config)
        sock = await self._dial(where.host, where.port, timeout=seconds)
        smtp = SMTP(
            hostname=config.tls_config.server_name or where.host,
            sock=sock,
            local_hostname=config.hello or "localhost",
            use_tls=config.implicit_tls,
            start_tls=False,
            tls_context=context,
            timeout=seconds,
        )
        try:
            await smtp.connect()
        except BaseException:
            sock.close()
            raise
        return smtp

    async def _introduce(self, smtp: SMTP) -> None:
        config = self._config
        await smtp.ehlo()
        if config.require_tls and not config.implicit_tls:
            if not smtp.supports_extension("starttls"):
                raise DeliveryError(
                    f"require_tls is true, but {config.smarthost} does not offer STARTTLS",
                    temporary=True,
                )
            await smtp.starttls()
            await smtp.ehlo()
        if config.auth_username and smtp.supports_extension("auth"):
            await self._authenticate(smtp)

    async def _authenticate(self, smtp: SMTP) -> None:
        """Use the first way that the server offers and a secret is there for."""
        config = self._config
        password = config.auth_password.reveal() if config.auth_password else ""
        secret = config.auth_secret.reveal() if config.auth_secret else ""
        for way in smtp.server_auth_methods:
            if way == "cram-md5" and secret:
                await smtp.auth_crammd5(config.auth_username, secret)
                return
            if way == "plain" and password:
                await self._plain(smtp, password)
                return
            if way == "login" and password:
                await smtp.auth_login(config.auth_username, password)
                return
        raise DeliveryError(
            "no way to authenticate: the server offers "
            f"{' '.join(smtp.server_auth_methods).upper() or 'none'}",
            reason=FailureReason.AUTH_ERROR,
        )

    async def _plain(self, smtp: SMTP, password: str) -> None:
        """RFC 4616. A password never travels in the clear, except within the machine."""
        config = self._config
        if not smtp.get_transport_info("sslcontext") and config.smarthost.host not in _LOCAL:
            raise DeliveryError(
                "the password would be sent unencrypted", reason=FailureReason.AUTH_ERROR
            )
        said = "\0".join((config.auth_identity, config.auth_username, password))
        answer = await smtp.execute_command(b"AUTH", b"PLAIN", base64.b64encode(said.encode()))
        if answer.code != 235:
            raise aiosmtplib.SMTPAuthenticationError(answer.code, answer.message)


class _Sending:
    """One message on its way: until its content is under way it cannot have arrived."""

    def __init__(self) -> None:
        self._under_way = False

    async def hand_over(
        self, smtp: SMTP, sender: str, recipients: Sequence[str], message: EmailMessage
    ) -> int:
        await smtp.mail(sender)
        for recipient in recipients:
            await smtp.rcpt(recipient)
        self._under_way = True
        return (await smtp.data(message.as_bytes())).code

    def failure(self, error: Exception) -> DeliveryError:
        late = isinstance(error, TimeoutError)
        return DeliveryError(
            _words(error),
            reason=FailureReason.CONTEXT_DEADLINE_EXCEEDED if late else FailureReason.OTHER,
            temporary=True,
            outcome=Outcome.UNKNOWN if self._under_way else Outcome.REFUSED,
        )


def _refused(error: aiosmtplib.SMTPResponseException) -> DeliveryError:
    """4yz may be tried again, 5yz is for good (RFC 5321, 4.2.1)."""
    wrong = isinstance(error, aiosmtplib.SMTPAuthenticationError)
    return DeliveryError(
        f"the server answered {error.code}: {error.message}",
        reason=FailureReason.AUTH_ERROR if wrong else FailureReason.OTHER,
        temporary=error.code < 500,
        status_code=error.code,
    )


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    return str(error) or type(error).__name__


async def _leave(smtp: SMTP) -> None:
    """Say goodbye, not for long: the message has been taken or not."""
    with contextlib.suppress(aiosmtplib.SMTPException, TimeoutError, OSError):
        await smtp.quit(timeout=_QUIT_SECONDS)
    smtp.close()
