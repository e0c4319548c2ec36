"""Expressions that Prometheus 2.42 and 3 agree on, made by hypothesis.

Left out is what changed between them (names, experimental functions), what
depends on an order that is not defined (`topk` among equals), and steps
(`floor`, `%`, `==`) over sums, where the last bit decides; and dates of NaN, which Go leaves
to the processor.
"""

from hypothesis import strategies as st

DURATIONS = st.sampled_from(["1m", "2m30s", "5m", "11m", "90s"])
MATCHERS = st.sampled_from(
    [
        "",
        "",
        '{job="api"}',
        '{job!="api"}',
        '{instance=~"a.*|b.*"}',
        '{instance!~"b.+"}',
        '{zone=""}',
    ]
)
OFFSETS = st.sampled_from(["", "", "", " offset 3m", " offset 95s", " @ 1700001200.5"])
COUNTERS = st.sampled_from(["requests_total", "latency_bucket", "requests_total"])
GAUGES = st.sampled_from(["memory", "up", "limits", "ends", "memory", "nothing"])
NUMBERS = st.sampled_from(["0", "1", "0.5", "-3", "100", "1e3", "Inf", "NaN"])
GROUPINGS = st.sampled_from(
    [
        "",
        " by (job)",
        " by (job, instance)",
        " without (instance)",
        " without (job, code)",
        " by (le)",
    ]
)
AGGREGATIONS = st.sampled_from(
    ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "quantile(0.3, "]
)
COUNTER_FUNCTIONS = st.sampled_from(["rate", "increase", "irate", "resets", "changes"])
GAUGE_FUNCTIONS = st.sampled_from(
    [
        "avg_over_time", "sum_over_time", "min_over_time", "max_over_time", "count_over_time",
        "stddev_over_time", "stdvar_over_time", "last_over_time", "present_over_time", "delta",
        "idelta", "deriv", "changes", "absent_over_time", "quantile_over_time(0.7, ",
        "predict_linear(",
    ]
)  # fmt: skip
SMOOTH = st.sampled_from(["abs", "exp", "sqrt", "ln", "sgn", "-", "+", "scalar", "vector", "deg"])
STEPS = st.sampled_from(["floor", "ceil", "round", "timestamp", "absent", "sort"])
ARITHMETIC = st.sampled_from(["+", "-", "*", "/"])
COMPARISONS = st.sampled_from([">", "<", ">=", "<=", "> bool", "<= bool"])
SETS = st.sampled_from(["and", "or", "unless"])
MATCHING = st.sampled_from(
    ["", "", " on (job)", " on (job, instance)", " ignoring (code)", " ignoring (team, instance)"]
)
GROUP = st.sampled_from(["", "", " group_left ()", " group_right ()", " group_left (team)"])


@st.composite
def selectors(draw: st.DrawFn, names: st.SearchStrategy[str]) -> str:
    return draw(names) + draw(MATCHERS) + draw(OFFSETS)


@st.composite
def windows(draw: st.DrawFn, names: st.SearchStrategy[str]) -> str:
    return f"{draw(names)}{draw(MATCHERS)}[{draw(DURATIONS)}]{draw(OFFSETS)}"


@st.composite
def over_time(draw: st.DrawFn) -> str:
    if draw(st.booleans()):
        return f"{draw(COUNTER_FUNCTIONS)}({draw(windows(COUNTERS))})"
    function, window = draw(GAUGE_FUNCTIONS), draw(windows(GAUGES))
    if function == "predict_linear(":
        return f"predict_linear({window}, 600)"
    return f"{function}{'' if function.endswith(', ') else '('}{window})"


@st.composite
def plain(draw: st.DrawFn) -> str:
    """Return an instant vector that comes right from samples."""
    text = draw(st.one_of(selectors(GAUGES), selectors(COUNTERS), over_time()))
    if draw(st.integers(0, 4)) == 0:
        names = st.one_of(selectors(GAUGES), selectors(COUNTERS))
        return f"{draw(STEPS)}({draw(names)})"
    return text


@st.composite
def special(draw: st.DrawFn) -> str:
    """Return what has a form of its own."""
    job, duration = draw(MATCHERS), draw(DURATIONS)
    return draw(
        st.sampled_from(
            [
                f"histogram_quantile(0.9, rate(latency_bucket{job}[{duration}]))",
                f"histogram_quantile(0.5, sum by (le) (rate(latency_bucket[{duration}])))",
                f"topk(2, memory{job})",
                f"bottomk by (job) (1, memory{job})",
                f'count_values("v", up{job})',
                f'label_replace(up{job}, "host", "$1", "instance", "(.*):.*")',
                f'label_join(up{job}, "both", "-", "job", "instance")',
                f"clamp(memory{job}, -5, 20)",
                f"clamp_min(memory{job}, 3)",
                f"max_over_time(rate(requests_total{job}[2m])[{duration}:30s])",
                f"sum_over_time(memory{job}[{duration}:20s] offset 1m)",
                f"avg_over_time((up{job} * 2)[{duration}:15s])",
                f"absent_over_time(nothing{job}[{duration}])",
                "time() - 1700000000",
                f"hour(timestamp(memory{job}))",
                f"minute(timestamp(up{job}) * 7)",
                f"quantile by (job) (0.5, memory{job})",
                f"round(memory{job}, 7)",
                f"memory{job} % 7",
                f"up{job} == 1",
                f"limits{job} ^ 2",
            ]
        )
    )


@st.composite
def pairs(draw: st.DrawFn, operands: st.SearchStrategy[str]) -> str:
    left, right = draw(operands), draw(st.one_of(operands, NUMBERS))
    kind = draw(st.integers(0, 2))
    scalar = right.replace("-", "").replace(".", "").isalnum() and right[:1] in "01-INe"
    if kind == 2 and not scalar:
        return f"({left}) {draw(SETS)}{draw(MATCHING)} ({right})"
    operator = draw(ARITHMETIC if kind else COMPARISONS)
    matching = "" if scalar else draw(MATCHING)
    group = draw(GROUP) if matching else ""
    return f"({left}) {operator}{matching}{group} ({right})"


@st.composite
def wrapped(draw: st.DrawFn, operands: st.SearchStrategy[str]) -> str:
    inner = draw(operands)
    if draw(st.booleans()):
        aggregation, grouping = draw(AGGREGATIONS), draw(GROUPINGS)
        if aggregation.endswith(", "):
            return f"quantile{grouping} (0.3, {inner})"
        return f"{aggregation}{grouping} ({inner})"
    function = draw(SMOOTH)
    return f"vector(scalar({inner}))" if function == "vector" else f"{function}({inner})"


def expressions() -> st.SearchStrategy[str]:
    """Return expressions of up to a few levels."""
    return st.recursive(
        st.one_of(plain(), plain(), special()),
        lambda operands: st.one_of(pairs(operands), wrapped(operands)),
        max_leaves=4,
    )
