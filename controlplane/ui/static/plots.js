// Puts an interactive chart into the place of each drawing with a `data-plot`, where uPlot was built.
"use strict";

const plots = new Map();
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

function colour(place) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--line-${place % 8}`).trim();
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function shown(value, unit, largest) {
  if (value == null) return "–";
  if (unit === "s" && largest < 1) return `${+(value * 1000).toPrecision(4)} ms`;
  if (unit === "%") return `${+(value * 100).toPrecision(5)}%`;
  return `${Math.abs(value) >= 1e6 ? value.toExponential(3) : +value.toPrecision(5)} ${unit ?? ""}`.trim();
}

// Each series as the sum of itself and all before it.
function stacked(series) {
  let below = [];
  return series.map(({ values }) => {
    below = values.map((value, at) => (value == null && below[at] == null ? null : (value ?? 0) + (below[at] ?? 0)));
    return below;
  });
}

function make(figure) {
  const data = JSON.parse(figure.dataset.plot);
  const columns = data.stacked ? stacked(data.series) : data.series.map((each) => each.values);
  const largest = Math.max(...columns.flat().map((value) => Math.abs(value ?? 0)), Math.abs(data.threshold ?? 0));
  const lines = data.series.map((each, place) => ({
    label: each.label,
    stroke: colour(place),
    width: 1.5,
    points: { show: columns[place].filter((value) => value != null).length < 3 },
    fill: data.stacked ? colour(place) : undefined,
    value: (_plot, _value, _series, at) => (at == null ? "–" : shown(each.values[at], data.unit, largest)),
  }));
  const columnsDrawn = [data.times, ...columns];
  // The top of a stack is drawn first, so that what lies below covers it.
  const order = data.stacked ? lines.map((_, place) => lines.length - 1 - place) : lines.map((_, place) => place);
  const limit = {
    hooks: {
      draw: [(plot) => {
        if (data.threshold == null) return;
        const y = plot.valToPos(data.threshold, "y", true);
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.strokeStyle = token("--bad");
        ctx.setLineDash([6, 4]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.restore();
      }, (plot) => marks(plot, data.marks ?? [])],
    },
  };
  const axis = { stroke: token("--faint"), grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line"), width: 1 } };
  const drawing = figure.querySelector("svg.chart");
  const box = drawing.getBoundingClientRect();
  const options = {
    width: Math.floor(figure.clientWidth),
    height: Math.max(170, Math.min(320, Math.floor(box.height))),
    series: [{ value: (_plot, time) => (time == null ? "–" : exact.format(time * 1000)) }, ...order.map((place) => lines[place])],
    scales: { y: { range: (_plot, low, high) => range(low, high, data) } },
    axes: [{ ...axis, values: (_plot, ticks) => ticks.map((tick) => (ticks.at(-1) - ticks[0] > 2 * 86400 ? day : hour).format(tick * 1000)) }, { ...axis, size: 62, values: (_plot, ticks) => ticks.map((tick) => shown(tick, data.unit, largest)) }],
    cursor: { sync: { key: "plots" } },
    plugins: [limit],
  };
  const holder = document.createElement("div");
  const plot = new uPlot(options, [columnsDrawn[0], ...order.map((place) => columns[place])], holder);
  drawing.replaceWith(holder);
  figure.classList.add("live");
  plots.set(figure, { plot, source: figure.dataset.plot });
}

// Instants that are pointed at: when it fired, when it ended.
function marks(plot, instants) {
  const { ctx, bbox } = plot;
  for (const [instant, words] of instants) {
    const x = plot.valToPos(instant, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const nearEnd = x > bbox.left + bbox.width * 0.8;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = token("--text");
    ctx.setLineDash([2, 3]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.textAlign = nearEnd ? "right" : "left";
    ctx.textBaseline = "top";
    ctx.fillText(words, x + (nearEnd ? -4 : 4), bbox.top + 2);
    ctx.restore();
  }
}

function range(low, high, data) {
  let [bottom, top] = [low ?? 0, high ?? 1];
  if (data.threshold != null) [bottom, top] = [Math.min(bottom, data.threshold), Math.max(top, data.threshold)];
  if (data.stacked || (bottom > 0 && bottom < top / 2)) bottom = Math.min(0, bottom);
  const air = (top - bottom) * 0.06 || Math.abs(top) * 0.1 || 1;
  return [bottom === 0 ? 0 : bottom - air, top + air];
}

// A part that was read anew brings its drawing again; what left the page is let go.
function drawAll() {
  if (!window.uPlot) return;
  for (const [figure, { plot }] of plots) {
    if (!figure.isConnected || figure.querySelector("svg.chart")) {
      plot.destroy();
      plots.delete(figure);
    }
  }
  for (const figure of document.querySelectorAll("figure[data-plot]")) {
    if (!plots.has(figure) && figure.querySelector("svg.chart")) make(figure);
  }
}

function redraw() {
  for (const [figure, { plot }] of plots) plot.setSize({ width: Math.floor(figure.clientWidth), height: plot.height });
}

let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(redraw, 100);
});
document.addEventListener("cp:drawn", drawAll);
drawAll();
