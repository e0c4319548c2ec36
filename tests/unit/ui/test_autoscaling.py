"""The pages of autoscaling: what each policy wants, and why."""

import json
import re
from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from controlplane.autoscale.decision import Decision, Outcome, Verdict
from controlplane.autoscale.options import (
    Kind,
    MetricOptions,
    MetricTarget,
    Mode,
    Policy,
    TargetType,
    Threshold,
)
from controlplane.autoscale.sentence import Sentence
from controlplane.ui.asking import step_for
from controlplane.ui.pages.autoscaling import reason
from controlplane.ui.pages.autoscaling_policy import RANGES, history_of, limits, marks_of
from tests.support.clock import AheadClock
from tests.support.service import eventually
from tests.unit.ui.console import Reader, console, words

_POLICIES: list[dict[str, Any]] = [
    {
        "name": "shop",
        "min_replicas": 2,
        "max_replicas": 20,
        "interval": "1s",
        "replicas": "vector(4)",
        "metrics": [
            {"name": "load", "query": "vector(0.9)", "target": {"value": 0.5}},
            {"name": "p99", "kind": "latency", "query": "vector(0.1) # <script>"},
        ],
    },
    {
        "name": "blind",
        "mode": "act",
        "max_replicas": 5,
        "interval": "1s",
        "replicas": "nothing",
        "webhook": {"url": "http://127.0.0.1:1/", "secret": "hush"},
        "metrics": [{"name": "load", "query": "vector(1)", "target": {"value": 1}}],
    },
]
_RISE = Decision(
    "shop",
    1_000,
    Mode.ACT,
    Outcome.SCALED,
    4,
    8,
    (
        Verdict("load", 0.9, 8, "up", "0.9 is 1.8 times the target of 0.5"),
        Verdict("cpu", 0.5, None, "calm", "0.5 is within its thresholds"),
    ),
    ("load asks for 8, the highest of all", "max_replicas: 8 instead of 9"),
)


async def decided(reader: Reader) -> None:
    """Wait until every policy has decided, and the database has it."""
    scaler = reader.on.autoscaler
    for policy in scaler.policies():
        first = partial(scaler.decisions, policy.name, before=None, limit=1)
        await eventually(first, f"a decision of {policy.name}")


async def test_policies_in_words(tmp_path: Path) -> None:
    """Recommended and actual replicas, the bounds, and the last decision with its reason."""
    async with console(tmp_path, autoscaling=_POLICIES) as reader:
        await decided(reader)
        page = await reader.get("/autoscaling")
        part = await reader.get("/autoscaling?part=policies")
        german = words(await reader.get("/autoscaling?lang=de"))
    text = words(page)
    assert "recommended shop shadow: nothing is done 8 4 2–20" in text
    assert "8 would be right instead of 4." in text
    assert "load: 0.9 is 1.8 times the target of 0.5" in text
    assert "stands blind acts – – 1–5 Nobody can tell: ? stands." in text
    assert "the number of replicas is not known" in text
    assert "<html" not in part
    assert "/autoscaling/shop" in part
    assert "8 statt 4 wäre richtig." in german


async def test_without_policies_it_says_what_one_is(tmp_path: Path) -> None:
    """An empty list says what to do next."""
    async with console(tmp_path) as reader:
        text = words(await reader.get("/autoscaling"))
    assert "There are no policies yet." in text
    assert "max_replicas: 20" in text


async def test_a_policy_tells_each_step(tmp_path: Path) -> None:
    """The metrics with their values and proposals, the steps, those before, and the replay."""
    async with console(tmp_path, autoscaling=_POLICIES) as reader:
        await decided(reader)
        page = await reader.get("/autoscaling/shop")
        state = await reader.get("/autoscaling/shop?part=state")
        plot = await reader.get("/autoscaling/shop?part=plot&range=6h")
        blind = words(await reader.get("/autoscaling/blind"))
    text = words(page)
    assert "There are 4 replicas. load : 0.9 is 1.8 times the target of 0.5 asks for 8" in text
    assert "p99 : 0.1 is within its thresholds has no say" in text
    assert "load asks for 8, the highest of all" in text
    assert "Value 0.5" in text
    assert "up > 0.5 for 2m" in text
    assert "controlplane autoscale replay shop --since 7d" in text
    assert "whoever asks: KEDA" in text
    assert "# <script>" not in page
    assert "# <script>" in text
    assert "<html" not in state
    assert 'href="?range=6h" aria-current="true"' in plot
    assert "How many replicas there are is not known." in blind
    assert "a signed webhook" in blind
    assert "hush" not in blind


async def test_a_policy_tells_each_step_in_german(tmp_path: Path) -> None:
    """What was decided is said in the reader's language, also where it comes from the database."""
    async with console(tmp_path, autoscaling=_POLICIES) as reader:
        await decided(reader)
        policies = words(await reader.get("/autoscaling?lang=de"))
        shop = await reader.get("/autoscaling/shop?lang=de")
        blind = words(await reader.get("/autoscaling/blind?lang=de"))
    last, _, before = words(shop).partition("Replikate: empfohlen und tatsächlich")
    for text in (policies, last, before):
        assert "0.9 ist das 1.8-Fache des Ziels von 0.5" in text
    for text in (last, before):
        assert "0.1 liegt innerhalb der Schwellen" in text
        assert "load: 8 verlangt, die höchste Zahl von allen" in text
    assert "es gibt, ist nicht bekannt: die Abfrage liefert keine Reihe" in policies
    assert "was zuletzt entschieden wurde, gilt weiter" in blind
    assert not [each for each in ("target", "thresholds", "asks for") if each in words(shop)]


async def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    """It is said, not guessed."""
    async with console(tmp_path) as reader:
        assert "nobody" in words(await reader.get("/autoscaling/nobody", 404))


async def test_replicas_are_drawn(tmp_path: Path) -> None:
    """Both numbers, from what the service says of itself."""
    clock = AheadClock()
    async with console(tmp_path, clock, autoscaling=_POLICIES[:1], **_OFTEN) as reader:
        policy = reader.on.autoscaler.policy("shop")

        async def recorded() -> bool:
            query = {"query": history_of(policy)}
            answer = await reader.client.get("/prometheus/api/v1/query", params=query)
            return len(answer.json()["data"]["result"]) == 2

        await eventually(recorded, "both numbers")
        clock.ahead = step_for(RANGES[0])  # The chart has instants that are whole steps.
        page = await reader.get("/autoscaling/shop")
    assert '<svg class="chart"' in page
    (plot,) = re.findall(r'data-plot="([^"]+)"', page)
    lines = {each["label"]: each["values"][-1] for each in json.loads(unescape(plot))["series"]}
    assert lines == {"recommended": 8, "actual": 4}


_OFTEN: dict[str, Any] = {"global": {"scrape_interval": "1s", "evaluation_interval": "1h"}}


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (None, ""),
        (_RISE, "load: 0.9 is 1.8 times the target of 0.5"),
        (replace(_RISE, verdicts=()), "load asks for 8, the highest of all"),
        (
            replace(_RISE, outcome=Outcome.HELD, steps=("no metric has a value", "it stands")),
            "no metric has a value",
        ),
        (
            replace(_RISE, outcome=Outcome.FAILED, steps=("so it is", "it could not: down")),
            "it could not: down",
        ),
        (replace(_RISE, outcome=Outcome.HELD, steps=()), ""),
    ],
)
def test_the_reason_is_what_had_a_say(decision: Decision | None, said: str) -> None:
    """The metric whose proposal counted; where none did, the step that says why."""
    assert reason(str, decision) == said


def test_the_reason_is_in_the_language_of_the_reader() -> None:
    """Of metrics and of steps; what was decided before there were translations is as it was."""
    missing = Sentence("no value of %(metrics)s", {"metrics": "load"})
    held = replace(_RISE, outcome=Outcome.HELD, steps=(missing,))
    rise = replace(_RISE, verdicts=(replace(_RISE.verdicts[0], because=missing),))
    say = {missing.template: "%(metrics)s hat keinen Wert"}.__getitem__
    assert reason(say, held) == "load hat keinen Wert"
    assert reason(say, rise) == "load: load hat keinen Wert"
    assert reason(say, _RISE) == "load: 0.9 is 1.8 times the target of 0.5"


def test_what_a_metric_is_held_against() -> None:
    """Its target, or its thresholds with how long they must have been passed."""
    target = MetricTarget(50, TargetType.AVERAGE_VALUE)
    assert limits(MetricOptions("load", "x", target=target)) == ["AverageValue 50"]
    assert limits(MetricOptions("cpu", "x", Kind.CPU)) == ["up > 0.7", "down < 0.3"]
    slow = MetricOptions("p99", "x", up=Threshold(2, 90_000))
    assert limits(slow) == ["up > 2 for 1m30s"]


def test_only_changes_are_marked() -> None:
    """Those that were carried out, with the numbers before and after."""
    wished = replace(_RISE, outcome=Outcome.RECOMMENDED)
    assert marks_of([wished, _RISE]) == [(1.0, "4 → 8")]


def test_the_history_is_of_any_replica() -> None:
    """Whoever of us decided: one line for each number."""
    policy = Policy("shop", 5, (MetricOptions("load", "x", target=MetricTarget(1)),))
    expr = history_of(policy)
    assert expr.count("max(controlplane_autoscaling_") == 2
    assert 'policy="shop"' in expr
