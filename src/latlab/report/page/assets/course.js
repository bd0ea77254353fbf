// SPDX-License-Identifier: Apache-2.0
// The percentile curve, and what happened over time: envelope, clocks, load and histogram on one cursor.

const NINES = [[0, "min"], [Math.log10(2), "50 %"], [1, "90 %"], [2, "99 %"], [3, "99.9 %"], [4, "99.99 %"], [5, "99.999 %"], [6, "99.9999 %"], [7, "99.99999 %"], [8, "99.999999 %"]];
const shareText = (x) => {
  const known = NINES.find(([at]) => Math.abs(at - x) < 1e-9);
  const share = 100 * (1 - 10 ** -x);
  return known ? known[1] : share.toFixed(Math.max(1, Math.min(9, Math.ceil(x)))) + " %";
};
const ninesAxis = { splits: (u) => NINES.map(([at]) => at).filter((at) => at <= u.scales.x.max + 1e-9), values: (u, splits) => splits.map((at) => (NINES.find(([v]) => v === at) || [0, ""])[1]), filter: (u, splits) => splits };
const shown = (v) => (v === null || v === undefined || (state.scale === "log" && v <= 0) ? null : v / 1000);
const nineColumns = (x, values) => [x, values.map(shown)];
const positive = (values) => values.filter((v) => v !== null && v > 0);
const none = { show: false, points: { show: false } };
const hiddenLine = { points: { show: false }, stroke: "transparent", width: 0, spanGaps: true };

// Curve of one run, with its largest value at the end.
function tailCurve(place) {
  const run = runs[place], found = run.read.curve(state.way), whole = summary(run, state.way);
  if (!found || !whole) return null;
  const end = Math.log10(whole.n), x = found.x.slice(), pad = (values, last) => [...values, last];
  return { x: [...x, Math.max(end, x[x.length - 1] + 1e-6)], value: pad(found.value, whole.max), low: pad(found.low, null), high: pad(found.high, null), n: whole.n, bound: whole.bound };
}

panel("curve", ["a", "b", "way", "budget", "theme", "scale"], (into) => {
  into.replaceChildren();
  const own = tailCurve(state.a), other = state.b === null ? null : tailCurve(state.b);
  if (!own && !other) return void put(into, el("p", {}, "Nothing to draw of ", runs[state.a] ? runs[state.a].label : "no run", ": ", runs[state.a] ? whyNot(runs[state.a], state.way) || (runs[state.a].reasons || []).join("; ") || "no samples" : "there are no runs", "."));
  const lines = [];
  const group = groupOf.get(state.a), like = runs.map((_, place) => place).filter((place) => place !== state.a && place !== state.b && groupOf.get(place) === group && runs[place].load === runs[state.a].load && runs[place].direction === runs[state.a].direction && believed(runs[place]));
  for (const place of like.slice(0, 24)) {
    const found = tailCurve(place);
    if (found) lines.push({ place, found, stroke: colour("other"), width: 1 });
  }
  const tables = lines.map((line) => nineColumns(line.found.x, line.found.value));
  const series = [{}, ...lines.map((line) => ({ stroke: line.stroke, width: line.width, points: { show: false }, spanGaps: true }))], bands = [];
  for (const [found, name, place] of [[own, "a", state.a], [other, "b", state.b]]) {
    if (!found) continue;
    const at = series.length;
    const shift = (values, by) => values.map((v) => (v === null ? null : v + by));
    const edge = (values) => values.map((v) => (v === null || state.scale !== "log" ? v : Math.max(v, 1)));
    for (const values of [shift(found.high, found.bound), found.high, found.low, shift(found.low, -found.bound)]) {
      tables.push(nineColumns(found.x, edge(values)));
      series.push(hiddenLine);
    }
    tables.push(nineColumns(found.x, found.value));
    series.push({ stroke: colour(name), width: 2, points: { show: false }, spanGaps: true });
    bands.push({ series: [at, at + 3], fill: colour(name, 0.1) }, { series: [at + 1, at + 2], fill: colour(name, 0.22) });
    lines.push({ place, found, stroke: colour(name), width: 2 });
  }
  const lowest = (values) => (state.scale === "log" ? Math.min(...positive(values)) : Math.min(...values));
  // A clock's step in a grey run must not flatten the others.
  const low = Math.min(...lines.map((line) => (line.width > 1 ? lowest(line.found.value) : line.found.value[Math.floor(line.found.x.findIndex((v) => v >= 0.3))])).filter((v) => Number.isFinite(v) && (state.scale !== "log" || v > 0)));
  const high = Math.max(...lines.flatMap((line) => line.found.value));
  const scaling = latencyScale(low / 1000, high / 1000), end = Math.max(...lines.map((line) => line.found.x[line.found.x.length - 1]));
  const readout = el("p", { class: "readout" });
  put(into, el("p", { class: "note" }, "Share of the packets that took no longer, on an axis of its tail; ", unitWords(state.a), ". Inner band: 95 % interval within the run; outer band: the clocks' error, too",
    clockError(own), ". Grey: the other runs beside ", loadWords(runs[state.a].load), ".", negatives([own, other])), readout);
  const tell = (at, u) => {
    if (at === null) return void readout.replaceChildren(...captions(lines));
    const x = u.data[0][at];
    readout.replaceChildren(document.createTextNode("at " + shareText(x) + ": "), ...lines.filter((line) => line.width > 1).flatMap((line) => [el("b", { class: line.place === state.b ? "b" : "a" }, us(valueAt(line.found, x))), document.createTextNode(" " + runs[line.place].label + intervalAt(line.found, x) + "   ")]));
  };
  chart(into, "curve", "Percentile curve of " + lines.filter((line) => line.width > 1).map((line) => runs[line.place].label + ": " + line.found.n + " packets, median " + us(summary(runs[line.place], state.way).quantiles[0]) + ", maximum " + us(summary(runs[line.place], state.way).max) + " " + unit(line.place)).join("; "), {
    height: 330, padding: [8, 150, 0, 0], series, bands, scales: { x: { time: false, range: () => [0, end] }, y: scaling.scale },
    axes: { x: ninesAxis, y: latencyAxis(scaling) },
    over: (u) => { clipped(u, budgetLine); supportLine(u, own || other); endLabels(u, lines); },
  }, uPlot.join(tables), tell);
  tell(null);
});
function clockError(own) {
  if (!own) return "";
  if (own.bound) return " (\u00b1 " + us(own.bound) + ")";
  const one = state.way === "round_trip" || (runs[state.a].timing && runs[state.a].timing.method === "shared");
  return one ? " (none: one clock)" : " (not known: the clocks were not compared)";
}
// What a logarithmic axis cannot show.
function negatives(curves) {
  return state.scale === "log" && curves.some((found) => found && found.value[0] <= 0) ? " Latencies of 0 and less, which a wrong clock makes, are not on this axis: see the linear one." : "";
}
function captions(lines) {
  return [document.createTextNode(lines.filter((line) => line.width > 1).map((line) => (line.place === state.b ? "B: " : "A: ") + runs[line.place].label + ", " + many(line.found.n) + " packets, maximum " + us(line.found.value[line.found.value.length - 1])).join("   "))];
}
function place(found, x) {
  let at = found.x.findIndex((v) => v >= x - 1e-9);
  return at < 0 ? found.x.length - 1 : at;
}
const valueAt = (found, x) => found.value[place(found, x)];
function intervalAt(found, x) {
  const at = place(found, x), low = found.low[at], high = found.high[at];
  return low === null || high === null ? "" : " (" + us(low) + " to " + us(high) + ")";
}
function supportLine(u, found) {
  const at = Math.log10(found.n / 10);
  if (at <= 0 || at >= u.scales.x.max) return;
  const { ctx } = u, x = u.valToPos(at, "x", true);
  ctx.save();
  ctx.strokeStyle = colour("other");
  ctx.setLineDash([2, 3]);
  ctx.beginPath();
  ctx.moveTo(x, u.bbox.top);
  ctx.lineTo(x, u.bbox.top + u.bbox.height);
  ctx.stroke();
  ctx.fillStyle = colour("soft");
  ctx.font = canvasFont(u);
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.fillText("fewer than 10 packets beyond \u2192", x - 4, u.bbox.top + u.bbox.height - 4);
  ctx.restore();
}
function endLabels(u, lines) {
  const { ctx } = u, ratio = devicePixelRatio, step = 12 * ratio;
  const at = lines.map((line) => ({ line, y: u.valToPos(line.found.value[line.found.value.length - 1] / 1000, "y", true) })).sort((p, q) => p.y - q.y);
  let last = u.bbox.top - step;
  for (const entry of at) last = entry.y = Math.max(entry.y, last + step);
  const floor = u.bbox.top + u.bbox.height;
  for (let i = at.length - 1, limit = floor; i >= 0; i--) limit = (at[i].y = Math.min(at[i].y, limit)) - step;
  ctx.save();
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  for (const { line, y } of at) {
    const own = line.width > 1;
    ctx.font = canvasFont(u, own ? "600" : "");
    ctx.fillStyle = own ? line.stroke : colour("soft");
    ctx.fillText((line.place === state.a ? "A " : line.place === state.b ? "B " : "") + cut(runs[line.place].attachment, 22), u.bbox.left + u.bbox.width + 6 * ratio, y);
  }
  ctx.restore();
}

const zoom = (from, to) => {
  const whole = runs[state.a].drawing.seconds;
  if (from === null || to - from >= whole) return change({ from: null, to: null });
  const low = Math.max(0, from), high = Math.min(whole, to);
  if (high > low) change({ from: low, to: high });
};
const spanOf = (drawing) => (state.from === null ? [0, drawing.seconds] : [state.from, state.to]);
const timeAxis = { values: (u, splits) => splits.map((v) => (v === null ? "" : Number(v.toFixed(4)) + " s")) };
const quietAxis = { values: (u, splits) => splits.map(() => ""), size: 4 };
const VERDICTS = [["network", "N"], ["clock", "C"], ["sender", "S"], ["unknown", "?"]];

panel("course", ["a", "b", "way", "budget", "theme", "scale", "from", "to"], async (into) => {
  const run = runs[state.a], asked = JSON.stringify(state);
  if (!run || !run.drawing) {
    dropCharts("t-");
    return void into.replaceChildren(el("p", {}, "Nothing to draw", run ? " of " + run.label + ": " + (run.reasons || ["no samples"]).join("; ") : "", "."));
  }
  const [course, more, other] = await Promise.all([run.read.course(), run.read.more(), state.b === null ? null : runs[state.b].read.course()]);
  if (asked !== JSON.stringify(state)) return;
  const sameFocus = document.activeElement && document.activeElement.id ? document.activeElement.id : null;
  into.replaceChildren();
  const d = run.drawing, x = Array.from({ length: d.bins }, (_, i) => (i + 0.5) * d.binSeconds), span = spanOf(d);
  const readout = el("span", { class: "readout" });
  const reset = state.from === null ? null : button("Whole run", { class: "no-print" }, () => zoom(null, null));
  put(into, el("p", { class: "note" }, "The smallest and the largest of each ", seconds(d.binSeconds), " (", many(Math.max(1, Math.round(run.counts.sent / d.bins))), run.counts.sent / d.bins > 1.5 ? " packets" : " packet", "); nothing is averaged. Above: anomalies, ",
    VERDICTS.map(([word, letter], i) => [i ? ", " : "", el("span", { class: "verdict " + word }, letter), " " + word]), ". Red below: losses. Drag to zoom. ", reset));
  const scales = (y) => ({ x: { time: false, range: () => span.slice() }, y });
  const tell = (at) => {
    if (at === null || at === undefined) return void readout.replaceChildren();
    readout.replaceChildren(...tellAt(run, course, at, x[at]));
  };
  drawEnvelope(into, run, course, more, other, x, scales, tell, readout);
  drawClock(into, run, course, x, scales, tell);
  drawLoad(into, run, x, scales, tell);
  drawHeat(run, course, x, span, tell);
  if (sameFocus && sameFocus.startsWith("chart-t-")) (document.getElementById(sameFocus) || into).focus();
});

function tellAt(run, course, at, when) {
  const low = course[state.way + " low"], high = course[state.way + " high"];
  const words = ["at " + seconds(when) + ": "];
  if (high && high[at] !== null) words.push(el("b", {}, us(low[at]) + (Math.abs(high[at] - low[at]) > 1 ? " to " + us(high[at]) : "")), " " + unit(state.a));
  if (course.lost && course.lost[at]) words.push(" \u00b7 " + many(course.lost[at]) + " lost");
  if (course.suspect && course.suspect[at]) words.push(" \u00b7 " + many(course.suspect[at]) + " with a suspect clock");
  if (course["offset low"] && course["offset low"][at] !== null) words.push(" \u00b7 clock " + signed((course["offset low"][at] + course["offset high"][at]) / 2) + " \u00b1 " + us(course.error[at]));
  return words.map((word) => (word instanceof Node ? word : document.createTextNode(word)));
}
const inUs = (values) => values.map((v) => (v === null ? null : v / 1000));
const latencies = (values) => values.map(shown);

function drawEnvelope(into, run, course, more, other, x, scales, tell, readout) {
  const low = course[state.way + " low"], high = course[state.way + " high"];
  put(into, el("p", { class: "chart-title" }, data.ways.find((w) => w.key === state.way).words, ", ", unitWords(state.a), readout));
  if (!low) {
    dropCharts("t-envelope");
    return void put(into, el("p", {}, "Not drawn: ", whyNot(run, state.way) || (run.reasons || []).join("; ") || "no samples", "."));
  }
  const columns = [x, latencies(high), latencies(low)], series = [{}, { stroke: colour("a"), width: 1, points: { show: false } }, { stroke: colour("a"), width: 1, points: { show: false } }];
  const bands = [{ series: [1, 2], fill: colour("a", 0.3) }];
  const theirs = other && runs[state.b].drawing && other[state.way + " high"];
  if (theirs) {
    const step = runs[state.b].drawing.binSeconds;
    const at = x.map((when) => Math.floor(when / step));
    for (const name of [" high", " low"]) {
      columns.push(at.map((i) => shown(other[state.way + name][i])));
      series.push({ stroke: colour("b"), width: 1, points: { show: false } });
    }
    bands.push({ series: [3, 4], fill: colour("b", 0.22) });
  }
  const span = spanOf(run.drawing), inside = x.map((when) => when >= span[0] && when <= span[1]);
  const all = columns.slice(1).flatMap((values) => values.filter((v, i) => v !== null && inside[i]));
  const scaling = latencyScale(all.length ? Math.min(...all) : 1, all.length ? Math.max(...all) : 2);
  chart(into, "t-envelope", "Latency over time of " + run.label + ": " + many(run.counts.sent) + " packets in " + seconds(run.drawing.seconds) + ", " + many(run.counts.lost) + " lost, " + (more.anomalies || []).length + " anomalies listed below", {
    height: 250, padding: [22, 22, 0, 0], series, bands, scales: scales(scaling.scale), axes: { x: timeAxis, y: latencyAxis(scaling) }, sync: "time", zoom,
    under: (u, ctx) => suspects(u, ctx, course, x),
    over: (u) => { clipped(u, budgetLine); anomalies(u, more.anomalies || []); losses(u, course, x); },
  }, columns, tell);
}
function suspects(u, ctx, course, x) {
  if (!course.suspect) return;
  ctx.fillStyle = colour("clock", 0.14);
  const width = Math.max(1, u.bbox.width * (x.length > 1 ? (x[1] - x[0]) / (u.scales.x.max - u.scales.x.min) : 1));
  course.suspect.forEach((n, i) => { if (n) ctx.fillRect(u.valToPos(x[i], "x", true) - width / 2, u.bbox.top, width + 0.5, u.bbox.height); });
}
function anomalies(u, list) {
  const { ctx } = u, ratio = devicePixelRatio, { min, max } = u.scales.x, top = u.bbox.top - 14 * ratio;
  ctx.save();
  ctx.font = canvasFont(u, "600");
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const last = {};
  for (const [verdict, , , start, end] of list) {
    if (end < min || start > max) continue;
    const from = Math.max(u.bbox.left, u.valToPos(start, "x", true)), to = Math.min(u.bbox.left + u.bbox.width, Math.max(from + 2 * ratio, u.valToPos(end, "x", true)));
    ctx.fillStyle = colour(verdict, 0.3);
    ctx.fillRect(from, top + 12 * ratio, to - from, 3 * ratio);
    ctx.fillStyle = colour(verdict);
    const letter = (VERDICTS.find(([word]) => word === verdict) || ["", "?"])[1], middle = (from + to) / 2;
    if (last.x === undefined || middle - last.x > 9 * ratio) {
      ctx.fillText(letter, middle, top + 5 * ratio);
      last.x = middle;
    }
  }
  ctx.restore();
}
function losses(u, course, x) {
  if (!course.lost) return;
  const { ctx } = u, ratio = devicePixelRatio, floor = u.bbox.top + u.bbox.height;
  ctx.fillStyle = colour("over");
  course.lost.forEach((n, i) => {
    if (!n || x[i] < u.scales.x.min || x[i] > u.scales.x.max) return;
    const high = (4 + 4 * Math.min(4, Math.log2(1 + n))) * ratio;
    ctx.fillRect(u.valToPos(x[i], "x", true) - ratio / 2, floor - high, Math.max(1, ratio), high);
  });
}

function drawClock(into, run, course, x, scales, tell) {
  const low = course["offset low"], words = (run.timing && run.timing.words) || [];
  if (!low) {
    dropCharts("t-clock");
    const told = run.timing && run.timing.method === "shared" ? "Clock: both ends read one clock, which cannot be off against itself." : words.length ? words[0][0].toUpperCase() + words[0].slice(1) + "." : "Clocks not compared: nothing to draw of them.";
    return void put(into, el("p", { class: "chart-title" }, told));
  }
  put(into, el("p", { class: "chart-title" }, "Reflector's clock \u2212 sender's, less its mean rate, with its error band, us: " + words.join("; ") + "."));
  const err = course.error, up = low.map((v, i) => (v === null ? null : (course["offset high"][i] + (err[i] || 0)) / 1000)), down = low.map((v, i) => (v === null ? null : (v - (err[i] || 0)) / 1000));
  const columns = [x, up, down, inUs(course["offset high"]), inUs(low)], line = { stroke: colour("clock"), width: 1.2, points: { show: false } };
  const span = spanOf(run.drawing), seen = [...up, ...down].filter((v, i) => v !== null && x[i % x.length] >= span[0] && x[i % x.length] <= span[1]);
  const [bottom, top] = seen.length ? [Math.min(...seen), Math.max(...seen)] : [-1, 1], pad = (top - bottom) * 0.08 || 1;
  chart(into, "t-clock", "Offset of the clocks over time, within " + us(bottom * 1000) + " and " + us(top * 1000) + " us of its mean rate", {
    height: 104, padding: [8, 22, 4, 0], sync: "time", zoom, scales: scales({ range: () => [bottom - pad, top + pad] }), axes: { x: quietAxis, y: { values: (u, splits) => splits.map((v) => (v === null ? "" : signed(v * 1000).replace(/\.0+$/, ""))) } },
    series: [{}, hiddenTime, hiddenTime, line, line], bands: [{ series: [1, 2], fill: colour("clock", 0.16) }, { series: [3, 4], fill: colour("clock", 0.4) }],
  }, columns, tell);
}
const hiddenTime = { points: { show: false }, stroke: "transparent", width: 0 };

function drawLoad(into, run, x, scales, tell) {
  const load = run.loadAchieved;
  if (run.load === "none" || !load || load.bps === undefined) {
    dropCharts("t-load");
    return void put(into, el("p", { class: "chart-title" }, run.load === "none" ? "Load: none." : "Load: " + run.load + "; what it achieved was not recorded."));
  }
  put(into, el("p", { class: "chart-title" }, "Load, Mbit/s: " + run.load + ", " + bits(load.bps) + " on average; a run records its sum alone, not its course.", load.shortfall ? el("b", { class: "over-word" }, " " + load.shortfall) : null));
  const mbit = load.bps / 1e6;
  chart(into, "t-load", "Load: " + bits(load.bps) + " on average", {
    height: 58, padding: [6, 22, 4, 0], sync: "time", zoom, scales: scales({ range: () => [0, mbit * 1.25] }), axes: { x: quietAxis, y: { space: 18 } },
    series: [{}, { stroke: colour("sender"), width: 1.5, fill: colour("sender", 0.15), points: { show: false } }],
  }, [x, x.map(() => mbit)], tell);
}

function drawHeat(run, course, x, span, tell) {
  const into = document.querySelector("#heat > div"), cells = course[state.way + " heat"], d = run.drawing;
  into.replaceChildren();
  if (!cells) {
    dropCharts("t-heat");
    return void put(into, el("p", {}, "Not drawn: ", whyNot(run, state.way) || "no samples", "."));
  }
  const { row, rows } = d.ways[state.way], edge = (r) => 2 ** ((row + r) / d.rowsPerOctave) / 1000, most = cells.reduce((m, v) => Math.max(m, v), 1);
  const perColumn = d.binSeconds * d.perColumn;
  put(into, el("p", { class: "note" }, data.ways.find((w) => w.key === state.way).words, ", ", unitWords(state.a), ": packets by ", seconds(perColumn), " and by latency; the darker the more, up to about ", many(Math.round(2 ** ((most - 1) / 4))), " (logarithmic: one packet can be seen).", d.ways[state.way].below ? " " + many(d.ways[state.way].below) + " of 0 and less are not drawn: a clock was wrong." : ""));
  chart(into, "t-heat", "Histogram over time of " + run.label, {
    height: 230, padding: [6, 22, 0, 0], sync: "time", zoom, series: [{}, none], axes: { x: timeAxis, y: { splits: (u, i, low, high) => logSplits(low, high), filter: (u, s) => s, values: (u, s) => s.map(tickUs) } },
    scales: { x: { time: false, range: () => span.slice() }, y: { distr: 3, log: 10, range: () => [edge(-0.5), edge(rows + 0.5)] } },
    under: (u, ctx) => {
      const rgb = colour("heat");
      const ys = Array.from({ length: rows + 1 }, (_, r) => Math.round(u.valToPos(edge(r), "y", true)));
      for (let c = 0; c < d.columns; c++) {
        const left = Math.round(u.valToPos(c * perColumn, "x", true)), right = Math.round(u.valToPos(Math.min(d.seconds, (c + 1) * perColumn), "x", true));
        if (right < u.bbox.left || left > u.bbox.left + u.bbox.width) continue;
        for (let r = 0; r < rows; r++) {
          const level = cells[c * rows + r];
          if (!level) continue;
          ctx.fillStyle = "rgba(" + rgb + "," + (0.22 + (0.78 * level) / most).toFixed(3) + ")";
          ctx.fillRect(left, ys[r + 1], Math.max(1, right - left), Math.max(1, ys[r] - ys[r + 1]));
        }
      }
    },
    over: (u) => clipped(u, budgetLine),
  }, [x, x.map(() => null)], tell);
}
