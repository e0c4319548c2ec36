"""Who is asking."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class PrincipalKind(StrEnum):
    """How somebody proved who they are."""

    LOCAL = "local"  # a process on this machine, while no token is set
    TOKEN = "token"  # noqa: S105 - a kind, not a token
    SESSION = "session"  # a browser that showed the token; the name is what was typed there
    ANONYMOUS = "anonymous"  # of a path that is open to all


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose name may stand beside what they changed."""

    name: str
    kind: PrincipalKind


LOCAL: Final = Principal("local", PrincipalKind.LOCAL)
TOKEN_HOLDER: Final = Principal("api-token", PrincipalKind.TOKEN)
ANONYMOUS: Final = Principal("anonymous", PrincipalKind.ANONYMOUS)


def of_session(name: str) -> Principal:
    """Return who a session says to be: nobody has checked that name."""
    return Principal(f"{name} (unverified)", PrincipalKind.SESSION)
