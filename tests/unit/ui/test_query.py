"""The query page: its address, its answers as table and graph, its errors."""

import html
import json
from pathlib import Path

import pytest
from aiohttp import web
from starlette.datastructures import QueryParams

from controlplane.errors import ParseError
from controlplane.model.duration import DAY, HOUR, MINUTE, SECOND
from controlplane.promql.parser import parse
from controlplane.ui.asking import step_for
from controlplane.ui.pages.query import AGGREGATIONS, vocabulary
from controlplane.ui.pages.query_answer import mark
from controlplane.ui.pages.query_form import Asked, Tab, read_asked
from tests.support.query_api import query_api, success
from tests.unit.ui.console import console, words
from tests.unit.ui.samples import put


def asked(address: str) -> Asked:
    """Return what the query part of an address asks for."""
    return read_asked(QueryParams(address))


def test_the_address_carries_the_query() -> None:
    """What an address asks for makes the same address again."""
    wanted = asked("expr=up+%2B+1&tab=graph&range=6h&step=30s&end=2026-11-22T08%3A00%3A00Z")
    assert (wanted.expr, wanted.tab, wanted.span, wanted.step) == (
        "up + 1",
        Tab.GRAPH,
        6 * HOUR,
        30 * SECOND,
    )
    assert wanted.end == 1_795_334_400_000
    assert asked(wanted.address().partition("?")[2]) == wanted


def test_links_that_were_made_for_prometheus_work() -> None:
    """Its names of the fields, and its numbers of the tabs."""
    wanted = asked("g0.expr=up&g0.tab=0&g0.range_input=2h&g0.end_input=2026-11-22%2008%3A00%3A00")
    assert (wanted.expr, wanted.tab, wanted.span) == ("up", Tab.GRAPH, 2 * HOUR)
    assert wanted.end == 1_795_334_400_000
    assert asked("g0.expr=up&g0.tab=1").tab is Tab.TABLE


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("range=long", "range"),
        ("range=0s", "range"),
        ("step=-5s", "step"),
        ("end=yesterday", "end"),
        ("end=99999999999999", "end"),
        ("range=900000h", "range"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_field(given: str, field: str) -> None:
    """The default stands in for it, and the expression stays."""
    wanted = asked(f"expr=up&{given}")
    assert [name for name, _ in wanted.wrong] == [field]
    assert (wanted.expr, wanted.span, wanted.step, wanted.end) == ("up", HOUR, None, None)


def test_instants_may_be_written_in_many_ways() -> None:
    """In Unix seconds, with or without a zone or seconds, and as now."""
    for text in (
        "1795334400",
        "2026-11-22T08:00Z",
        "2026-11-22 08:00",
        "2026-11-22T09:00:00+01:00",
    ):
        assert Asked(end=1_795_334_400_000).end == asked(str(QueryParams({"end": text}))).end, text
    assert asked("end=now").end is None


def test_steps_are_ones_that_people_think_in() -> None:
    """About as many points as there are places for them."""
    assert step_for(15 * MINUTE) == 5 * SECOND
    assert step_for(HOUR) == 15 * SECOND
    assert step_for(7 * DAY) == HOUR
    assert step_for(3000 * DAY) == 13 * DAY


@pytest.mark.parametrize(
    ("text", "before", "wrong"),
    [
        ("sum(up", "sum(up", ""),
        ("rate(up[5m]) by (job)", "rate(up[5m]) ", "by"),
        ("up ==\n  sum(\n  foo bar)", "up ==\n  sum(\n  foo ", "bar"),
        ("rate(up)", "rate(", "up"),
        ('up{a="é"} + up{a=b}', 'up{a="é"} + up{a=', "b"),
    ],
)
def test_an_error_is_marked_where_it_is(text: str, before: str, wrong: str) -> None:
    """The expression is cut before and behind the first word that cannot stand there."""
    with pytest.raises(ParseError) as caught:
        parse(text)
    found = mark(text, caught.value)
    assert found.before + found.wrong + found.after == text
    assert (found.wrong, found.before[-len(before) :] if before else "") == (wrong, before)


def test_every_word_that_is_offered_is_one() -> None:
    """The functions and aggregations of the box can be written so."""
    for name in AGGREGATIONS:
        arguments = {"count_values": '"x", ', "quantile": "1, ", "topk": "1, ", "bottomk": "1, "}
        parse(f"{name}({arguments.get(name, '')}up)")
    assert "rate" in vocabulary(experimental=False)["functions"]
    strange = "mad_over_time"
    assert strange not in vocabulary(experimental=False)["functions"]
    assert strange in vocabulary(experimental=True)["functions"]


async def test_without_an_expression_there_are_examples(tmp_path: Path) -> None:
    """Each leads to its answer, and each can be evaluated."""
    async with console(tmp_path) as reader:
        page = await reader.get("/query")
        assert "Try one of these" in page
        for part in page.split('href="/query?expr=')[1:]:
            await reader.get("/query?expr=" + part.partition('"')[0])


async def test_a_table_shows_series_and_values(tmp_path: Path) -> None:
    """Name, labels and value; what labels hold is text only."""
    async with console(tmp_path) as reader:
        script = "<script>alert(1)</script>"
        await put(
            reader,
            ({"__name__": "load", "host": "a"}, [(reader.now, 1.5)]),
            ({"__name__": "load", "host": script}, [(reader.now, float("inf"))]),
        )
        page = await reader.get("/query?expr=load")
        number = words(await reader.get("/query?expr=1%2B1"))
        text = words(await reader.get("/query?expr=%22hello%22"))
        window = words(await reader.get("/query?expr=load%5B5m%5D"))
    assert script not in page
    assert "2 series" in words(page)
    assert "load host =a 1.5" in words(page)
    assert f"load host ={script} +Inf" in words(page)
    assert "scalar" in number
    assert "no labels 2" in number
    assert "hello" in text
    assert "load host =a 1.5 20" in window


async def test_a_graph_is_drawn_on_the_server(tmp_path: Path) -> None:
    """As SVG, with the numbers for the script beside it, and what all lines have in common."""
    async with console(tmp_path) as reader:
        points = [(reader.now - age * MINUTE, float(age)) for age in range(10, 0, -1)]
        await put(
            reader,
            ({"__name__": "load", "host": "a", "zone": "x"}, points),
            ({"__name__": "load", "host": "b", "zone": "x"}, points),
        )
        page = await reader.get("/query?expr=load&tab=graph&range=15m")
    assert '<svg class="chart"' in page
    data = json.loads(html.unescape(page.partition('data-plot="')[2].partition('"')[0]))
    assert [each["label"] for each in data["series"]] == ['{host="a"}', '{host="b"}']
    assert 'All of them have load{zone="x"}' in words(page)
    assert "A point each 5s." in words(page)


async def test_too_many_lines_are_cut_and_counted(tmp_path: Path) -> None:
    """The first ones are drawn, the others told."""
    async with console(tmp_path) as reader:
        series = [
            ({"__name__": "many", "n": str(n)}, [(reader.now - MINUTE, 1.0)]) for n in range(25)
        ]
        await put(reader, *series)
        graph = words(await reader.get("/query?expr=many&tab=graph&range=15m"))
        table = words(await reader.get("/query?expr=many"))
    assert "The first 20 series are drawn, 5 more are not" in graph
    assert "25 series" in table


async def test_errors_are_part_of_the_page(tmp_path: Path) -> None:
    """With the expression as it was, marked where it breaks; the status says that it failed."""
    async with console(tmp_path) as reader:
        page = await reader.get("/query?expr=sum(up)%20by%20by", 422)
        assert "<mark>by</mark>" in page
        assert "Line 1, column 12." in words(page)
        assert 'aria-invalid="true"' in page
        page = await reader.get("/query?expr=%3Cscript%3E", 422)
        assert "<script>" not in page.partition('<form action="/query"')[2]
        page = words(await reader.get("/query?expr=vector(", 422))
        assert "unclosed left parenthesis" in page
        page = words(await reader.get("/query?expr=up&tab=graph&range=30d&step=1s", 422))
        assert "more than 11000 points" in page
        page = words(await reader.get("/query?expr=up%5B5m%5D&tab=graph", 422))
        assert "invalid expression type" in page
        page = words(await reader.get("/query?expr=" + "1%2B" * 10_001 + "1", 422))
        assert "longer than 20000 characters" in page


async def test_nothing_and_hints_are_told(tmp_path: Path) -> None:
    """An empty answer says what to do; annotations stand above it."""
    async with console(tmp_path) as reader:
        nothing = words(await reader.get("/query?expr=nothing_like_it"))
        await put(reader, ({"__name__": "gauge"}, [(reader.now - SECOND, 1), (reader.now, 2)]))
        hint = words(await reader.get("/query?expr=rate(gauge%5B1m%5D)"))
        warning = words(await reader.get("/query?expr=quantile(2,gauge)"))
    assert "Nothing matches at that time." in nothing
    assert "Hint PromQL info: metric might not be a counter" in hint
    assert "Warning PromQL warning: quantile value should be between 0 and 1" in warning


async def test_links_lead_through_time(tmp_path: Path) -> None:
    """Half a range back; from the past also forward and to now, never beyond it."""
    async with console(tmp_path) as reader:
        now = await reader.get("/query?expr=up&range=1h")
        past = await reader.get("/query?expr=up&range=1h&end=2026-01-01T12%3A00%3A00Z")
    assert ">Earlier</a>" in now
    assert ">Later</a>" not in now
    assert "end=2026-01-01T11%3A30%3A00.000Z" in past
    assert "end=2026-01-01T12%3A30%3A00.000Z" in past
    assert ">Now</a>" in past


async def test_an_expression_can_be_tidied_up(tmp_path: Path) -> None:
    """The canonical form is one click away; comments are not lost by it."""
    async with console(tmp_path) as reader:
        loose = await reader.get("/query?expr=sum(up)by(job)")
        neat = await reader.get("/query?expr=sum+by+(job)+(up)")
        commented = await reader.get("/query?expr=sum(up)by(job)%20%23%20why")
    assert "expr=sum+by+%28job%29+%28up%29" in loose
    assert "Tidy up" not in neat
    assert "Tidy up" not in commented


async def test_another_engine_answers_where_the_file_names_one(tmp_path: Path) -> None:
    """Table, graph and errors come from it; the page says so."""

    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        if form["query"] == "bad":
            body = {"status": "error", "errorType": "bad_data", "error": "it is bad"}
            return web.json_response(body, status=400)
        if request.match_info["path"] == "query":
            found = success("vector", [{"metric": {"host": "far"}, "value": [1.5, "7"]}])
        else:
            values = [[float(str(form["start"])), "1"], [float(str(form["end"])), "NaN"]]
            found = success("matrix", [{"metric": {"host": "far"}, "values": values}])
        return web.Response(body=found, content_type="application/json")

    async with (
        query_api(handler) as url,
        console(tmp_path, datasource={"url": url}) as reader,
    ):
        table = words(await reader.get("/query?expr=load"))
        graph = await reader.get("/query?expr=load&tab=graph")
        bad = words(await reader.get("/query?expr=bad", 422))
    assert "Another engine answers" in table
    assert "host =far 7" in table
    assert '<svg class="chart"' in graph
    assert "it is bad" in bad


async def test_another_engine_that_is_away_is_told_without_its_address(tmp_path: Path) -> None:
    """The log has it; the page says that it does not answer."""
    async with console(tmp_path, datasource={"url": "http://127.0.0.1:1/prefix"}) as reader:
        page = words(await reader.get("/query?expr=up", 503))
    assert "The engine that answers queries does not answer" in page
    assert "127.0.0.1:1" not in page
