"""Connected sockets, for protocols that a library speaks over a socket that it is given."""

import asyncio
import socket

from controlplane.errors import Forbidden, Unavailable
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import Resolver


async def dial(
    resolver: Resolver, policy: OutboundPolicy, host: str, port: int, *, timeout: float
) -> socket.socket:
    """Return a socket connected to a host, by a fresh lookup and within the policy.

    Raises Unavailable when the name or the connection cannot be had in
    `timeout` seconds, Forbidden for an address that the policy denies.
    """
    found = await resolver.resolve(host, prefer="ip4", timeout=timeout)
    if found.error:
        raise Unavailable(found.error)
    if not policy.allows(found.address):
        raise Forbidden(f"the outbound policy denies {found.address}")
    family = socket.AF_INET6 if found.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
    try:
        async with asyncio.timeout(max(0.0, timeout - found.seconds)):
            await asyncio.get_running_loop().sock_connect(sock, (found.address, port))
    except TimeoutError:
        sock.close()
        raise Unavailable(f"no connection within {timeout:g} s") from None
    except OSError as error:
        sock.close()
        raise Unavailable(error.strerror or str(error)) from None
    except BaseException:
        sock.close()
        raise
    return sock
