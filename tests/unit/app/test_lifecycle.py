"""When the address of the service is taken, and from when on somebody listens there."""

import socket
from collections.abc import Iterator

import pytest

from controlplane.app.lifecycle import _open, bind
from controlplane.errors import Conflict
from controlplane.settings.parsing import Listen


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    """Give a socket with an address."""
    with bind(Listen("127.0.0.1", 0)) as listening:
        yield listening


def _listen(listening: socket.socket) -> Listen:
    return Listen(*listening.getsockname())


def test_nobody_listens_before_the_service_can_answer(bound: socket.socket) -> None:
    """Who connects meanwhile is refused at once and can go elsewhere; afterwards he gets in."""
    address = bound.getsockname()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    _open(bound, _listen(bound))
    socket.create_connection(address, timeout=5).close()


def test_an_address_where_somebody_listens_is_refused(bound: socket.socket) -> None:
    """The message names the address and says how to take another one."""
    listen = _listen(bound)
    _open(bound, listen)
    with pytest.raises(Conflict, match=f"cannot listen on {listen}: .*--listen HOST:PORT"):
        bind(listen)


def test_of_two_that_start_at_once_the_later_one_is_refused(bound: socket.socket) -> None:
    """Both may have had the address while neither listened: whoever listens first keeps it."""
    listen = _listen(bound)
    with bind(listen) as other:
        _open(other, listen)
        with pytest.raises(Conflict, match="cannot listen on"):
            _open(bound, listen)
