"""A body cut into heads and tails at once: no line of it is looked at by itself.

Between two scrapes of a target only numbers change. Where the newlines are and
how long each head was tells which bytes are heads; when these are the bytes
they were, the rest are the numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import Mask, Refs

_NEWLINE: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The bytes of a body's heads, one after another; of a line without a sample the whole line.

    `lengths` and `sampled` have the shape (lines,): how long a head is, and
    whether its line has a sample.
    """

    heads: npt.NDArray[np.uint8]
    lengths: Refs
    sampled: Mask

    @classmethod
    def of(cls, text: Sequence[bytes], heads: Sequence[bytes], without: bytes) -> "Layout":
        """Return the layout of lines with their heads; `without` is that of a line without one."""
        sampled = np.fromiter((head is not without for head in heads), np.bool_, len(heads))
        # A line without a sample is head to the end, its newline too.
        kept = [
            line + b"\n" if head is without else head
            for line, head in zip(text, heads, strict=True)
        ]
        lengths = np.fromiter(map(len, kept), np.int64, len(kept))
        return cls(np.frombuffer(b"".join(kept), np.uint8), lengths, sampled)

    def tails(self, body: bytes) -> bytes | None:
        """Return what follows each head, with a newline each; None when these are not the heads.

        A body without a last newline is no reason to say so.
        """
        if not body.endswith(b"\n"):
            body += b"\n"
        raw = np.frombuffer(body, np.uint8)
        ends = np.flatnonzero(raw == _NEWLINE)
        if len(ends) != len(self.lengths):
            return None
        lengths = np.diff(ends, prepend=-1) - self.lengths
        # A tail has a byte before its newline; without a sample not even that is left.
        if not np.array_equal(lengths > 1, self.sampled) or not (lengths >= 0).all():
            return None
        within = np.repeat(self._turns, np.stack((self.lengths, lengths), axis=1).ravel())
        if not np.array_equal(raw[within], self.heads):
            return None
        return raw[~within].tobytes()

    @property
    def _turns(self) -> Mask:
        """Head, tail, head, tail ..."""
        return np.tile(np.array([True, False]), len(self.lengths))
