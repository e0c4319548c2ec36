"""The engine: answers, limits, plans that are compiled and resolved once."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.errors import DeadlineExceeded, InvalidInput, ParseError
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Refs
from controlplane.promql.engine import Engine
from controlplane.promql.errors import EvaluationError, QueryCanceled, TooManySamples
from controlplane.promql.options import EngineOptions
from controlplane.promql.values import Matrix, Scalar, String, Vector
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock
from tests.support.samples import ListStore

MINUTE = 60_000


def series(text: str, **labels: str) -> Labels:
    """Return a label set with its metric name."""
    return Labels({"__name__": text, **labels})


def store(hosts: int = 3) -> ListStore:
    """Return `up{host=}` of some hosts, 0 for the first one, every 15 s for ten minutes."""
    return ListStore(
        {
            series("up", host=str(host)): [(t * 15_000, float(host > 0)) for t in range(41)]
            for host in range(hosts)
        }
    )


def vector(value: object) -> dict[str, float]:
    """Return a vector as text to number."""
    assert isinstance(value, Vector)
    pairs = zip(value.labels, value.values.tolist(), strict=True)
    return {str(labels): number for labels, number in pairs}


class TestInstant:
    """Queries at one instant."""

    def test_each_type_of_answer(self) -> None:
        """Vectors, numbers, texts and range vectors come as what they are."""
        engine = Engine(store())
        assert vector(engine.instant("up == 0", MINUTE).value) == {'up{host="0"}': 0.0}
        assert engine.instant("1 + 1", MINUTE).value == Scalar(MINUTE, 2.0)
        assert engine.instant('"a"', MINUTE).value == String(MINUTE, "a")

    def test_range_vector_has_times_of_its_own(self) -> None:
        """`up[30s]` gives each series' own instants."""
        value = Engine(store(1)).instant("up[30s]", MINUTE).value
        assert isinstance(value, Matrix)
        assert value.times.tolist() == [[45_000, 60_000]]
        assert value.present.all()

    def test_a_snapshot_may_be_given(self) -> None:
        """Several queries can read from one snapshot."""
        source = Store.in_memory()
        refs = source.refs([series("a")])
        source.append([Write("w", 0, refs, np.array([1.0]))])
        snapshot = source.querier()
        source.append([Write("w", 15_000, refs, np.array([2.0]))])
        engine = Engine(source)
        assert vector(engine.instant("a", MINUTE, querier=snapshot).value) == {"a": 1.0}
        assert vector(engine.instant("a", MINUTE).value) == {"a": 2.0}

    def test_lookback_of_one_query(self) -> None:
        """A query may look back less far than the engine does."""
        engine = Engine(store(1))
        last = 40 * 15_000
        assert vector(engine.instant("up", last + 10_000, lookback=10_001).value)
        assert vector(engine.instant("up", last + 10_000, lookback=10_000).value) == {}

    def test_limit_cuts_and_says_so(self) -> None:
        """An answer over the limit is cut, with a warning."""
        result = Engine(store()).instant("up", MINUTE, limit=2)
        assert len(vector(result.value)) == 2
        assert result.warnings == ("results truncated due to limit",)
        assert Engine(store()).instant("up", MINUTE, limit=3).warnings == ()

    def test_annotations_name_the_place(self) -> None:
        """Infos point at the argument that they are about."""
        result = Engine(store()).instant("sum(\n  rate(up[5m]))", 5 * MINUTE)
        assert [info[-5:] for info in result.infos] == ["(2:8)"]


class TestRange:
    """Queries over a range."""

    def test_steps_up_to_the_end(self) -> None:
        """The last step is the last one not after the end; series come sorted."""
        value = Engine(store()).range("up", 0, MINUTE + 1, 20_000).value
        assert isinstance(value, Matrix)
        assert value.times.tolist() == [0, 20_000, 40_000, 60_000]
        assert [str(labels) for labels in value.labels] == [f'up{{host="{i}"}}' for i in range(3)]

    def test_a_number_is_one_series(self) -> None:
        """A scalar becomes a series without labels."""
        value = Engine(store()).range("time()", 0, MINUTE, 30_000).value
        assert isinstance(value, Matrix)
        assert value.labels == [Labels()]
        assert value.values.tolist() == [[0.0, 30.0, 60.0]]

    @pytest.mark.parametrize(
        ("query", "start", "end", "step"),
        [("up", 0, MINUTE, 0), ("up", MINUTE, 0, 1), ("up[5m]", 0, 0, 1), ('"a"', 0, 0, 1)],
    )
    def test_what_is_no_range_query(self, query: str, start: int, end: int, step: int) -> None:
        """Bad steps, ranges and types are refused."""
        with pytest.raises(InvalidInput):
            Engine(store()).range(query, start, end, step)


class TestErrors:
    """Queries that have no answer."""

    def test_parse_errors_come_through(self) -> None:
        """A text that is no query raises ParseError."""
        with pytest.raises(ParseError):
            Engine(store()).instant("up{", 0)

    def test_undefined_answers(self) -> None:
        """Series that become equal have no answer."""
        both = ListStore({series(name): [(0, 1.0)] for name in ("a", "b")})
        with pytest.raises(EvaluationError, match="same labelset"):
            Engine(both).instant('abs({__name__=~"a|b"})', 0)

    def test_names_removed_late_may_be_replaced_before(self) -> None:
        """With late removal a name that tells series apart counts until the end."""
        both = ListStore({series(name): [(0, 1.0)] for name in ("a", "b")})
        query = 'label_replace(abs({__name__=~"a|b"}), "was", "$1", "__name__", "(.*)")'
        late = Engine(both, EngineOptions(delayed_name_removal=True))
        assert vector(late.instant(query, 0).value) == {'{was="a"}': 1.0, '{was="b"}': 1.0}
        with pytest.raises(EvaluationError, match="same labelset"):
            Engine(both).instant(query, 0)

    def test_sample_limit(self) -> None:
        """More samples than allowed end the evaluation."""
        engine = Engine(store(), EngineOptions(max_samples=5))
        assert vector(engine.instant("up", MINUTE).value)
        with pytest.raises(TooManySamples):
            engine.range("up", 0, MINUTE, 15_000)

    def test_subqueries_cannot_fill_the_memory(self) -> None:
        """A subquery of absurdly many steps is refused before it is evaluated."""
        with pytest.raises(TooManySamples):
            Engine(store(), EngineOptions(max_samples=1000)).instant(
                "sum_over_time(up[10y:1ms])", MINUTE
            )

    def test_deadline(self) -> None:
        """Time that is up stops the evaluation."""
        with pytest.raises(DeadlineExceeded, match="timed out"):
            Engine(store(), clock=ManualClock()).instant("up", MINUTE, timeout=-1)

    def test_cancellation(self) -> None:
        """A caller who is gone stops the evaluation."""
        with pytest.raises(QueryCanceled):
            Engine(store()).instant("up", MINUTE, canceled=lambda: True)

    def test_failures_are_counted(self) -> None:
        """Each kind of error is counted by its name."""
        registry = CollectorRegistry()
        engine = Engine(store(), registry=registry)
        with pytest.raises(ParseError):
            engine.instant("up{", 0)
        labels = {"reason": "ParseError"}
        count = registry.get_sample_value("controlplane_query_failures_total", labels)
        assert count == 1.0


class _Counting(ListStore):
    """A store that counts how often it was asked which series match."""

    selects = 0

    def select(self, matchers: Sequence[Matcher]) -> Refs:
        self.selects += 1
        return super().select(matchers)


class TestPlans:
    """Plans: compiled once, resolved until the set of series changes."""

    def test_one_text_is_compiled_once(self) -> None:
        """The same text gives the same plan; the least recently used goes first."""
        engine = Engine(store(), EngineOptions(plan_cache_size=2))
        first = engine.prepare("up")
        engine.prepare("up + 1")
        assert engine.prepare("up") is first
        engine.prepare("up + 2")
        assert engine.prepare("up") is first
        assert len(engine._plans) == 2

    def test_series_are_selected_once_a_generation(self) -> None:
        """The store is asked anew only after its series changed."""
        source = _Counting({series("up", host="0"): [(0, 1.0)]})
        engine = Engine(source)
        for _ in range(3):
            assert vector(engine.instant("sum(up)", 0).value) == {"{}": 1.0}
        assert source.selects == 1
        source.add(series("up", host="1"), [(0, 5.0)])
        assert vector(engine.instant("sum(up)", 0).value) == {"{}": 6.0}
        assert source.selects == 2

    def test_unrelated_series_keep_what_was_computed(self) -> None:
        """A new series of another metric leaves groupings as they were."""
        source = ListStore({series("up", host="0"): [(0, 1.0)]})
        engine = Engine(source)
        plan = engine.prepare("sum by (host) (up)")
        engine.instant(plan, 0)
        before = plan.selectors[0].select(source).series
        source.add(series("down"), [(0, 1.0)])
        engine.instant(plan, 0)
        assert plan.selectors[0].select(source).series is before

    def test_what_a_plan_reads(self) -> None:
        """A plan names its selectors and resolves the series they read."""
        source = ListStore({series("a"): [(0, 1.0)], series("b"): [(0, 1.0)]})
        plan = Engine(source).prepare("a / on () (b offset 5m) or absent(c)")
        names = [selector.matchers[0].value for selector in plan.selectors]
        assert names == ["a", "b", "c"]
        assert [refs.tolist() for refs in plan.refs(source)] == [[0], [1], []]
        assert plan.uses_absent
        assert not Engine(source).prepare("a").uses_absent

    def test_threads_share_an_engine(self) -> None:
        """Many threads evaluate one plan at once, each at its own instant."""
        engine, wrong = Engine(store()), list[object]()

        def work(offset: int) -> None:
            for step in range(30):
                time = MINUTE + offset + step * 15_000
                found = vector(engine.instant("sum(up) + time()", time).value)
                if found != {"{}": 2.0 + time / 1000}:
                    wrong.append(found)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
