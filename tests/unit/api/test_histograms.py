"""Native histograms in the answers of the query API."""

import math
from typing import Any

import numpy as np

from controlplane.api.prometheus.encode import encode_result
from controlplane.api.prometheus.histograms import encode_histogram
from controlplane.model.labels import Labels
from controlplane.promql.engine import Engine
from controlplane.promql.histograms.text import parse_histogram
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store

LATENCY = Labels({"__name__": "latency"})


def encoded(text: str) -> dict[str, Any]:
    return encode_histogram(parse_histogram(text)[0])


def test_bounds_say_which_of_them_belong_to_a_bucket() -> None:
    """0: the upper one, 1: the lower one, 3: both; empty buckets are left out."""
    text = "{{count:7 sum:-1.5 z_bucket:1 z_bucket_w:0.25 buckets:[2 0 1] n_buckets:[0 3]}}"
    assert encoded(text) == {
        "count": "7",
        "sum": "-1.5",
        "buckets": [
            [1, "-2", "-1", "3"],
            [3, "-0.25", "0.25", "1"],
            [0, "0.5", "1", "2"],
            [0, "2", "4", "1"],
        ],
    }


def test_custom_buckets_reach_to_the_infinities() -> None:
    """The first bucket has -Inf in it."""
    assert encoded("{{schema:-53 count:3 sum:NaN custom_values:[1 2] buckets:[1 0 2]}}") == {
        "count": "3",
        "sum": "NaN",
        "buckets": [[3, "-Inf", "1", "1"], [0, "2", "+Inf", "2"]],
    }


def test_a_histogram_of_nothing_has_no_buckets() -> None:
    """The field is left out, as upstream leaves it out."""
    assert encoded("{{count:0}}") == {"count": "0", "sum": "0"}


def test_floats_and_histograms_of_one_series_stand_apart() -> None:
    """`value` or `histogram` in a vector, `values` and `histograms` in a matrix."""
    store = Store.in_memory(StoreOptions(retention=0))
    ref, histogram = store.refs([LATENCY]), parse_histogram("{{count:2 sum:3 buckets:[2]}}")[0]
    store.append([Write("t", 1000, ref, np.array([1.5]))])
    store.append([Write("t", 2000, ref, np.array([math.nan]), "", [histogram])])
    engine = Engine(store)
    shown = encode_histogram(histogram)
    metric = {"__name__": "latency"}
    vector = encode_result(engine.instant("latency", 2000))["data"]["result"]
    assert vector == [{"metric": metric, "histogram": [2.0, shown]}]
    (series,) = encode_result(engine.range("latency", 1000, 2000, 1000))["data"]["result"]
    assert series == {"metric": metric, "values": [[1.0, "1.5"]], "histograms": [[2.0, shown]]}
    (window,) = encode_result(engine.instant("latency[5s]", 2000))["data"]["result"]
    assert window == series
