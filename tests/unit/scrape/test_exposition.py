"""The exposition parser: what each format allows, what it does not, and what is kept between."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.samples import NORMAL_NAN_BITS, is_stale
from controlplane.scrape.exposition.formats import accept_header, grammar_for
from controlplane.scrape.exposition.grammar import ExpositionError, Grammar, format_bound
from controlplane.scrape.exposition.openmetrics import OPENMETRICS
from controlplane.scrape.exposition.page import NO_TIME, Metadata, Page, read
from controlplane.scrape.exposition.text import TEXT
from controlplane.scrape.options import DEFAULT_PROTOCOLS, ScrapeProtocol

Row = tuple[Mapping[str, str], float, int | None]


def rows(page: Page) -> list[Row]:
    times = [NO_TIME] * len(page.values) if page.times is None else page.times.tolist()
    return [
        (page.shape.labels(slot), value, None if time == NO_TIME else time)
        for slot, (value, time) in enumerate(zip(page.values.tolist(), times, strict=True))
    ]


def named(name: str, **labels: str) -> dict[str, str]:
    return {"__name__": name, **labels}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a 1", (named("a"), 1.0, None)),
        ("  a:b_c\t 1e3 ", (named("a:b_c"), 1000.0, None)),
        ("a{} 1", (named("a"), 1.0, None)),
        ('a{b="c"}1', (named("a", b="c"), 1.0, None)),
        ('a { b = "c" , d="e", } 2 1700000000123', (named("a", b="c", d="e"), 2.0, 1700000000123)),
        ('a{b="c" d="e"} 2', (named("a", b="c", d="e"), 2.0, None)),
        (r'a{b="x\"y\\z\n\t"} 3', (named("a", b='x"y\\z\n\\t'), 3.0, None)),
        ('a{b="} 1 {"} 4', (named("a", b="} 1 {"), 4.0, None)),
        ('a{b="x y"} 4', (named("a", b="x y"), 4.0, None)),
        ('a{b=""} 4', (named("a", b=""), 4.0, None)),
        ('{"a.b"} 5', ({"__name__": "a.b"}, 5.0, None)),
        ('{"a.b", "c d"="é", e="f"} 5', ({"__name__": "a.b", "c d": "é", "e": "f"}, 5.0, None)),
        ('{e="f", "a\\"b"} 5', ({"__name__": 'a"b', "e": "f"}, 5.0, None)),
        ("a +Inf", (named("a"), math.inf, None)),
        ("a -inf", (named("a"), -math.inf, None)),
        ("a .5", (named("a"), 0.5, None)),
        ("a 5. 0", (named("a"), 5.0, 0)),
        ("a 1e-400", (named("a"), 0.0, None)),
    ],
)
def test_text_line(line: str, expected: Row) -> None:
    """A line of the text format gives its series, value and timestamp in milliseconds."""
    assert rows(read(f"{line}\n".encode(), TEXT)) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "a", "a ", "a b", "a 1 2 3", "a 1 -2", "a 1 1.5", "1a 1", "a{ 1", 'a{b="c} 1', 'a{b=c} 1',
        'a{b="c",,} 1', "a{,} 1", '{b="c"} 1', '{"a","b"} 1', 'a{"b"} 1', 'a{b="c",b="d"} 1',
        'a{__name__="b"} 1', "a 1_000", "a 0x1p3", "a 1e400", "a +nan", "a 1\r", "a 1 1e3",
        "a 1 99999999999999999999", "# TYPE a", "# TYPE a gadget", "# TYPE 1 counter", "# HELP ",
        "a{b=\"\xff\"} 1",
    ],
)  # fmt: skip
def test_text_errors(line: str) -> None:
    """A malformed line fails the whole body, naming its line and what stood before it."""
    body = b"ok 1\n# a comment\n" + line.encode("latin-1") + b"\nmore 2\n"
    with pytest.raises(ExpositionError) as error:
        read(body, TEXT).shape.labels(1)
    assert (error.value.line, error.value.samples) == (3, 1)


def test_text_comments_and_metadata() -> None:
    """Comments and blank lines are skipped; HELP and TYPE are kept as metadata."""
    body = (
        "# HELP a What\\nit \\\\ does.\n#HELP b no\n# TYPE a counter\n\n  \n # comment\n#\n"
        '# TYPE "b.c" gauge\n# HELP a2.x dotted\na 1'
    )
    page = read(body.encode(), TEXT)
    assert rows(page) == [(named("a"), 1.0, None)]
    assert page.shape.metadata == {
        "a": Metadata("counter", "What\nit \\ does."),
        "b.c": Metadata("gauge"),
        "a2": Metadata("unknown", "x dotted"),
    }


OM_BODY = """\
# TYPE req counter
# UNIT req_seconds seconds
# HELP req Requests.
req_total{code="200"} 5.0 1700000000.123 # {trace_id="a b"} 0.5 1700000000
req_total{code="500"} 1 # {} 2
req_created{code="200"} 1.6e9
# TYPE lat histogram
lat_bucket{le="0.5"} 3
lat_bucket{le="5"} 4 # {"x.y"="z"} 1.5
lat_bucket{le="1e6"} 4
lat_bucket{le="+Inf"} 4
# EOF
"""


def test_openmetrics() -> None:
    """Seconds become milliseconds, exemplars are dropped, bounds are written one way."""
    page = read(OM_BODY.encode(), OPENMETRICS)
    assert rows(page) == [
        (named("req_total", code="200"), 5.0, 1700000000123),
        (named("req_total", code="500"), 1.0, None),
        (named("req_created", code="200"), 1.6e9, None),
        (named("lat_bucket", le="0.5"), 3.0, None),
        (named("lat_bucket", le="5.0"), 4.0, None),
        (named("lat_bucket", le="1e+06"), 4.0, None),
        (named("lat_bucket", le="+Inf"), 4.0, None),
    ]
    assert page.shape.metadata["req"] == Metadata("counter", "Requests.")


@pytest.mark.parametrize(
    "body",
    [
        "a 1\n", "", "# EOF\na 1\n", "a 1\n# EOF\n\n", "a 1\n\n# EOF\n", "a  1\n# EOF\n",
        "a 1 \n# EOF\n", "a\t1\n# EOF\n", "# comment\n# EOF\n", "a{b=\"c\" } 1\n# EOF\n",
        'a{b="c" d="e"} 1\n# EOF\n', "a 1 NaN\n# EOF\n", "a 1 1e300\n# EOF\n",
        'a 1 # {b="c"}\n# EOF\n', 'a 1 # {"b"} 1\n# EOF\n', "a 1 # {} x\n# EOF\n",
        "# TYPE a untyped\n# EOF\n", "# UNIT a seconds\n# EOF\n", "# HELP a\n# EOF\n",
    ],
)  # fmt: skip
def test_openmetrics_errors(body: str) -> None:
    """OpenMetrics forgives no blank, and a body without its end is no body."""
    with pytest.raises(ExpositionError):
        read(body.encode(), OPENMETRICS)


def test_openmetrics_end_needs_no_line_feed() -> None:
    """`# EOF` may be the last bytes of all."""
    assert rows(read(b"a 1\n# EOF", OPENMETRICS)) == [(named("a"), 1.0, None)]


def test_quantiles_only_of_summaries() -> None:
    """`le` and `quantile` are rewritten where the type says so, and nowhere else."""
    body = '# TYPE s summary\ns{quantile="1",le="1"} 1\n# TYPE g gauge\ng{quantile="1"} 1\n'
    assert [labels for labels, _, _ in rows(read(body.encode(), TEXT))] == [
        named("s", quantile="1.0", le="1"),
        named("g", quantile="1"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0"), (-0.0, "0.0"), (1, "1.0"), (-1, "-1.0"), (0.0001, "0.0001"), (1e-5, "1e-05"),
        (100000, "100000.0"), (1e6, "1e+06"), (1234567, "1.234567e+06"), (-2.5e-7, "-2.5e-07"),
        (1e100, "1e+100"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"),
    ],
)  # fmt: skip
def test_bounds(value: float, text: str) -> None:
    """Bounds of buckets are written as OpenMetrics writes them."""
    assert format_bound(value) == text


def test_numbers_read_again_are_those_read_first() -> None:
    """Plain numbers of a known page come out bit for bit as Python reads them."""
    texts = ["1", "-0", "0", "-1", "1e5", "1E+5", "0.1", "1e-320", "9007199254740993", "+1", ".5"]
    texts += ["123456789012345678901234567890", "1.7976931348623157e308", "NaN", "-Inf"]
    body = "".join(f"a{n} {text}\n" for n, text in enumerate(texts)).encode()
    first = read(body, TEXT)
    for count in range(1, len(texts) + 1):
        lines = [f"a{n} {text}" for n, text in enumerate(texts[:count])]
        lines += [f"a{n} 7" for n in range(count, len(texts))]
        again = read("\n".join(lines).encode(), TEXT, first)
        assert again.shape is first.shape
        wanted = [float(text) for text in texts[:count]] + [7.0] * (len(texts) - count)
        assert str(again.values.tolist()) == str(wanted)


def test_nan_is_not_the_staleness_marker() -> None:
    """A NaN that a target serves has the ordinary bits, whichever way it was read."""
    for body in (b"a NaN\nb nan\nc 1\n", b"a NaN 5\nb nan 6\n"):
        values = read(body, TEXT).values
        assert values.view(np.uint64)[:2].tolist() == [NORMAL_NAN_BITS] * 2
        assert not is_stale(values).any()


def test_shape_is_kept_while_only_values_change() -> None:
    """The next body of the same series has the same shape object, and its own values."""
    first = read(b'# TYPE a gauge\na 1\nb{c="d"} 2\ne 3 5\n', TEXT)
    second = read(b'# TYPE a gauge\na 1\nb{c="d"} 20\ne NaN\n', TEXT, first)
    assert second.shape is first.shape
    assert second.values[:2].tolist() == [1.0, 20.0]
    assert second.times is None
    assert first.values.tolist() == [1.0, 2.0, 3.0]
    third = read(b'# TYPE a gauge\na 1\nb{c="d"} 20\ne 4 6\n', TEXT, second)
    assert rows(third)[2] == (named("e"), 4.0, 6)


@pytest.mark.parametrize(
    "body",
    [
        b"a 1\nb 2\nc 3\n", b"b 2\na 1\n", b"a 1\n", b"a 1\nb2 2\n", b"a2 1\nb 2\n",
        b"a2 1 3\nb 2\n",
        b"# TYPE a gauge\na 1\nb 2\n", b"# TYPE a counter\nb 2\n", b"a{x=\"y\"} 1\nb 2\n", b"",
    ],
)  # fmt: skip
def test_a_changed_body_reads_as_a_new_one(body: bytes) -> None:
    """What was read before never changes what a body means."""
    assert rows(read(body, TEXT, read(b"a 1\nb 2\n", TEXT))) == rows(read(body, TEXT))


def test_errors_are_found_behind_a_known_head() -> None:
    """A broken value fails the body also where its series is known."""
    before = read(b"a 1\nb 2\n", TEXT)
    with pytest.raises(ExpositionError) as error:
        read(b"a 1\nb 2x\n", TEXT, before)
    assert (error.value.line, error.value.samples) == (2, 1)


names = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,12}", fullmatch=True)
any_names = names | st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
label_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda name: name != "__name__"
)
label_sets = st.dictionaries(
    label_names, st.text(st.characters(codec="utf-8"), max_size=10), max_size=4
)
samples = st.lists(
    st.tuples(any_names, label_sets, st.floats(), st.none() | st.integers(0, 1 << 40)), max_size=8
)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'


def rendered(
    written: Sequence[tuple[str, Mapping[str, str], float, int | None]], grammar: Grammar
) -> bytes:
    lines = []
    for name, labels, value, time in written:
        items = [quoted(name), *(f"{quoted(n)}={quoted(v)}" for n, v in labels.items())]
        stamp = "" if time is None else f" {time}"
        lines.append(f"{{{','.join(items)}}} {value!r}{stamp}\n")
    return "".join([*lines, "# EOF\n" if grammar is OPENMETRICS else ""]).encode()


@given(samples, st.sampled_from([TEXT, OPENMETRICS]))
def test_what_was_written_is_read(
    written: list[tuple[str, dict[str, str], float, int | None]], grammar: Grammar
) -> None:
    """Any names, labels and numbers come back, cold and warm."""
    unit = 1000 if grammar is OPENMETRICS else 1
    body = rendered(written, grammar)
    page = read(body, grammar)
    for again in (page, read(body, grammar, page)):
        got = rows(again)
        assert [labels for labels, _, _ in got] == [
            {"__name__": name, **labels} for name, labels, _, _ in written
        ]
        assert np.array_equal(
            [value for _, value, _ in got], [value for _, _, value, _ in written], equal_nan=True
        )
        assert [time for _, _, time in got] == [
            None if time is None else time * unit for _, _, _, time in written
        ]


@given(
    st.binary(max_size=200) | st.text(alphabet='ab{}=",\\ \n\t#0.:eEOFTYPHL_', max_size=80),
    st.sampled_from([TEXT, OPENMETRICS]),
)
def test_garbage_never_crashes(garbage: bytes | str, grammar: Grammar) -> None:
    """Whatever comes is read or refused, and read alike whatever was read before."""
    body = garbage.encode() if isinstance(garbage, str) else garbage
    before = read(b'a 1\nab{a="b"} 2\n# EOF', grammar)
    outcomes = []
    for previous in (None, before):
        try:
            outcomes.append(repr(rows(read(body, grammar, previous))))
        except ExpositionError as error:
            outcomes.append(f"line {error.line}")
    assert outcomes[0] == outcomes[1]


def test_negotiation() -> None:
    """The format is asked for by preference, and told by the answer's media type."""
    assert accept_header(DEFAULT_PROTOCOLS) == (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    )
    assert grammar_for("text/plain; version=0.0.4; charset=utf-8", None) is TEXT
    assert grammar_for("Application/OpenMetrics-Text", None) is OPENMETRICS
    assert grammar_for("text/html", ScrapeProtocol.TEXT_0_0_4) is TEXT
    for unusable in ("", "text/html"):
        with pytest.raises(InvalidInput):
            grammar_for(unusable, None)
