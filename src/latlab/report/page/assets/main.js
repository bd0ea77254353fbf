// SPDX-License-Identifier: Apache-2.0
// The bar that chooses what is shown, the keys, the theme; and the start.

function choice(words, values, now, act, attributes) {
  const made = el("select", attributes || {});
  for (const [value, text, group] of values) {
    const option = el("option", { value }, text);
    option.selected = value === String(now);
    let into = made;
    if (group) {
      into = [...made.children].find((child) => child.label === group);
      if (!into) made.append((into = el("optgroup", { label: group })));
    }
    into.append(option);
  }
  made.addEventListener("change", () => act(made.value));
  return el("label", { class: attributes && attributes.class }, words, made);
}
panel("bar", ["a", "b", "way", "at", "budget", "theme", "scale"], (into) => {
  const active = document.activeElement && into.contains(document.activeElement) ? document.activeElement.id : null;
  const several = data.groups.length > 1;
  const list = runs.map((run, place) => [String(place), run.label + (emulation(place) ? " \u00b7 " + emulation(place) : ""), several ? groupOf.get(place).bench : null]);
  const field = el("input", { class: "budget", id: "budget", placeholder: "500us", autocomplete: "off", spellcheck: "false", "aria-describedby": "budget-error" });
  field.value = state.budget === null ? "" : durationText(state.budget);
  const error = el("span", { class: "error", id: "budget-error", role: "alert" });
  field.addEventListener("change", () => {
    const found = field.value.trim() ? duration(field.value) : { ns: null };
    error.textContent = found.error ? "Budget: " + found.error : "";
    field.setAttribute("aria-invalid", found.error ? "true" : "false");
    if (!found.error) change({ budget: found.ns });
  });
  into.replaceChildren(
    choice("A", list, state.a, (value) => change({ a: Number(value), ...(Number(value) === state.b ? { b: null } : {}) }), { class: "a", id: "choose-a" }),
    choice("B", [["", "none"], ...list.filter(([value]) => value !== String(state.a))], state.b === null ? "" : state.b, (value) => change({ b: value === "" ? null : Number(value) }), { class: "b", id: "choose-b" }),
    choice("latency", data.ways.filter((way) => runs.some((run) => summary(run, way.key)) || way.key === state.way).map((way) => [way.key, way.words]), state.way, (value) => change({ way: value }), { id: "choose-way" }),
    choice("judged at", data.statistics.map((name) => [name, name === "max" ? "maximum" : name]), state.at, (value) => change({ at: value }), { id: "choose-at" }),
    el("label", {}, "budget", field), error,
    el("span", { class: "push" }, button(state.scale === "log" ? "log axis" : "linear axis", { id: "scale", "aria-label": "Latency axis: " + (state.scale === "log" ? "logarithmic" : "linear") }, () => change({ scale: state.scale === "log" ? "linear" : "log" })),
      button("theme: " + state.theme, { id: "theme" }, () => change({ theme: THEMES[(THEMES.indexOf(state.theme) + 1) % 3] })), button("keys ?", { id: "help" }, help)),
  );
  if (active) { const again = document.getElementById(active); if (again) again.focus(); }
});
panels.unshift({ ...panels.pop() });
panels.unshift({ id: "foot", looksAt: ["theme"], seen: null, draw() {
  const theme = onPaper ? "light" : state.theme;
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
} });

const KEYS = [["\u2190 \u2191 \u2193 \u2192", "in the table: another cell; in a chart: the cursor"], ["Enter", "in the table: show the run (A)"], ["b", "in the table: compare with it (B)"], ["x", "exchange A and B"],
  ["n  p", "next and previous run"], ["m", "another latency"], ["q", "judged at another quantile"], ["c", "no comparison"], ["+  -  0", "in a chart over time: zoom"], ["l", "logarithmic or linear"], ["t", "theme"], ["?", "this list"]];
function help() {
  const dialog = document.getElementById("keys");
  dialog.replaceChildren(el("h2", { id: "h-keys" }, "Keys"), el("table", {}, el("tbody", {}, KEYS.map(([key, words]) => el("tr", {}, el("td", {}, el("kbd", {}, key)), el("td", {}, words))))),
    el("p", { class: "note" }, "The address holds what is shown: copy it to send a view."), button("Close", {}, () => dialog.close()));
  dialog.showModal();
}
const turn = (list, now, step) => list[(list.indexOf(now) + step + list.length) % list.length];
const ACTIONS = {
  n: () => change({ a: (state.a + 1) % runs.length, b: null }),
  p: () => change({ a: (state.a - 1 + runs.length) % runs.length, b: null }),
  m: () => change({ way: turn(data.ways.map((way) => way.key).filter((key) => runs.some((run) => summary(run, key))), state.way, 1) || state.way }),
  q: () => change({ at: turn(data.statistics, state.at, 1) }),
  c: () => change({ b: null }),
  x: () => { if (state.b !== null) change({ a: state.b, b: state.a }); },
  l: () => change({ scale: state.scale === "log" ? "linear" : "log" }),
  t: () => change({ theme: turn(THEMES, state.theme, 1) }),
  "?": help,
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest && event.target.closest("input, select, textarea, dialog")) return;
  const act = Object.hasOwn(ACTIONS, event.key) ? ACTIONS[event.key] : null;
  if (act && runs.length) { event.preventDefault(); act(); }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);

document.getElementById("about").textContent = data.about;
document.getElementById("foot").textContent = data.foot;
state = parsed(location.hash);
show();
