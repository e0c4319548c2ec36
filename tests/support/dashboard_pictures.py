"""`python -m tests.support.dashboard_pictures DIRECTORY`: pictures of the dashboards' queries.

No Grafana takes part: the demo runs, our engine answers what the open panels of
a dashboard ask, and our plotter draws the answers. That is written on each.
"""

import asyncio
import io
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from controlplane.demo.stories import SILENT
from controlplane.plot.axis import number_words
from controlplane.plot.chart import Chart, Line, draw
from dashboards.catalogue import every_sheet
from dashboards.frame import Sheet
from dashboards.uids import TARGET
from tests.support.dashboards import decoded, filled
from tests.support.demo import demo

LABEL: Final = (
    "drawn by controlplane's own plotter, of a run of its demo: Grafana draws it its own way"
)
_SPAN: Final = 300  # seconds that are drawn
_STEP: Final = 2
# Seconds after the stories: enough for rates and rules over minutes.
_LONGER: Final = 270
_MOST_CHARTS: Final = 6
_MOST_LINES: Final = 8
_WIDTH, _TILE, _GAP = 1224, (600, 230), 8
_HEAD, _STATS = 44, 56
_PAPER, _INK, _PALE, _BORDER = (255, 255, 255), (28, 36, 48), (91, 102, 117), (230, 233, 237)
_COLOURS: Final = 200
# What is chosen on a dashboard that shows one thing; on the others all is.
_CHOSEN: Final = {TARGET: {"$job": SILENT}}
_UNITS: Final = {
    "": "",
    "short": "",
    "none": "",
    "percentunit": "share",
    "s": "seconds",
    "ops": "a second",
    "reqps": "requests a second",
}


@dataclass(frozen=True, slots=True)
class Stat:
    """A number with its title, as it is written."""

    title: str
    text: str


def composed(sheet_title: str, stats: Sequence[Stat], charts: Sequence[Chart]) -> bytes:
    """Return one PNG: the title, the numbers in a row, the charts two by two, and `LABEL`."""
    rows = math.ceil(len(charts) / 2)
    height = _HEAD + (_STATS if stats else 0) + rows * (_TILE[1] + _GAP) + 24
    image = Image.new("RGB", (_WIDTH, height), _PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((_GAP, 12), sheet_title, _INK, ImageFont.load_default(20))
    if stats:
        width = (_WIDTH - _GAP) / len(stats)
        for place, stat in enumerate(stats):
            x = _GAP + place * width
            pen.rectangle((x, _HEAD, x + width - _GAP, _HEAD + _STATS - _GAP), outline=_BORDER)
            pen.text((x + 8, _HEAD + 5), stat.title, _PALE, ImageFont.load_default(12))
            pen.text((x + 8, _HEAD + 21), stat.text, _INK, ImageFont.load_default(18))
    top = _HEAD + (_STATS if stats else 0)
    for place, chart in enumerate(charts):
        tile = Image.open(io.BytesIO(draw(chart))).convert("RGB")
        row, column = divmod(place, 2)
        at = (_GAP + column * (_TILE[0] + _GAP), top + row * (_TILE[1] + _GAP))
        image.paste(tile.resize(_TILE, Image.Resampling.LANCZOS), at)
        pen.rectangle((*at, at[0] + _TILE[0] - 1, at[1] + _TILE[1] - 1), outline=_BORDER)
    pen.text((_GAP, height - 20), LABEL, _PALE, ImageFont.load_default(12))
    out = io.BytesIO()
    few = image.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def written(value: float, unit: str) -> str:
    """Return a number with its unit, of those that the dashboards use."""
    if unit == "percentunit":
        return f"{value * 100:.4g} %"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if abs(value) < 1 else f"{value:.4g} s"
    if unit in ("bytes", "decbytes"):
        return f"{value / 1e6:.4g} MB"
    suffix = {"reqps": " req/s", "ops": " /s", "cps": " /s"}.get(unit, "")
    return f"{number_words(value)}{suffix}"


def chart_of(title: str, unit: str, answers: Sequence[tuple[str, Any]], end: float) -> Chart | None:
    """Return the chart of a panel up to `end`, None when there is nothing to be seen.

    `answers` are those to range queries, each with the pattern of its legend.
    """
    found = [(legend, each) for legend, series in answers for each in series]
    times = np.arange(end - _SPAN, end + _STEP, _STEP)
    lines = []
    for legend, each in found[:_MOST_LINES]:
        held = {sample[0]: float(sample[1]) for sample in each["values"]}
        values = np.array([held.get(instant, math.nan) for instant in times])
        lines.append(
            Line(named(legend, each["metric"]), np.where(np.isfinite(values), values, np.nan))
        )
    if not any(np.isfinite(line.values).any() for line in lines):
        return None
    words = _UNITS.get(unit, unit)
    shown = f"{title} ({words})" if words else title
    unseen = max(0, len(found) - _MOST_LINES)
    return Chart(shown, (times * 1000).astype(np.int64), lines, unseen=unseen)


def named(legend: str, metric: Mapping[str, str]) -> str:
    """Return the name of a series, as the pattern of the legend says."""
    for name, value in metric.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    return legend


def _open(sheet: Sheet) -> Iterator[dict[str, Any]]:
    """Iterate over the panels that are seen when a dashboard is opened."""
    yield from (panel for panel in decoded(sheet)["panels"] if panel["type"] != "row")


def _choosing(sheet: Sheet, expr: str) -> str:
    """Return an expression as Grafana sends it when the dashboard is opened."""
    for variable, value in _CHOSEN.get(sheet.uid, {}).items():
        expr = expr.replace(variable, value)
    return filled(expr)


async def _picture(client: httpx.AsyncClient, sheet: Sheet, end: float) -> bytes:
    stats, charts = list[Stat](), list[Chart]()
    for panel in _open(sheet):
        unit = panel["fieldConfig"]["defaults"].get("unit", "")
        if panel["type"] == "stat":
            number = await _number(client, _choosing(sheet, panel["targets"][0]["expr"]), end)
            if number is not None:
                stats.append(Stat(panel["title"], written(number, unit)))
        elif panel["type"] == "timeseries" and len(charts) < _MOST_CHARTS:
            answers = [
                (
                    target["legendFormat"],
                    await _series(client, _choosing(sheet, target["expr"]), end),
                )
                for target in panel["targets"]
            ]
            chart = chart_of(panel["title"], unit, answers, end)
            charts += [] if chart is None else [chart]
    return composed(sheet.title, stats, charts)


async def _series(client: httpx.AsyncClient, expr: str, end: float) -> Any:
    when = {"start": str(end - _SPAN), "end": str(end), "step": str(_STEP)}
    return await _asked(client, "query_range", {"query": expr, **when})


async def _number(client: httpx.AsyncClient, expr: str, end: float) -> float | None:
    series = await _asked(client, "query", {"query": expr, "time": str(end)})
    return float(series[0]["value"][1]) if series else None


async def _asked(client: httpx.AsyncClient, path: str, wanted: Mapping[str, str]) -> Any:
    answer = await client.post(f"/prometheus/api/v1/{path}", data=dict(wanted))
    return answer.raise_for_status().json()["data"]["result"]


async def main(directory: Path) -> None:
    """Run the demo, and write a picture for each dashboard."""
    with tempfile.TemporaryDirectory() as data:
        async with demo(Path(data)) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            await asyncio.sleep(_LONGER)  # noqa: TID251 - another process has its own clock
            end = float(int(time.time()))  # noqa: TID251 - as above
            for sheet in every_sheet():
                png = await _picture(client, sheet, end)
                name = sheet.uid.removeprefix("controlplane-")
                (directory / f"{name}.png").write_bytes(png)


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(sys.argv[1])))
