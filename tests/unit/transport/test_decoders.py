"""Decoders: whole, cut, false, swollen and endless input."""

import gzip
import zlib

import brotli
import pytest

from controlplane.errors import InvalidInput
from controlplane.transport.decoders import decoder_for
from controlplane.transport.exchange import Decoder

MOST = 1 << 30
TEXT = b"plain text, again and again " * 100


def decoder(name: str) -> Decoder:
    make = decoder_for(name)
    assert make is not None
    return make()


def pressed(name: str) -> bytes:
    if name == "gzip":
        return gzip.compress(TEXT)
    if name == "br":
        return bytes(brotli.compress(TEXT))
    press = zlib.compressobj(wbits=-15)
    return press.compress(TEXT) + press.flush()


@pytest.mark.parametrize("piece", [1, 7, 1 << 14])
@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
def test_pieces_of_any_size(name: str, piece: int) -> None:
    """What was pressed comes back, however it is cut."""
    data, undo = pressed(name), decoder(name)
    found = b"".join(undo.feed(data[at : at + piece], MOST) for at in range(0, len(data), piece))
    undo.finish()
    assert found == TEXT


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
def test_cut_input_is_told_at_the_end(name: str) -> None:
    """Data that ends too early is not whole."""
    undo = decoder(name)
    undo.feed(pressed(name)[:-1], MOST)
    with pytest.raises(ValueError, match=name):
        undo.finish()


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
def test_rubbish_is_told_at_once(name: str) -> None:
    """What is not so pressed is refused."""
    with pytest.raises(ValueError, match=name):
        decoder(name).feed(b"\xff" * 64, MOST)


def test_members_of_gzip_follow_one_another() -> None:
    """Several members are one body; what follows them must be another."""
    undo = decoder("gzip")
    assert undo.feed(gzip.compress(b"one ") + gzip.compress(b"two"), MOST) == b"one two"
    with pytest.raises(ValueError, match="gzip"):
        undo.feed(b"rubbish after the end", MOST)


def test_what_follows_deflate_is_passed_over() -> None:
    """The stream knows its end: more is neither read nor kept."""
    undo = decoder("deflate")
    assert undo.feed(pressed("deflate") + b"tail", MOST) == TEXT
    assert [undo.feed(b"x" * 4096, MOST) for _ in range(3)] == [b"", b"", b""]
    undo.finish()


@pytest.mark.parametrize("name", ["gzip", "br"])
def test_a_bomb_yields_little_more_than_is_wanted(name: str) -> None:
    """A small piece that swells to many megabytes is undone as far as the limit goes."""
    zeros = bytes(64 << 20)
    bomb = gzip.compress(zeros, 9) if name == "gzip" else brotli.compress(zeros, quality=1)
    found = decoder(name).feed(bomb[: 1 << 14], 5 << 20)
    assert 5 << 20 <= len(found) <= 8 << 20


@pytest.mark.parametrize("name", ["", "identity"])
def test_nothing_to_undo(name: str) -> None:
    """Without a compression there is no decoder."""
    assert decoder_for(name) is None


def test_unknown_compression() -> None:
    """A name that is none is refused."""
    with pytest.raises(InvalidInput, match="zstd"):
        decoder_for("zstd")
