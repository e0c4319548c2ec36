"""The label index of a block: built once, then read from mapped arrays.

Label pairs stand sorted by name, then by a checksum of the value, so that one
pair is found by bisection and all values of a name stand together; each pair
has the rising rows of its series, and each row its pairs.
"""

import json
import zlib
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.samples import Refs
from controlplane.tsdb.blocks.errors import Corrupt
from controlplane.tsdb.blocks.identity import Identities
from controlplane.tsdb.blocks.integers import flat
from controlplane.tsdb.blocks.packing import Column
from controlplane.tsdb.blocks.sections import Sections

_NONE: Final[Refs] = np.empty(0, dtype=np.int64)


class IndexBuilder:
    """Takes label sets row by row, and keeps no more of them than numbers."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], int] = {}
        self._rows = array("q")
        self._counts = array("q")
        self._identities: list[Identities] = []

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, series: Sequence[Labels]) -> None:
        """Give the series the next rows."""
        pairs = self._pairs
        for labels in series:
            self._rows.extend([pairs.setdefault(pair, len(pairs)) for pair in labels.pairs])
            self._counts.append(len(labels.pairs))
        self._identities.append(Identities.of(series))

    def sections(self) -> dict[str, Column]:
        """Return what makes the series findable."""
        identities = Identities(
            np.concatenate([part.high for part in self._identities]),
            np.concatenate([part.low for part in self._identities]),
        )
        return {
            **_build(self._pairs, np.array(self._rows), np.array(self._counts)),
            "identity_high": identities.high,
            "identity_low": identities.low,
            "identity_order": identities.order().astype("<u4"),
        }


def _build(
    pairs: Mapping[tuple[str, str], int], flat_pairs: Refs, counts: Refs
) -> dict[str, Column]:
    names = {name: number for number, name in enumerate(dict.fromkeys(n for n, _ in pairs))}
    texts = [value.encode(errors="surrogatepass") for _, value in pairs]
    checks = np.array([zlib.crc32(text) for text in texts], dtype="<u4")
    of_name = np.array([names[name] for name, _ in pairs], dtype="<u4")
    order = np.lexsort((checks, of_name))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    row_pairs = rank[flat_pairs]
    row_offsets = np.concatenate(([0], np.cumsum(counts)))
    owners = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    by_pair = np.argsort(row_pairs, kind="stable")
    texts = [texts[place] for place in order.tolist()]
    return {
        "names": _text([json.dumps(list(names)).encode()]),
        "pair_names": of_name[order],
        "pair_checks": checks[order],
        "pair_ends": np.cumsum([len(text) for text in texts], dtype=np.int64),
        "pair_texts": _text(texts),
        "row_offsets": row_offsets,
        "row_pairs": row_pairs.astype("<u4"),
        "posting_offsets": np.concatenate(
            ([0], np.cumsum(np.bincount(row_pairs, minlength=len(order))))
        ),
        "postings": owners[by_pair].astype("<u4"),
    }


class LabelIndex:
    """Finds the rows of a block by labels, and the labels of rows."""

    def __init__(self, sections: Sections) -> None:
        """Take the sections of `build_index`. Raises Corrupt."""
        try:
            self._names: list[str] = json.loads(sections["names"].tobytes())
        except ValueError:
            raise Corrupt("bad names in the index") from None
        self._of_name = {name: number for number, name in enumerate(self._names)}
        self._pair_names = sections["pair_names"]
        self._checks = sections["pair_checks"]
        self._ends = sections["pair_ends"]
        self._texts = sections["pair_texts"]
        self._row_offsets = sections["row_offsets"]
        self._row_pairs = sections["row_pairs"]
        self._posting_offsets = sections["posting_offsets"]
        self._postings = sections["postings"]
        numbers = np.arange(len(self._names) + 1)
        self._bounds = np.searchsorted(self._pair_names, numbers).tolist()

    def __len__(self) -> int:
        return len(self._row_offsets) - 1

    @property
    def names(self) -> Sequence[str]:
        return self._names

    def by_value(self, name: str) -> tuple[list[str], Refs]:
        """Return the values of a label, and for each row which of them it has (-1: none)."""
        known = self._pairs_of(name)
        numbers = np.full(len(self), -1, dtype=np.int64)
        for number, pair in enumerate(known):
            numbers[self._rows([pair])] = number
        return [self._value(pair) for pair in known], numbers

    def values(self, name: str) -> list[str]:
        """Return the values of a label, in no order."""
        return [self._value(pair) for pair in self._pairs_of(name)]

    def labels(self, rows: Refs) -> list[Labels]:
        """Return the label sets of some rows."""
        return [self._labels(row) for row in rows.tolist()]

    def select(self, matchers: Sequence[Matcher]) -> Refs:
        """Return the rows that match all, rising; as `tsdb.index.IndexState.select` does."""
        taken: Refs | None = None
        refused = np.zeros(len(self), dtype=np.bool_)
        for matcher in matchers:
            if matcher.matches(""):
                refused[self._rows(self._unwanted(matcher))] = True
                continue
            rows = self._rows(self._wanted(matcher))
            taken = rows if taken is None else np.intersect1d(taken, rows, assume_unique=True)
        if taken is None:
            taken = np.arange(len(self), dtype=np.int64)
        return taken[~refused[taken]]

    def _wanted(self, matcher: Matcher) -> list[int]:
        if matcher.op is MatchOp.EQUAL:
            return self._find(matcher.name, matcher.value)
        return [pair for pair in self._pairs_of(matcher.name) if matcher.matches(self._value(pair))]

    def _unwanted(self, matcher: Matcher) -> list[int]:
        if matcher.op is MatchOp.NOT_EQUAL:
            return self._find(matcher.name, matcher.value)
        pairs = self._pairs_of(matcher.name)
        return [pair for pair in pairs if not matcher.matches(self._value(pair))]

    def _find(self, name: str, value: str) -> list[int]:
        """Return the one pair of this name and value, or none."""
        known = self._pairs_of(name)
        text = value.encode(errors="surrogatepass")
        checks = self._checks[known.start : known.stop]
        check = np.uint32(zlib.crc32(text))
        low = known.start + int(np.searchsorted(checks, check))
        high = known.start + int(np.searchsorted(checks, check, side="right"))
        return [pair for pair in range(low, high) if self._text_of(pair) == text]

    def _pairs_of(self, name: str) -> range:
        number = self._of_name.get(name)
        return range(0) if number is None else range(self._bounds[number], self._bounds[number + 1])

    def _rows(self, pairs: list[int]) -> Refs:
        """Return the rows that have any of these pairs of one name, rising."""
        if not pairs:
            return _NONE
        chosen = np.array(pairs, dtype=np.int64)
        begins = self._posting_offsets[chosen]
        rows = self._postings[flat(begins, self._posting_offsets[chosen + 1] - begins)]
        found: Refs = rows.astype(np.int64)
        return found if len(pairs) == 1 else np.sort(found)

    def _labels(self, row: int) -> Labels:
        pairs = self._row_pairs[self._row_offsets[row] : self._row_offsets[row + 1]].tolist()
        return Labels([(self._names[self._pair_names[pair]], self._value(pair)) for pair in pairs])

    def _value(self, pair: int) -> str:
        return self._text_of(pair).decode(errors="surrogatepass")

    def _text_of(self, pair: int) -> bytes:
        return self._texts[self._ends[pair - 1] if pair else 0 : self._ends[pair]].tobytes()


def _text(parts: Sequence[bytes]) -> Column:
    return np.frombuffer(b"".join(parts), dtype=np.uint8)
