"""The resolver and the outbound policy for aiohttp sessions, such as slack-sdk's."""

import socket
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from controlplane.errors import Forbidden
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import Resolver

_LOOKUP_SECONDS: Final = 10.0


def guarded_connector(
    resolver: Resolver, policy: OutboundPolicy, *, most_connections: int = 16
) -> aiohttp.TCPConnector:
    """Return a connector that looks names up afresh and connects only where the policy allows.

    A denied address is a DeniedAddress, the `os_error` of aiohttp's ClientConnectorError.
    aiohttp asks a resolver for names only, so literal addresses are checked
    where the socket is made.
    """

    def checked_socket(info: tuple[Any, ...]) -> socket.socket:
        _check(policy, str(info[4][0]))
        made = socket.socket(info[0], info[1], info[2])
        made.setblocking(False)  # noqa: FBT003 - the standard library's signature
        return made

    return aiohttp.TCPConnector(
        resolver=GuardedResolver(resolver, policy),
        socket_factory=checked_socket,
        use_dns_cache=False,
        limit=most_connections,
    )


class DeniedAddress(OSError, Forbidden):
    """The policy's no, in the only form that aiohttp lets through."""


class GuardedResolver(AbstractResolver):
    """Names for aiohttp, through our resolver and policy."""

    def __init__(self, resolver: Resolver, policy: OutboundPolicy) -> None:
        self._resolver = resolver
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the one address found. Raises OSError, also for a denied one."""
        found = await self._resolver.resolve(
            host,
            prefer="ip6" if family == socket.AF_INET6 else "ip4",
            fallback=family == socket.AF_UNSPEC,
            timeout=_LOOKUP_SECONDS,
        )
        if found.error:
            raise OSError(found.error)
        _check(self._policy, found.address)
        return [
            ResolveResult(
                hostname=host,
                host=found.address,
                port=port,
                family=socket.AF_INET6 if found.version == 6 else socket.AF_INET,
                proto=0,
                flags=int(socket.AI_NUMERICHOST),
            )
        ]

    async def close(self) -> None:
        """Nothing to close: the resolver belongs to the process."""


def _check(policy: OutboundPolicy, address: str) -> None:
    if not policy.allows(address):
        raise DeniedAddress(f"the outbound policy denies {address}")
