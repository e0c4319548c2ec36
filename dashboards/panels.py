"""What dashboards are built of: a panel each for what changes, what is, what is listed.

A panel has a title, a description and a unit; its queries go to the data source
that the reader chose. Widths are of 24 columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap as heatmap_builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models import prometheus as prometheus_models

Panel: TypeAlias = Builder[dashboard.Panel]

SOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

GREEN: Final = "green"
BLUE: Final = "blue"
ORANGE: Final = "orange"
RED: Final = "red"
GREY: Final = "#8e8e8e"

# Everything is well below the first step; what is above it has the step's colour.
Steps: TypeAlias = Sequence[tuple[float, str]]

NONE_IS_WELL: Final[Steps] = ((1, RED),)


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how its series are called.

    `now` asks for the newest instant only, which is what a table shows and what
    a heavy expression can afford. `cells` are a histogram's buckets.
    """

    expr: str
    legend: str = ""
    now: bool = False
    cells: bool = False
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Where a click on a value leads."""

    title: str
    url: str
    new_tab: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the query's or label's name, what it is called, how it is shown."""

    field: str
    title: str
    unit: str = ""
    steps: Steps = ()
    links: Sequence[Link] = ()
    words: Mapping[str, tuple[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row; a folded one asks nothing until it is opened."""

    title: str
    panels: Sequence[Panel]
    folded: bool = False


def graph(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    height: int = 8,
    stacked: bool = False,
    highest: float | None = None,
    steps: Steps = (),
    colours: Mapping[str, str] | None = None,
    dashed: str = "",
    links: Sequence[Link] = (),
) -> Panel:
    """Return a graph over time.

    `steps` are drawn as lines; `colours`, and series that are `dashed`, are named by regular
    expressions over the legend.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .min(0)
        .line_width(1)
        .fill_opacity(50 if stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .targets(_targets(queries))
        .data_links(_links(links))
    )
    if stacked:
        panel = panel.stacking(
            common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        )
    if highest is not None:
        panel = panel.max(highest)
    if steps:
        drawn = common_builders.GraphThresholdsStyleConfig().mode(
            common.GraphThresholdsStyleMode.DASHED
        )
        panel = panel.thresholds(_thresholds(steps)).thresholds_style(drawn)
    for pattern, colour in (colours or {}).items():
        panel = panel.override_by_regexp(pattern, [_fixed(colour)])
    if dashed:
        style = {"fill": "dash", "dash": [10, 10]}
        panel = panel.override_by_regexp(
            dashed,
            [
                dashboard.DynamicConfigValue("custom.lineStyle", style),
                dashboard.DynamicConfigValue("custom.fillOpacity", 0),
            ],
        )
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    width: int = 4,
    height: int = 4,
    base: str = GREEN,
    steps: Steps = (),
    none: str = "none",
    words: Mapping[str, tuple[str, str]] | None = None,
    links: Sequence[Link] = (),
) -> Panel:
    """Return one large number, coloured by `steps`. `none` is shown where there is no data."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .no_value(none)
        .thresholds(_thresholds(steps, base))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE if query.now else common.BigValueGraphMode.AREA)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets(_targets([query]))
        .data_links(_links(links))
    )
    return panel.mappings(_mappings(words)) if words else panel


def listing(
    title: str,
    description: str,
    columns: Sequence[Column],
    *queries: Query,
    unit: str = "short",
    width: int = 12,
    height: int = 8,
    sort: str = "",
) -> Panel:
    """Return a table of what the queries give now, joined by labels, in the order of `columns`.

    A single query's value is the field `Value`; of several, `Value #A`, `Value #B` and so on.
    """
    order = {column.field: place for place, column in enumerate(columns)}
    titles = {column.field: column.title for column in columns}
    kept = "|".join(f"^{column.field}$" for column in columns)
    steps = []
    if len(queries) > 1:
        steps.append(dashboard.DataTransformerConfig("merge", options={}))
    steps.append(
        dashboard.DataTransformerConfig(
            "filterFieldsByName", options={"include": {"pattern": kept}}
        )
    )
    steps.append(
        dashboard.DataTransformerConfig(
            "organize", options={"indexByName": order, "renameByName": titles}
        )
    )
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .no_value("none")
        .cell_height(common.TableCellHeight.SM)
        .filterable(True)
        .targets(_targets(queries, rows=True))
        .transformations(steps)
    )
    if sort:
        descending = common_builders.TableSortByFieldState().display_name(sort).desc(True)
        panel = panel.sort_by([descending])
    for column in columns:
        shown = list(_shown(column))
        if shown:
            panel = panel.override_by_name(column.title, shown)
    return panel


def states(
    title: str,
    description: str,
    query: Query,
    words: Mapping[str, tuple[str, str]],
    *,
    width: int = 12,
    height: int = 8,
    unit: str = "short",
    links: Sequence[Link] = (),
) -> Panel:
    """Return bars of states over time; `words` are what values mean, and their colours."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .no_value("none")
        .merge_values(True)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .per_page(20)
        .fill_opacity(80)
        .line_width(0)
        .mappings(_mappings(words))
        .legend(_legend())
        .targets(_targets([query]))
        .data_links(_links(links))
    )


def heatmap(
    title: str, description: str, unit: str, query: Query, *, width: int = 12, height: int = 8
) -> Panel:
    """Return a heatmap of a histogram's buckets, by their upper edges in `unit`."""
    return (
        heatmap_builders.Panel()
        .title(title)
        .description(description)
        .unit("short")
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .no_value("none")
        .calculate(False)
        .y_axis(heatmap_builders.YAxisConfig().unit(unit))
        .cell_gap(1)
        .targets(_targets([query]))
    )


def _targets(queries: Sequence[Query], *, rows: bool = False) -> list[Builder[Dataquery]]:
    return [_target(query, chr(ord("A") + place), rows) for place, query in enumerate(queries)]


def _target(query: Query, ref: str, rows: bool) -> Builder[Dataquery]:  # noqa: FBT001 - private
    made = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(SOURCE)
    made = made.editor_mode(prometheus_models.QueryEditorMode.CODE)
    if query.legend:
        made = made.legend_format(query.legend)
    if query.exemplars:
        made = made.exemplar(True)
    if rows:
        made = made.format(prometheus_models.PromQueryFormat.TABLE)
    elif query.cells:
        made = made.format(prometheus_models.PromQueryFormat.HEATMAP)
    return made.instant() if rows or query.now else made.range()


def _legend() -> common_builders.VizLegendOptions:
    return (
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _thresholds(steps: Steps, base: str = GREEN) -> builders.ThresholdsConfig:
    levels = [dashboard.Threshold(value=None, color=base)]
    levels += [dashboard.Threshold(value=value, color=colour) for value, colour in steps]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(levels)


def _mappings(words: Mapping[str, tuple[str, str]]) -> list[dashboard.ValueMapping]:
    options = {
        value: dashboard.ValueMappingResult(text=text, color=colour, index=place)
        for place, (value, (text, colour)) in enumerate(words.items())
    }
    return [dashboard.ValueMap(options=options)]


def _fixed(colour: str) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def _links(links: Sequence[Link]) -> list[Builder[dashboard.DashboardLink]]:
    return [
        builders.DashboardLink(link.title).url(link.url).target_blank(link.new_tab)
        for link in links
    ]


def _shown(column: Column) -> Sequence[dashboard.DynamicConfigValue]:
    shown = []
    if column.unit:
        shown.append(dashboard.DynamicConfigValue("unit", column.unit))
    if column.steps or column.words:
        cell = {"type": "color-text"}
        shown.append(dashboard.DynamicConfigValue("custom.cellOptions", cell))
    if column.steps:
        shown.append(dashboard.DynamicConfigValue("thresholds", _thresholds(column.steps).build()))
        shown.append(dashboard.DynamicConfigValue("color", {"mode": "thresholds"}))
    if column.words:
        shown.append(dashboard.DynamicConfigValue("mappings", _mappings(column.words)))
    if column.links:
        value = [
            {"title": link.title, "url": link.url, "targetBlank": link.new_tab}
            for link in column.links
        ]
        shown.append(dashboard.DynamicConfigValue("links", value))
    return shown
