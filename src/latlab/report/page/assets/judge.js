// SPDX-License-Identifier: Apache-2.0
// Numbers of a run, and whether they keep a budget: the rule is that of judge.py.

const QUANTILES = ["p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "p99.9999"];
const BEYOND = [0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
const SIGNS = { within: "\u2713", over: "\u2715", undecided: "\u2248", unknown: "" };
const SAID = { within: "within budget", over: "over budget", undecided: "undecided", unknown: "not judged" };

function summary(run, way) {
  const found = run.metrics && run.metrics[way];
  if (!Array.isArray(found)) return null;
  const [n, min, mean, max, stddev, bound, quantiles, intervals] = found;
  return { n, min, mean, max, stddev, bound, quantiles, intervals };
}
function whyNot(run, way) {
  const found = run.metrics && run.metrics[way];
  return typeof found === "string" ? found : found ? "" : "not measured";
}
const believed = (run) => run.status === "done" && run.verdict !== "invalid";

function statisticOf(run, way, at) {
  const found = summary(run, way);
  if (!found) return null;
  if (at === "max") return { value: found.max, low: found.max - found.bound, high: found.max + found.bound, bound: found.bound };
  const place = QUANTILES.indexOf(at), value = found.quantiles[place];
  if (value === null || value === undefined) return { value: null, bound: found.bound };
  const [low, high] = found.intervals[place] || [value, value];
  return { value, low: low - found.bound, high: high + found.bound, bound: found.bound };
}
function judge(run, way, at, budget) {
  const found = statisticOf(run, way, at);
  const beyond = at === "max" ? 0 : BEYOND[QUANTILES.indexOf(at)];
  if (run.counts.lost > beyond * run.counts.sent) return "over";
  if (!found || found.value === null) return "unknown";
  return found.high <= budget ? "within" : found.low > budget ? "over" : "undecided";
}
function judgeAll(runs, way, at, budget) {
  const told = runs.filter(believed).map((run) => judge(run, way, at, budget));
  for (const word of ["over", "undecided", "within"]) {
    if (told.includes(word)) return word === "within" && told.includes("unknown") ? "undecided" : word;
  }
  return "unknown";
}
function median(values) {
  const sorted = values.filter((v) => v !== null && v !== undefined).sort((x, y) => x - y), n = sorted.length;
  return n ? (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2 : null;
}
