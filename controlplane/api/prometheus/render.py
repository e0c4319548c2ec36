"""Large answers as JSON text, written by whole columns instead of point by point.

The text is that of `encode`, which stays in charge of what is small or rare:
numbers with exponents, native histograms, scalars.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import orjson

from controlplane.api.prometheus.encode import encode_result
from controlplane.api.query_pool import as_json
from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.samples import Mask, Times, Values
from controlplane.promql.numbers import format_value
from controlplane.promql.values import Matrix, Result, Vector

# Numbers of this size are written without exponent by all; upstream's bounds are wider.
_SMALLEST: Final = 1e-5
_LARGEST: Final = 1e15


def render_result(result: Result) -> bytes:
    """Return the answer to a query."""
    value = result.value
    if isinstance(value, Matrix) and value.histograms is None and value.times.ndim == 1:
        kind, parts = "matrix", _matrix(value)
    elif isinstance(value, Vector) and value.histograms is None:
        kind, parts = "vector", _vector(value)
    else:
        return as_json(encode_result(result))
    objects = list(parts)
    said = {"warnings": list(result.warnings), "infos": list(result.infos)}
    notes = [b',"%b":%b' % (name.encode(), as_json(texts)) for name, texts in said.items() if texts]
    head = b'{"status":"success","data":{"resultType":"%b","result":[' % kind.encode()
    tail = b"]}%b}" % b"".join(notes)
    if not objects:
        return head + tail
    # The answer may be a hundred megabytes: it is put together once.
    objects[0] = head + objects[0]
    objects[-1] += tail
    return b",".join(objects)


def _matrix(matrix: Matrix) -> Iterator[bytes]:
    """Yield one object a series that has any point."""
    whole = _flags(np.logical_and.reduce(matrix.present, axis=1))
    texts = _Texts(matrix.values)
    instants = [_seconds(time) for time in matrix.times.tolist()]
    # Each point closes the one before it.
    starts = [f'"],[{instant},"' for instant in instants]
    every = _spread(starts)
    for row, labels in enumerate(matrix.labels):
        if whole[row]:
            first, parts = 0, every
            parts[1:-1:2] = texts.of(row)
        else:
            mask = matrix.present[row]
            chosen = np.flatnonzero(mask).tolist()
            if not chosen:
                continue
            first, parts = chosen[0], _spread([starts[step] for step in chosen])
            parts[1:-1:2] = texts.of(row, mask)
        parts[0] = f'{{"metric":{_metric(labels)},"values":[[{instants[first]},"'
        yield "".join(parts).encode()


def _spread(starts: list[str]) -> list[str]:
    """Return the beginnings of points with room for a number after each, and the end."""
    parts = [""] * (2 * len(starts)) + ['"]]}']
    parts[0:-1:2] = starts
    return parts


def _vector(vector: Vector) -> Iterator[bytes]:
    """Yield one object a series, in the vector's own order."""
    texts = _Texts(vector.values[None, :]).of(0) if len(vector.values) else ()
    seconds = _seconds(vector.time)
    for labels, text in zip(vector.labels, texts, strict=True):
        yield f'{{"metric":{_metric(labels)},"value":[{seconds},"{text}"]}}'.encode()


def _metric(labels: Labels) -> str:
    return as_json(dict(labels.pairs)).decode()


def _seconds(time: Timestamp) -> str:
    """Return an instant in seconds, with its milliseconds where it has some."""
    sign, time = ("-", -time) if time < 0 else ("", time)
    seconds, milliseconds = divmod(time, 1000)
    return f"{sign}{seconds}.{milliseconds:03d}" if milliseconds else f"{sign}{seconds}"


class _Texts:
    """The numbers of a matrix as text, a row at a time."""

    def __init__(self, values: Values) -> None:
        self._values = np.ascontiguousarray(values)
        whole: Mask = self._values == np.trunc(self._values)
        size = np.abs(self._values)
        odd = ~((size < _LARGEST) & ((size >= _SMALLEST) | (size == 0)))
        # As whole numbers they are written without a point, but -0 has no sign then.
        odd |= (size == 0) & np.signbit(self._values)
        self._odd = odd
        self._whole = _flags(np.logical_and.reduce(whole & ~odd, axis=1))
        self._pointed = _flags(np.logical_or.reduce(whole, axis=1))
        self._has_odd = _flags(np.logical_or.reduce(odd, axis=1))

    def of(self, row: int, mask: Mask | None = None) -> list[str]:
        """Return the texts of one row, or of those of its numbers at which the mask is set."""
        values, odd = self._values[row], self._odd[row]
        if mask is not None:
            values, odd = values[mask], odd[mask]
        if self._whole[row]:
            return _dumped(values.astype(np.int64)).split(",")
        text = _dumped(values)
        if self._pointed[row]:
            text = text.replace(".0,", ",").removesuffix(".0")
        texts = text.split(",")
        if self._has_odd[row]:
            for place in np.flatnonzero(odd).tolist():
                texts[place] = format_value(float(values[place]))
        return texts


def _flags(mask: Mask) -> list[bool]:
    flags: list[bool] = mask.tolist()
    return flags


def _dumped(values: Values | Times) -> str:
    return orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY).decode("ascii")[1:-1]
