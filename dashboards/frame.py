"""What all dashboards have in common: variables that chain, alerts as marks, links, stable ids."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from dashboards.panels import RED, SOURCE, Link, Panel, Row

# By these Grafana and `controlplane grafana sync` know our dashboards.
TAG: Final = "controlplane"
PREFIX: Final = "controlplane-"

# Targets of every dashboard that has both: what a graph of one service asks for.
SELECTED: Final = 'job=~"$job", instance=~"$instance"'

_LARGEST_ID: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top: `query` gives its values, of what was chosen before it."""

    name: str
    query: str
    label: str = ""
    many: bool = True
    hidden: bool = False
    first: Literal["all", "one"] = "all"


@dataclass(frozen=True, slots=True)
class Mark:
    """Moments that every graph shows as a line: those at which an expression has a value."""

    name: str
    expr: str
    title: str
    colour: str
    text: str = ""
    tags: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A dashboard: where it is, what it asks, what it shows.

    `marks` selects the alerts that every graph shows as marks, `also` has
    further moments; `top` stands above the first row.
    """

    uid: str
    title: str
    description: str
    folder: str
    variables: Sequence[Variable]
    top: Sequence[Panel]
    rows: Sequence[Row] = ()
    marks: str = ""
    also: Sequence[Mark] = ()
    span: str = "now-6h"
    refresh: str = "30s"
    tags: Sequence[str] = ()

    def build(self) -> dashboard.Dashboard:
        """Return the dashboard as Grafana knows it."""
        made = (
            builders.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG, *self.tags])
            .readonly()
            .refresh(self.refresh)
            .time(self.span, "now")
            .timezone("browser")
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .variables([_source(), *map(_variable, (CONSOLE, *self.variables))])
            .annotations([_mark(mark) for mark in (_alerts(self.marks), *self.also)])
            .links([_others(), _console()])
        )
        for panel in self.top:
            made = made.with_panel(panel)
        for row in self.rows:
            _add(made, row)
        return _numbered(made.build())

    def model(self) -> dict[str, Any]:
        """Return the dashboard's JSON, decoded: what an API takes."""
        made: dict[str, Any] = json.loads(self.text())
        return made

    def text(self) -> str:
        """Return the dashboard as JSON: the same text every time."""
        return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(self.build()) + "\n"


CONSOLE: Final = Variable(
    "console", "label_values(controlplane_console_info, url)", many=False, hidden=True
)


def job_and_instance(
    metric: str, matchers: str = "", first: Literal["all", "one"] = "all"
) -> tuple[Variable, Variable]:
    """Return the two choices that every dashboard has: jobs that have a metric, their instances.

    `first` is what is chosen when the dashboard is opened by itself.
    """
    chosen = f"{matchers}, " if matchers else ""
    own = f"{{{matchers}}}" if matchers else ""
    return (
        Variable("job", f"label_values({metric}{own}, job)", first=first),
        Variable(
            "instance", f'label_values({metric}{{{chosen}job=~"$job"}}, instance)', first=first
        ),
    )


def to_dashboard(title: str, uid: str, **choices: str) -> Link:
    """Return a link to another dashboard, with these choices made and the time kept.

    A choice names a field of the row or a label of the series.
    """
    chosen = "".join(f"&var-{name}={_escaped(field)}" for name, field in choices.items())
    return Link(title, f"/d/{uid}?${{__url_time_range}}&var-datasource=${{datasource}}{chosen}")


def to_alerts(title: str = "The alerts and their stories", **labels: str) -> Link:
    """Return a link to the console's alerts that have these labels; each leads to its story."""
    pairs = ",".join(f"{name}%3D%22{_escaped(field)}%22" for name, field in labels.items())
    return Link(title, f"${{console}}/alerts?match=%7B{pairs}%7D", new_tab=True)


def _add(made: builders.Dashboard, row: Row) -> None:
    """Add a row. Grafana keeps the panels of a folded one in it, those of an open one after it."""
    shown = builders.Row(row.title).collapsed(row.folded)
    if row.folded:
        for panel in row.panels:
            shown = shown.with_panel(panel)
    made.with_row(shown)
    if not row.folded:
        for panel in row.panels:
            made.with_panel(panel)


def _escaped(field: str) -> str:
    return f"${{__{field}:percentencode}}"


def cell(label: str) -> str:
    """Return the name under which a table's link finds a column by its title."""
    return f"data.fields.{label}"


def of_series(label: str) -> str:
    """Return the name under which a graph's link finds a label of the series."""
    return f"field.labels.{label}"


def _source() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _variable(variable: Variable) -> builders.QueryVariable:
    made = (
        builders.QueryVariable(variable.name)
        .label(variable.label or variable.name)
        .query(variable.query)
        .datasource(SOURCE)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )
    if variable.hidden:
        made = made.hide(dashboard.VariableHide.HIDE_VARIABLE)
    if variable.many:
        made = made.multi(True).include_all(True).all_value(".+")
        if variable.first == "all":
            made = made.current(dashboard.VariableOption(text="All", value="$__all"))
    return made


def _alerts(selected: str) -> Mark:
    alerts = 'alertstate="firing", severity!="none"' + (f", {selected}" if selected else "")
    return Mark(
        "Alerts",
        f"count by (alertname, severity, job) (ALERTS{{{alerts}}})",
        "{{alertname}} ({{severity}})",
        RED,
        text="{{job}}",
        tags="severity",
    )


def _mark(mark: Mark) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(mark.name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(mark.colour)
        .placement("")
        .expr(mark.expr)
        .title_format(mark.title)
        .text_format(mark.text)
        .tag_keys(mark.tags)
        .step("30s")
    )


def _others() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Dashboards")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
        .placement("")
        .icon("external link")
    )


def _console() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Console")
        .type(dashboard.DashboardLinkType.LINK)
        .url("${console}/alerts")
        .target_blank(True)
        .placement("")
        .icon("external link")
    )


def _numbered(made: dashboard.Dashboard) -> dashboard.Dashboard:
    """Give each panel an id that depends on its title alone, so that links to it last."""
    for panel in _every_panel(made):
        text = f"{type(panel).__name__}/{panel.title}"
        panel.id_val = zlib.crc32(text.encode()) % _LARGEST_ID + 1
    return made


def _every_panel(made: dashboard.Dashboard) -> Iterator[dashboard.Panel | dashboard.RowPanel]:
    for panel in made.panels or []:
        yield panel
        if isinstance(panel, dashboard.RowPanel):
            yield from panel.panels
