"""The runner of scripts: what it reads, what it finds wrong, what the command prints."""

import math
from pathlib import Path

import pytest

from controlplane.cli.main import main
from controlplane.errors import InvalidInput, ParseError
from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_NAN
from controlplane.promql.histograms.text import written
from controlplane.promql.testing.comparing import nearly_equal
from controlplane.promql.testing.notation import WrittenHistogram, parse_labels, parse_series
from controlplane.promql.testing.running import run_script
from controlplane.promql.testing.script import Eval, Kind, parse_script

GOOD = """
load 1m
  up 1x5

eval instant at 1m up
  up 1
"""


class TestNotation:
    """Series and their values."""

    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("1 2.5 -3", [1, 2.5, -3]),
            ("1x2", [1, 1, 1]),
            ("1+2x2", [1, 3, 5]),
            ("10-5x2", [10, 5, 0]),
            ("-2-1x1", [-2, -3]),
            ("_ _x2 4", [None, None, None, 4]),
            ("Inf -Inf 1e3 .5", [math.inf, -math.inf, 1000, 0.5]),
            ("0x3", [0, 0, 0, 0]),
            ("", []),
        ],
    )
    def test_values(self, text: str, values: list[float | None]) -> None:
        """Repetitions, steps and gaps expand."""
        assert list(parse_series(f"a {text}").values) == values

    def test_markers_and_histograms(self) -> None:
        """`stale` is the marker; native histograms are read."""
        values = parse_series("a stale {{schema:0 sum:1 buckets:[1 2]}}x1 NaN").values
        assert isinstance(values[0], float)
        assert nearly_equal(values[0], float(STALE_NAN))
        assert all(isinstance(value, WrittenHistogram) for value in values[1:3])
        texts = [written(v.histogram) for v in values if isinstance(v, WrittenHistogram)]
        assert texts == ["{{sum:1 buckets:[1 2]}}"] * 2

    def test_labels(self) -> None:
        """Names may stand in quotes, labels in any quotes."""
        assert parse_labels("a{b='c',}") == Labels({"__name__": "a", "b": "c"})
        assert parse_labels('{"a.b", "c.d"="e"}') == Labels({"__name__": "a.b", "c.d": "e"})
        assert parse_labels("{}") == Labels()

    @pytest.mark.parametrize(
        "text", ["a 1+2", "a x", "a{b} 1", "a{b=1} 1", "a 1x2y", "a 1x99999999"]
    )
    def test_mistakes(self, text: str) -> None:
        """What is no series is refused."""
        with pytest.raises(InvalidInput):
            parse_series(text)


class TestScript:
    """Commands and directives."""

    def test_directives(self) -> None:
        """`expect` lines are no series, and a number is a scalar."""
        text = "eval instant at 5m up\n  expect warn msg: careful\n  expect no_info\n  up 1\n\n"
        text += "eval_ordered instant at 0 up\n  up 1\n\neval instant at 0 1\n  1"
        first, second, third = parse_script(text)
        assert isinstance(first, Eval)
        assert (first.end, first.texts(Kind.WARN)[0].text) == (300_000, "careful")
        assert first.texts(Kind.NO_INFO)
        assert isinstance(second, Eval)
        assert second.ordered
        assert isinstance(third, Eval)
        assert third.scalar == 1.0

    @pytest.mark.parametrize(
        "text",
        ["nonsense", "load", "load 1q\n a 1", "eval at 0 up", "eval instant at 0 up\n  expect x"],
    )
    def test_mistakes_name_their_line(self, text: str) -> None:
        """A broken script says where."""
        with pytest.raises(ParseError) as raised:
            parse_script(f"clear\n\n{text}")
        assert raised.value.line == 3


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ("eval instant at 1m up\n  up 2", "expected 2, got 1"),
        ("eval instant at 1m up", "unexpected series up with 1"),
        ("eval instant at 1m up\n  up 1\n  down 1", "expected series down is missing"),
        ("eval instant at 1m up{\n  up 1", "parse error"),
        ("eval instant at 1m up\n  expect fail", "expected an error, got an answer"),
        ("eval instant at 1m up == 0 / 0\n  expect warn\n", "expected a warn annotation"),
        ("eval instant at 1m rate(up[2m])\n  expect no_info\n  {} 0", "expected no info"),
        ("eval instant at 1m 1\n  2", "expected 2, got 1"),
        ('eval instant at 1m "a"\n  expect string "b"', "expected 'b', got 'a'"),
        ("eval range from 0 to 2m step 1m up\n  up 1 1", "expected 2 points, got 3"),
        ("eval range from 0 to 2m step 1m up\n  up 1 2 1", "at 60000 ms expected 2, got 1"),
        ("eval instant at 1m up\n  up {{schema:0}}", "expected {{}}, got 1"),
        ("eval_fail instant at 1m abs(up) / 0\n", "expected an error"),
    ],
)
def test_differences_are_found(expected: str, reason: str) -> None:
    """Each way of being wrong is told."""
    outcomes = list(run_script("load 1m\n  up 1x5\n\n" + expected))
    assert len(outcomes) == 1
    assert reason in outcomes[0].reason


def test_instant_queries_are_asked_at_other_times_too() -> None:
    """A pinned query that answers otherwise elsewhere would be found: here none does."""
    text = "load 1m\n  c_total 0+60x20\n\neval instant at 10m sum(rate(c_total[5m:1m]))\n  {} 1"
    assert [outcome.reason for outcome in run_script(text)] == [""]


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1.0, 1.0 + 1e-7, True),
        (1.0, 1.0 + 1e-5, False),
        (math.nan, math.nan, True),
        (math.nan, float(STALE_NAN), False),
        (0.0, 1e-9, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
    ],
)
def test_equality_up_to_rounding(left: float, right: float, equal: bool) -> None:
    """Values may differ by a millionth; markers equal only markers."""
    assert nearly_equal(left, right) is equal


class TestCommand:
    """`controlplane test promql`."""

    def test_all_passed(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Counts for each file, totals as the last line, exit code 0."""
        path = tmp_path / "good.test"
        path.write_text(GOOD)
        assert main(["test", "promql", str(path)]) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"{path}: 1 passed, 0 failed",
            "1 passed, 0 failed",
        ]

    def test_a_failure(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Exit code 1, and with -v the case with its line and reason."""
        path = tmp_path / "bad.test"
        path.write_text(GOOD + "\neval instant at 1m up\n  up 5\n")
        assert main(["test", "promql", "-v", str(path)]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{path}:8: up: up: expected 5, got 1"
        assert lines[-1] == "1 passed, 1 failed"

    def test_a_broken_script(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A script that cannot be read is a failure at its line."""
        path = tmp_path / "broken.test"
        path.write_text("nonsense\n")
        assert main(["test", "promql", str(path)]) == 1
        assert f"{path}:1:" in capsys.readouterr().out

    def test_a_missing_file(self, tmp_path: Path) -> None:
        """A file that is not there is an error."""
        assert main(["test", "promql", str(tmp_path / "none.test")]) == 1
