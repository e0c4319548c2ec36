"""Sockets that a library opens by itself are held against the outbound policy."""

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controlplane.errors import Forbidden
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.socket_guard import guarded

LOOPBACK = OutboundPolicy(("127.0.0.0/8", "::1/128"))
NOTHING = OutboundPolicy(())


@contextmanager
def listening() -> Iterator[int]:
    """Give a port on loopback that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_a_denied_address_is_not_connected_to(host: str) -> None:
    """Whether written as an address, as a name, or as nothing; the watch knows which it was."""
    with listening() as port, guarded(LOOPBACK) as watch, socket.socket() as sock:
        if host:
            with pytest.raises(Forbidden, match="the outbound policy denies"):
                sock.connect((host, port))
            assert (watch.denied, watch.sent) == ("the outbound policy denies 127.0.0.1", False)
        else:
            sock.connect((host, port))  # 0.0.0.0, which this policy does not name
            assert watch.sent


def test_the_empty_host_is_an_address_too() -> None:
    """It reaches this machine as 0.0.0.0."""
    with (
        listening() as port,
        guarded(OutboundPolicy(("0.0.0.0/8",))),
        socket.socket() as sock,
        pytest.raises(Forbidden),
    ):
        sock.connect(("", port))


def test_what_a_library_makes_of_it_is_an_error_of_the_network() -> None:
    """Libraries know how to meet an OSError."""
    connection = http.client.HTTPConnection("localhost", 1)
    with guarded(LOOPBACK), pytest.raises(OSError, match="denies"):
        connection.request("GET", "/")


def test_datagrams_are_held_too() -> None:
    """A datagram that is sent, and one with more to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, guarded(LOOPBACK) as watch:
        with pytest.raises(Forbidden):
            sock.sendto(b"x", ("127.0.0.1", 9))
        with pytest.raises(Forbidden):
            sock.sendmsg([b"x"], [], 0, ("127.0.0.1", 9))
        assert not watch.sent


def test_what_is_allowed_is_only_noticed() -> None:
    """The watch knows that something may have been sent."""
    with listening() as port, guarded(NOTHING) as watch:
        assert not watch.sent
        socket.create_connection(("127.0.0.1", port)).close()
        assert (watch.sent, watch.denied) == (True, "")


def test_sockets_that_are_no_network_are_not_looked_at() -> None:
    """A pair of Unix sockets has no address that a policy could name."""
    one, other = socket.socketpair()
    with one, other, guarded(LOOPBACK) as watch:
        one.sendmsg([b"x"])
        assert not watch.sent


def test_nobody_else_is_held() -> None:
    """Neither other threads meanwhile nor this one afterwards."""
    with listening() as port:

        def connect() -> None:
            socket.create_connection(("127.0.0.1", port)).close()

        with guarded(LOOPBACK) as watch:
            thread = threading.Thread(target=connect)
            thread.start()
            thread.join()
        connect()
        assert (watch.sent, watch.denied) == (False, "")


async def test_tasks_of_a_loop_in_the_block_are_held() -> None:
    """A library may run a loop of its own in the thread it is given."""

    def library() -> str:
        async def main() -> None:
            await asyncio.create_task(connect())

        async def connect() -> None:
            await asyncio.open_connection("127.0.0.1", 1)

        with guarded(LOOPBACK) as watch, pytest.raises(Forbidden):
            asyncio.run(main())
        return watch.denied

    assert await asyncio.to_thread(library) == "the outbound policy denies 127.0.0.1"
