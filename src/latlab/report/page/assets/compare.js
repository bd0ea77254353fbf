// SPDX-License-Identifier: Apache-2.0
// Two runs: the shift function, which is the difference of each quantile with its interval; or why they are not compared.

function refused(one, other) {
  const [a, b] = [data.refused.kind[one], data.refused.kind[other]].sort((x, y) => x - y);
  return data.refused.reasons[a + " " + b] || [];
}
panel("compare", ["a", "b", "way", "theme"], (into) => {
  into.replaceChildren();
  dropCharts("shift");
  if (state.b === null) return void put(into, el("p", { class: "note" }, "Choose a second run as B above, or go to a cell of the table and press ", el("kbd", {}, "b"), ": here stands what is slower, at which quantile, and by how much."));
  const names = [el("b", { class: "a" }, runs[state.a].label), " (A) and ", el("b", { class: "b" }, runs[state.b].label), " (B)"];
  const reasons = refused(state.a, state.b);
  if (reasons.length) return void put(into, el("p", {}, names, " are not compared: ", reasons.join("; "), "."));
  const bad = [state.a, state.b].filter((place) => !believed(runs[place]));
  if (bad.length) return void put(into, el("p", {}, names, " are not compared: ", bad.map((place) => runs[place].label + " is " + (runs[place].status === "done" ? "invalid" : runs[place].status)).join("; "), "."));
  const one = runs[state.a].read.curve(state.way), other = runs[state.b].read.curve(state.way);
  if (!one || !other) return void put(into, el("p", {}, names, ": no ", data.ways.find((w) => w.key === state.way).words, " was measured in ", one ? "B" : "A", "."));
  const shift = shiftOf(one, other, (summary(runs[state.a], state.way).bound || 0) + (summary(runs[state.b], state.way).bound || 0));
  put(into, el("p", {}, names, ": ", verdicts(shift)), el("p", { class: "note" }, "B \u2212 A at each quantile, ", unitWords(state.a),
    ", with the 95 % interval within these two runs; the clocks' error is added to it. Two runs are two runs: whether a change lasts, ", el("b", {}, "latlab compare"), " says of several of each."));
  const tail = Math.log10(Math.min(...[state.a, state.b].map((place) => summary(runs[place], state.way).n)) / 10);
  const told = shift.x.map((v, i) => i).filter((i) => shift.x[i] <= tail || shift.x.length < 60);
  const ys = told.flatMap((i) => [shift.low[i], shift.high[i], shift.value[i]]).filter((v) => v !== null), [bottom, top] = [Math.min(0, ...ys) / 1000, Math.max(0, ...ys) / 1000], pad = (top - bottom) * 0.06 || 1;
  const readout = el("p", { class: "readout" });
  put(into, readout);
  chart(into, "shift", "Shift function: " + verdicts(shift), {
    height: 220, padding: [8, 16, 0, 0], scales: { x: { time: false, range: () => [0, Math.max(tail, 0.5)] }, y: { range: () => [bottom - pad, top + pad] } },
    axes: { x: ninesAxis, y: { values: (u, splits) => splits.map((v) => (v === null ? "" : signed(v * 1000).replace(/\.0+$/, ""))) } },
    series: [{}, hiddenLine, hiddenLine, { stroke: colour("ink"), width: 2, points: { show: false }, spanGaps: true }], bands: [{ series: [1, 2], fill: colour("b", 0.22) }],
    under: (u, ctx) => horizontal(u, ctx, 0, colour("soft")),
  }, [shift.x, inUs(shift.high), inUs(shift.low), inUs(shift.value)], (at) => {
    readout.replaceChildren(document.createTextNode(at === null ? "" : "at " + shareText(shift.x[at]) + ": " + signed(shift.value[at]) + (shift.high[at] === null ? "" : " (" + signed(shift.low[at]) + " to " + signed(shift.high[at]) + ")")));
  });
  put(into, shiftTable(shift));
});

// The interval of a difference of two independent estimates: the root of the sum of the squares of their own halves.
function shiftOf(one, other, bound) {
  const n = Math.min(one.x.length, other.x.length), found = { x: one.x.slice(0, n), value: [], low: [], high: [] };
  for (let i = 0; i < n; i++) {
    const value = other.value[i] - one.value[i];
    found.value.push(value);
    const known = [one, other].every((curve) => curve.high[i] !== null && curve.low[i] !== null);
    found.low.push(known ? value - Math.hypot(other.value[i] - other.low[i], one.high[i] - one.value[i]) - bound : null);
    found.high.push(known ? value + Math.hypot(other.high[i] - other.value[i], one.value[i] - one.low[i]) + bound : null);
  }
  return found;
}
const TOLD = [[Math.log10(2), "p50"], [1, "p90"], [2, "p99"], [3, "p99.9"], [4, "p99.99"]];
function atQuantile(shift, x) {
  let best = 0;
  shift.x.forEach((v, i) => { if (Math.abs(v - x) < Math.abs(shift.x[best] - x)) best = i; });
  return Math.abs(shift.x[best] - x) < 0.09 ? best : -1;
}
function verdicts(shift) {
  const said = { slower: [], faster: [], undecided: [] };
  for (const [x, name] of TOLD) {
    const at = atQuantile(shift, x);
    if (at < 0 || shift.high[at] === null) continue;
    if (shift.low[at] > 0) said.slower.push(name + " by " + us(shift.value[at]));
    else if (shift.high[at] < 0) said.faster.push(name + " by " + us(-shift.value[at]));
    else said.undecided.push(name);
  }
  const words = [];
  if (said.slower.length) words.push("B is slower at " + said.slower.join(", "));
  if (said.faster.length) words.push((words.length ? "" : "B is ") + "faster at " + said.faster.join(", "));
  if (said.undecided.length) words.push("undecided at " + said.undecided.join(", "));
  return (words.join("; ") || "too few packets to say") + ".";
}
function shiftTable(shift) {
  const rows = TOLD.map(([x, name]) => [name, atQuantile(shift, x)]).filter(([, at]) => at >= 0);
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ["quantile", "B \u2212 A", "from", "to"].map((name, i) => el("th", { scope: "col", class: i ? "n" : "" }, name)))),
    el("tbody", {}, rows.map(([name, at]) => el("tr", {}, el("th", { scope: "row" }, name), [shift.value[at], shift.low[at], shift.high[at]].map((v) => el("td", { class: "n" }, v === null ? "-" : signed(v))))))));
}
