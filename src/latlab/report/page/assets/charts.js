// SPDX-License-Identifier: Apache-2.0
// Charts: uPlot with our axes, colours of the theme, a cursor that the keyboard moves, and a size that paper has, too.

const charts = new Map();
const PAPER_WIDTH = 690;
let onPaper = false;

function colour(name, alpha) {
  const value = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  if (alpha === undefined) return value;
  const n = parseInt(value.slice(1), 16);
  return "rgba(" + [n >> 16, (n >> 8) & 255, n & 255, alpha].join(",") + ")";
}
const font = (weight) => (weight ? weight + " " : "") + "11px system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif";
const canvasFont = (u, weight) => (weight ? weight + " " : "") + 11 * devicePixelRatio + "px system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif";

// 1, 2 and 5 of each power of ten; of a narrow range, more of them.
function logSplits(low, high) {
  for (const steps of [[1], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of steps) {
        const value = step * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    }
    if (found.length >= 4 || steps.length > 5) return found;
  }
  return [];
}
const tickUs = (value) => (value === null ? "" : us(value * 1000).replace(/\.0+$/, "").replace(/(\.\d*?)0+$/, "$1"));

// Scale of latencies in us: as the state says, but linear where something took no time or less.
function latencyScale(low, high) {
  const log = state.scale === "log" && high > 0;
  if (log && !(low > 0)) low = Math.min(1, high / 10);
  const pad = (high - low) * 0.04 || 1;
  const range = log ? [low / 1.08, high * 1.08] : [Math.min(0, low - pad), high + pad];
  return { scale: { distr: log ? 3 : 1, log: 10, range: () => range.slice() }, log, range };
}
function axes(options) {
  const soft = colour("soft"), grid = { stroke: colour("grid"), width: 1 };
  const base = { stroke: soft, font: font(), grid, ticks: { stroke: colour("grid"), width: 1, size: 4 }, labelFont: font(), labelGap: 0 };
  return [
    { ...base, size: 30, space: 60, ...options.x },
    { ...base, size: 58, space: 26, ...options.y },
  ];
}
const latencyAxis = (scaling) => ({
  ...(scaling.log ? { splits: (u, i, low, high) => logSplits(low, high), filter: (u, splits) => splits } : {}),
  values: (u, splits) => splits.map(tickUs),
});

// `into`: where it goes. `label` says to a screen reader what it shows. `tell(place)` gets the cursor's index, or null.
function chart(into, name, label, options, columns, tell) {
  if (charts.has(name)) charts.get(name).destroy();
  const holder = el("div", { class: "chart", tabindex: 0, role: "img", "aria-label": label, id: "chart-" + name });
  into.append(holder);
  const width = () => (onPaper ? PAPER_WIDTH : Math.max(280, holder.clientWidth || into.clientWidth));
  const made = new uPlot({
    width: width(), height: options.height, legend: { show: false }, padding: options.padding || [8, 8, 0, 0],
    scales: options.scales, axes: axes(options.axes), series: options.series, bands: options.bands || [],
    cursor: {
      points: { size: 6 }, drag: { x: !!options.zoom, y: false, setScale: false },
      ...(options.sync ? { sync: { key: options.sync, scales: ["x", null] } } : {}), ...options.cursor,
    },
    hooks: {
      drawClear: [(u) => options.under && clipped(u, options.under)],
      draw: [(u) => options.over && options.over(u)],
      setCursor: [(u) => tell && tell(u.cursor.idx ?? null, u)],
      setSelect: [(u) => {
        if (!options.zoom || u.select.width < 4) return;
        options.zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    },
  }, columns, holder);
  made.root.querySelectorAll("canvas").forEach((canvas) => canvas.setAttribute("aria-hidden", "true"));
  const size = () => made.setSize({ width: width(), height: options.height });
  const watch = new ResizeObserver(() => { if (made.width !== width()) size(); });
  watch.observe(into);
  holder.addEventListener("keydown", (event) => keys(event, made, options));
  charts.set(name, { plot: made, size, destroy() { watch.disconnect(); made.destroy(); holder.remove(); charts.delete(name); } });
  return made;
}
function clipped(u, draw) {
  const { ctx } = u, { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  draw(u, ctx);
  ctx.restore();
}
function keys(event, u, options) {
  const x = u.data[0], step = event.shiftKey ? Math.ceil(x.length / 20) : 1, { min, max } = u.scales.x;
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    const inside = x.map((v, i) => i).filter((i) => x[i] >= min && x[i] <= max);
    const at = u.cursor.idx ?? (event.key === "ArrowRight" ? inside[0] - 1 : inside[inside.length - 1] + 1);
    const to = Math.max(inside[0], Math.min(inside[inside.length - 1], at + (event.key === "ArrowRight" ? step : -step)));
    u.setCursor({ left: u.valToPos(x[to], "x"), top: u.over.clientHeight / 2 });
  } else if ((event.key === "+" || event.key === "-") && options.zoom) {
    const middle = u.cursor.idx === null || u.cursor.idx === undefined ? (min + max) / 2 : x[u.cursor.idx];
    const half = ((max - min) / 2) * (event.key === "+" ? 0.5 : 2);
    options.zoom(middle - half, middle + half);
  } else if (event.key === "0" && options.zoom) {
    options.zoom(null, null);
  } else {
    return;
  }
  event.preventDefault();
}
function horizontal(u, ctx, y, stroke) {
  const at = Math.round(u.valToPos(y, "y", true)) + 0.5;
  ctx.strokeStyle = stroke;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([6, 4]);
  ctx.beginPath();
  ctx.moveTo(u.bbox.left, at);
  ctx.lineTo(u.bbox.left + u.bbox.width, at);
  ctx.stroke();
  ctx.setLineDash([]);
  return at;
}
function budgetLine(u, ctx) {
  if (state.budget === null) return;
  const y = state.budget / 1000, { min, max } = u.scales.y;
  if (y < min || y > max) return;
  const at = horizontal(u, ctx, y, colour("over"));
  ctx.font = canvasFont(u);
  ctx.fillStyle = colour("over");
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  ctx.fillText("budget " + durationText(state.budget), u.bbox.left + 4 * devicePixelRatio, at - 2);
}
function dropCharts(prefix) {
  for (const name of [...charts.keys()]) if (name.startsWith(prefix)) charts.get(name).destroy();
}

// On paper everything is light and of the paper's width, whatever the screen was.
function paper(on) {
  if (on === onPaper) return;
  onPaper = on;
  again();
}
addEventListener("beforeprint", () => paper(true));
addEventListener("afterprint", () => paper(false));
