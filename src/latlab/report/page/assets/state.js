// SPDX-License-Identifier: Apache-2.0
// What is shown, kept in the address behind the #, so that a view can be mailed. A value that means nothing is ignored.

const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs;
for (const run of runs) {
  run.counts = run.counts || { sent: 0, lost: 0 };
  run.counts.lost = run.counts.lost || 0;
  run.counts.sent = run.counts.sent || 0;
  run.read = reader(run);
}
const groupOf = new Map();
for (const group of data.groups) for (const [, , places] of group.cells) for (const place of places) groupOf.set(place, group);
const emulation = (place) => groupOf.get(place).emulation;
const unit = (place) => (emulation(place) ? "us, " + emulation(place) : "us");

const THEMES = ["auto", "light", "dark"], SCALES = ["log", "linear"];
function usual() {
  const best = runs.findIndex((run) => believed(run) && run.drawing && summary(run, data.asked.way));
  const drawn = runs.findIndex((run) => run.drawing);
  return {
    a: best >= 0 ? best : Math.max(0, drawn), b: null, way: data.asked.way, at: data.asked.statistic,
    budget: data.asked.budget === undefined ? null : data.asked.budget, from: null, to: null, theme: "auto", scale: "log",
  };
}
let state = usual();

function parsed(text) {
  const found = usual(), given = new URLSearchParams(text.replace(/^#/, ""));
  const place = (id) => { const at = runs.findIndex((run) => run.id === id); return at >= 0 ? at : null; };
  if (given.has("a")) found.a = place(given.get("a")) ?? found.a;
  if (given.has("b")) found.b = place(given.get("b"));
  if (data.ways.some((way) => way.key === given.get("way"))) found.way = given.get("way");
  if (data.statistics.includes(given.get("at"))) found.at = given.get("at");
  if (given.get("budget") === "none") found.budget = null;
  else if (given.has("budget")) found.budget = duration(given.get("budget")).ns ?? found.budget;
  const span = /^([0-9.]+)-([0-9.]+)$/.exec(given.get("t") || "");
  if (span && Number(span[1]) < Number(span[2])) [found.from, found.to] = [Number(span[1]), Number(span[2])];
  if (THEMES.includes(given.get("theme"))) found.theme = given.get("theme");
  if (SCALES.includes(given.get("scale"))) found.scale = given.get("scale");
  return found;
}
function address() {
  const plain = usual(), kept = new URLSearchParams();
  if (state.a !== plain.a) kept.set("a", runs[state.a].id);
  if (state.b !== null) kept.set("b", runs[state.b].id);
  if (state.way !== plain.way) kept.set("way", state.way);
  if (state.at !== plain.at) kept.set("at", state.at);
  if (state.budget !== plain.budget) kept.set("budget", state.budget === null ? "none" : durationText(state.budget));
  if (state.from !== null) kept.set("t", Number(state.from.toFixed(4)) + "-" + Number(state.to.toFixed(4)));
  if (state.theme !== plain.theme) kept.set("theme", state.theme);
  if (state.scale !== plain.scale) kept.set("scale", state.scale);
  return kept.toString();
}

// A panel is drawn again when one of the values that it looks at has changed.
const panels = [];
function panel(id, looksAt, draw) {
  panels.push({ id, looksAt, draw, seen: null });
}
function show() {
  for (const part of panels) {
    const now = JSON.stringify(part.looksAt.map((name) => state[name]));
    if (now === part.seen) continue;
    part.seen = now;
    part.draw(document.querySelector("#" + part.id + " > div") || document.getElementById(part.id));
  }
}
function change(parts) {
  if ("a" in parts && parts.a !== state.a) Object.assign(parts, { from: null, to: null });
  Object.assign(state, parts);
  const text = address();
  history.replaceState(null, "", "#" + text);
  show();
}
function again() {
  for (const part of panels) part.seen = null;
  show();
}
addEventListener("hashchange", () => { state = parsed(location.hash); show(); });
