"""`email_configs` and the `smtp_*` keys of `global` (Alertmanager 0.34)."""

from functools import partial
from typing import Any, Final

from controlplane.config.globals import GlobalOptions
from controlplane.config.http_client import TLS
from controlplane.config.kinds import BOOLEAN, GO_DURATION, TEXT
from controlplane.config.places import SECRET, SECRET_FILE, SMARTHOST
from controlplane.config.schema import Key, MapOf, Section
from controlplane.config.templates import Check, template
from controlplane.errors import InvalidInput
from controlplane.notify.integrations.email.options import EmailConfig, Threading

_THREADING: Final = Section(
    "email_threading",
    Threading,
    {"enabled": Key(BOOLEAN), "thread_by_date": Key(TEXT)},
)
# What one entry takes from `global` where it says nothing itself.
INHERITED: Final = (
    "smarthost",
    "hello",
    "auth_username",
    "auth_password",
    "auth_secret",
    "auth_identity",
    "require_tls",
    "tls_config",
    "force_implicit_tls",
)


def _email(defaults: GlobalOptions, *, to: str = "", from_: str = "", **values: Any) -> EmailConfig:
    for name in INHERITED:
        values.setdefault(name, getattr(defaults, f"smtp_{name}"))
    if values["smarthost"] is None:
        raise InvalidInput("no smarthost, and no smtp_smarthost in global")
    return EmailConfig(to=to, from_=from_ or defaults.smtp_from, **values)


def email_config(defaults: GlobalOptions, check: Check) -> Section[EmailConfig]:
    """Return the section of one entry of `email_configs`."""
    text = template(check)
    return Section(
        "email_config",
        partial(_email, defaults),
        {
            "send_resolved": Key(BOOLEAN),
            "to": Key(text, required=True),
            "from": Key(text, field="from_"),
            "hello": Key(TEXT),
            "smarthost": Key(SMARTHOST),
            "auth_username": Key(TEXT),
            "auth_password": Key(SECRET),
            "auth_password_file": Key(SECRET_FILE, field="auth_password"),
            "auth_secret": Key(SECRET),
            "auth_secret_file": Key(SECRET_FILE, field="auth_secret"),
            "auth_identity": Key(TEXT),
            "headers": Key(MapOf("a mapping of headers", text)),
            "html": Key(text),
            "text": Key(text),
            "require_tls": Key(BOOLEAN),
            "tls_config": Key(TLS),
            "force_implicit_tls": Key(BOOLEAN),
            "threading": Key(_THREADING),
            "timeout": Key(GO_DURATION),
        },
    )
