"""Undoing a compression that a module promises, whatever the server declares."""

import zlib
from collections.abc import Callable
from typing import Final

import brotli

from controlplane.errors import InvalidInput
from controlplane.transport.exchange import Decoder


class Inflate:
    """gzip (also several members in a row) and raw deflate."""

    __slots__ = ("_name", "_several", "_stream", "_window")

    def __init__(self, name: str, window: int) -> None:
        self._name = name
        self._window = window
        self._several = window > 15
        self._stream = zlib.decompressobj(window)

    def feed(self, data: bytes, most: int) -> bytes:
        if self._stream.eof and not self._several:
            return b""  # what follows is none of ours, and zlib would keep it
        try:
            pieces = [self._stream.decompress(data, most)]
            while self._several and self._stream.eof and self._stream.unused_data:
                rest = self._stream.unused_data
                self._stream = zlib.decompressobj(self._window)
                pieces.append(self._stream.decompress(rest, most))
        except zlib.error as error:
            raise ValueError(f"the body is not {self._name}: {error}") from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish(self) -> None:
        if not self._stream.eof:
            raise ValueError(f"the body ends within its {self._name} data")


class Brotli:
    """Brotli, in pieces."""

    __slots__ = ("_stream",)

    _PIECE: Final = 1 << 20

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes, most: int) -> bytes:
        try:
            pieces = [self._stream.process(data, output_buffer_limit=self._PIECE)]
            size = len(pieces[0])
            while size < most and not self._stream.can_accept_more_data():
                pieces.append(self._stream.process(b"", output_buffer_limit=self._PIECE))
                size += len(pieces[-1])
        except brotli.error as error:
            raise ValueError(f"the body is not br: {error}") from None
        return b"".join(pieces)

    def finish(self) -> None:
        if not self._stream.is_finished():
            raise ValueError("the body ends within its br data")


_DECODERS: Final[dict[str, Callable[[], Decoder] | None]] = {
    "": None,
    "identity": None,
    "gzip": lambda: Inflate("gzip", 31),
    "deflate": lambda: Inflate("deflate", -15),
    "br": Brotli,
}


def decoder_for(compression: str) -> Callable[[], Decoder] | None:
    """Return what makes a decoder, None when nothing is to be undone. Raises InvalidInput."""
    try:
        return _DECODERS[compression.lower()]
    except KeyError:
        raise InvalidInput(f"unsupported compression: {compression!r}") from None
