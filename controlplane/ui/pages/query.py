"""The query page: an expression, its answer as a table or a graph, all of it in the address."""

from dataclasses import dataclass, replace
from typing import Final

from markupsafe import Markup
from starlette.responses import Response

from controlplane.api.problems import kind_of
from controlplane.clock import Duration, Timestamp
from controlplane.errors import ControlPlaneError, ParseError, Unavailable
from controlplane.model.duration import format_duration, format_time
from controlplane.promql.functions.signatures import SIGNATURES
from controlplane.promql.printer import format as format_expression
from controlplane.telemetry.logs import get_logger
from controlplane.ui.asking import at_instant, over_range
from controlplane.ui.console import Page
from controlplane.ui.drawing import line_chart
from controlplane.ui.figures import Figure
from controlplane.ui.pages.query_answer import Mark, Table, chart_of, mark, table_of
from controlplane.ui.pages.query_form import RANGES, Asked, Tab, read_asked

log = get_logger(__name__)

LONGEST_EXPRESSION: Final = 20_000
AGGREGATIONS: Final = (
    *("avg", "bottomk", "count", "count_values", "group", "max"),
    *("min", "quantile", "stddev", "stdvar", "sum", "topk"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an expression: a table, a drawing, or why there is none.

    `milliseconds` is how long it took. `shared` are labels of all lines.
    """

    status: int = 200
    error: str = ""
    mark: Mark | None = None
    table: Table | None = None
    figure: Figure | None = None
    drawing: Markup | None = None
    shared: str = ""
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    milliseconds: Duration = 0


@dataclass(frozen=True, slots=True)
class Link:
    """Where else the reader may look."""

    address: str
    text: str
    current: bool = False


async def show(page: Page) -> Response:
    """Show the form and, where the address has an expression, what it gives."""
    asked = read_asked(page.request.query_params)
    end = page.now if asked.end is None else asked.end
    answer = await _answer(page, asked, end) if asked.expr else None
    context = {
        "asked": asked,
        "answer": answer,
        "end": end,
        "step": asked.resolution,
        "wrong": dict(asked.wrong),
        "words_of": format_duration,
        "end_text": "" if asked.end is None else format_time(asked.end),
        "tabs": _tabs(page, asked),
        "ranges": _ranges(asked),
        "moves": _moves(page, asked, end),
        "tidy": _tidy(page, asked),
        "vocabulary": vocabulary(experimental=page.on.engine.options.experimental),
        "elsewhere": page.on.elsewhere() is not None,
    }
    return page.render("query.html", context, status=200 if answer is None else answer.status)


def vocabulary(*, experimental: bool) -> dict[str, list[str]]:
    """Return the words of the language that the box completes, besides names of series."""
    taken = (name for name, each in SIGNATURES.items() if experimental or not each.experimental)
    return {"functions": sorted(taken), "aggregations": list(AGGREGATIONS)}


async def _answer(page: Page, asked: Asked, end: Timestamp) -> Answer:
    """Evaluate; an error is part of the page, so that the expression can be put right."""
    begun = page.on.clock.monotonic()
    try:
        if len(asked.expr) > LONGEST_EXPRESSION:
            text = page.say("The expression is longer than %(most)s characters.")
            return Answer(422, text % {"most": LONGEST_EXPRESSION})
        if asked.tab is Tab.GRAPH:
            found = await _graph(page, asked, end)
        else:
            result = await at_instant(page, asked.expr, end)
            found = Answer(
                table=table_of(result),
                warnings=tuple(result.warnings),
                infos=tuple(result.infos),
            )
    except ParseError as error:
        return Answer(kind_of(error).status, error.detail, mark(asked.expr, error))
    except ControlPlaneError as error:
        return Answer(kind_of(error).status, _told(page, error))
    seconds = page.on.clock.monotonic() - begun
    return replace(found, milliseconds=max(1, round(seconds * 1000)))


async def _graph(page: Page, asked: Asked, end: Timestamp) -> Answer:
    result = await over_range(page, asked.expr, end - asked.span, end, asked.resolution)
    figure, shared = chart_of(result)
    return Answer(
        figure=figure,
        drawing=None if figure is None else line_chart(figure, 960, 320, title=asked.expr),
        shared=shared,
        warnings=tuple(result.warnings),
        infos=tuple(result.infos),
    )


def _told(page: Page, error: ControlPlaneError) -> str:
    if type(error) is not Unavailable:
        return str(error)
    # Its words name hosts of ours.
    log.warning("a dependency does not answer", path=page.request.url.path, reason=str(error))
    return page.say("The engine that answers queries does not answer; the log says what.")


def _tabs(page: Page, asked: Asked) -> list[Link]:
    names = ((Tab.TABLE, page.say("Table")), (Tab.GRAPH, page.say("Graph")))
    return [
        Link(replace(asked, tab=tab).address(), text, current=asked.tab is tab)
        for tab, text in names
    ]


def _ranges(asked: Asked) -> list[Link]:
    return [
        Link(
            replace(asked, tab=Tab.GRAPH, span=span, step=None).address(),
            format_duration(span),
            current=asked.tab is Tab.GRAPH and asked.span == span,
        )
        for span in RANGES
    ]


def _moves(page: Page, asked: Asked, end: Timestamp) -> list[Link]:
    """Return the ways to the time before and after; there is nothing after now."""
    half = max(1, asked.span // 2)
    links = [Link(replace(asked, end=end - half).address(), page.say("Earlier"))]
    if asked.end is not None:
        later = None if end + half >= page.now else end + half
        links.append(Link(replace(asked, end=later).address(), page.say("Later")))
        links.append(Link(replace(asked, end=None).address(), page.say("Now")))
    return links


def _tidy(page: Page, asked: Asked) -> Link | None:
    """Return the way to the same expression in its canonical form, where it is written otherwise.

    Comments would be lost with it.
    """
    if not asked.expr or "#" in asked.expr or len(asked.expr) > LONGEST_EXPRESSION:
        return None
    try:
        text = format_expression(page.on.engine.parse(asked.expr))
    except ControlPlaneError:
        return None
    if text == asked.expr:
        return None
    return Link(replace(asked, expr=text).address(), page.say("Tidy up"))
