"""`email_configs`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import required
from controlplane.transport.options import TLSConfig

_FIELD_NAME: Final = re.compile(r"[!-9;-~]+")  # RFC 5322, 2.2


@dataclass(frozen=True, slots=True)
class Smarthost:
    """The mail server that takes our messages."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Threading:
    """Whether mails about one group stand together: each day anew (`daily`), or always (`none`)."""

    enabled: bool = False
    thread_by_date: str = ""

    def __post_init__(self) -> None:
        if self.enabled and self.thread_by_date not in ("none", "daily"):
            raise InvalidInput(
                "thread_by_date must be either 'none' or 'daily'", pointer="/thread_by_date"
            )


@dataclass(frozen=True, slots=True)
class EmailConfig:
    """One entry of `email_configs`. `to`, `from_`, headers, `html` and `text` are templates.

    `force_implicit_tls` None means: on port 465. `auth_password` serves PLAIN
    and LOGIN, `auth_secret` CRAM-MD5.
    """

    to: str
    from_: str  # the key `from`
    smarthost: Smarthost
    send_resolved: bool = False
    hello: str = "localhost"
    auth_username: str = ""
    auth_password: Secret | None = None
    auth_secret: Secret | None = None
    auth_identity: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    html: str = '{{ template "controlplane.email.html" . }}'
    text: str = ""
    require_tls: bool = True
    force_implicit_tls: bool | None = None
    tls_config: TLSConfig = field(default_factory=TLSConfig)
    threading: Threading = field(default_factory=Threading)
    timeout: Duration = 0

    def __post_init__(self) -> None:
        required(self, "to", "email")
        required(self, "from_", "email")
        names = [name.title() for name in self.headers]
        for name in names:
            if _FIELD_NAME.fullmatch(name) is None:
                raise InvalidInput(f"not a header's name: {name!r}", pointer="/headers")
            if names.count(name) > 1:
                raise InvalidInput(f"duplicate header {name!r}", pointer="/headers")
            if self.threading.enabled and name in ("References", "In-Reply-To"):
                raise InvalidInput(f"threading writes the header {name}", pointer="/headers")

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins with the connection."""
        return (
            self.smarthost.port == 465
            if self.force_implicit_tls is None
            else (self.force_implicit_tls)
        )
