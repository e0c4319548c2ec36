"""Large answers are the same JSON as small ones, written in another way."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.api.prometheus.encode import encode_result
from controlplane.api.prometheus.render import render_result
from controlplane.model.labels import Labels
from controlplane.promql.values import Matrix, Result, Scalar, Vector

NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True, width=64),
    st.integers(-(10**17), 10**17).map(float),
    st.sampled_from([0.0, -0.0, 1e-5, 9.9e-6, 1e-6, 1e15, 1e16, 1e21, 1e20, math.inf, math.nan]),
)
TIMES = st.one_of(st.just(0), st.integers(-5000, 5000), st.integers(0, 2**41))


def _both(result: Result) -> tuple[Any, Any]:
    return json.loads(render_result(result)), json.loads(json.dumps(encode_result(result)))


@st.composite
def _matrices(draw: st.DrawFn) -> Matrix:
    rows, steps = draw(st.integers(0, 4)), draw(st.integers(1, 5))
    start, step = draw(TIMES), draw(st.sampled_from([1, 15_000, 15_500]))
    cells = st.lists(NUMBERS, min_size=steps, max_size=steps)
    values = draw(st.lists(cells, min_size=rows, max_size=rows))
    marks = st.lists(st.booleans(), min_size=steps, max_size=steps)
    present = draw(
        st.lists(st.one_of(marks, st.just([True] * steps)), min_size=rows, max_size=rows)
    )
    shape = (rows, steps)
    return Matrix(
        [Labels({"__name__": "m", "n": f'{n} "ü'}) for n in range(rows)],
        np.arange(steps) * step + start,
        np.array(values, dtype=np.float64).reshape(shape),
        np.array(present, dtype=bool).reshape(shape),
    )


@given(_matrices())
def test_a_matrix_is_written_as_point_by_point(matrix: Matrix) -> None:
    """Whole numbers, exponents, infinities, holes and signs of zero are as they were."""
    found, wanted = _both(Result(matrix))
    assert found == wanted


@given(st.lists(NUMBERS, max_size=6), TIMES)
def test_a_vector_is_written_as_one_by_one(numbers: list[float], time: int) -> None:
    """One value a series, in the vector's order."""
    labels = [Labels({"n": str(n)}) for n in range(len(numbers))]
    found, wanted = _both(Result(Vector(time, labels, np.array(numbers, dtype=np.float64))))
    assert found == wanted


@pytest.mark.parametrize(
    ("time", "text"),
    [(1_700_000_000_000, b"1700000000,"), (1_500, b"1.500,"), (-1_500, b"-1.500,"), (7, b"0.007,")],
)
def test_instants_are_in_seconds(time: int, text: bytes) -> None:
    """Milliseconds are written where there are some."""
    assert b'"value":[' + text in render_result(Result(Vector(time, [Labels()], np.array([1.0]))))


def test_what_is_said_beside_the_data_follows_it() -> None:
    """Warnings and infos are fields of their own, left out when there are none."""
    vector = Vector(0, [Labels({"a": 'x"data"'})], np.array([1.0]))
    found, wanted = _both(Result(vector, ["watch"], ["note"]))
    assert found == wanted
    assert list(json.loads(render_result(Result(vector)))) == ["status", "data"]


def test_small_answers_are_encoded_as_ever() -> None:
    """A scalar is an object as any other."""
    found, wanted = _both(Result(Scalar(1000, 2.5)))
    assert found == wanted


def test_a_label_that_is_no_utf8_does_not_spoil_the_answer() -> None:
    """A lone surrogate is replaced."""
    vector = Vector(0, [Labels({"a": "\ud800"})], np.array([1.0]))
    assert json.loads(render_result(Result(vector)))["data"]["result"][0]["metric"] == {"a": "?"}
