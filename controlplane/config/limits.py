"""`limits`: how often somebody may ask."""

from typing import Final

from controlplane.auth.limits import AnonymousLimits, LimitOptions, TokenLimits
from controlplane.config.kinds import NATURAL
from controlplane.config.schema import Key, Section

_ANONYMOUS: Final = Section(
    "limits_anonymous", AnonymousLimits, {name: Key(NATURAL) for name in ("read", "login")}
)
_TOKEN: Final = Section(
    "limits_token",
    TokenLimits,
    {name: Key(NATURAL) for name in ("read", "query", "write", "ingest")},
)
LIMITS: Final = Section(
    "limits", LimitOptions, {"anonymous": Key(_ANONYMOUS), "token": Key(_TOKEN)}
)
