// SPDX-License-Identifier: Apache-2.0
// Attachments x loads: one table for each bench, since rows of two benches are not compared.

panel("matrix", ["a", "b", "way", "at", "budget"], (into) => {
  const active = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.cell : undefined;
  into.replaceChildren();
  const way = data.ways.find((w) => w.key === state.way).words;
  put(into, el("p", { class: "note" }, state.at === "max" ? "Maximum" : state.at, " of the " + way + ", each with its distribution (logarithmic, root of the counts). ",
    state.budget === null ? "Type a budget above to have each cell judged." : ["Budget ", el("b", {}, durationText(state.budget)), ". "]));
  if (state.budget !== null) {
    put(into, el("p", { class: "legend" }, ["within", "over", "undecided"].map((word) => el("span", { class: word + "-word" }, SIGNS[word] + " " + SAID[word])),
      el("span", {}, "Undecided: its interval, or the clocks' error, holds the budget. A lost packet is later than any budget.")));
  }
  data.groups.forEach((group, number) => put(into, groupTable(group, number)));
  const notes = runs.map((run, place) => [run, place]).filter(([run]) => run.reasons && run.reasons.length);
  if (notes.length) put(into, el("h3", {}, "What cannot simply be believed, and why"), reasonsList(notes));
  if (active !== undefined) {
    const again = into.querySelector(`[data-cell="${CSS.escape(active)}"]`);
    if (again) again.focus();
  }
});
function reasonsList(notes) {
  const few = onPaper ? 40 : 6, shown = notes.slice(0, few), rest = notes.slice(few);
  const line = ([run]) => el("li", {}, el("b", {}, run.verdict === "valid" ? "" : run.verdict + ": "), run.label, ": ", run.reasons.join("; "));
  return el("div", {}, el("ul", { class: "reasons" }, shown.map(line)),
    rest.length ? el("details", {}, el("summary", {}, rest.length + " more"), el("ul", { class: "reasons" }, rest.map(line))) : null);
}
function groupTable(group, number) {
  const spread = extent(group);
  const cells = new Map(group.cells.map(([row, column, places]) => [row + " " + column, places]));
  const title = [data.groups.length > 1 ? el("b", {}, group.bench) : "", data.groups.length > 1 ? " \u00b7 " : "", group.emulation ? ["us, ", el("span", { class: "emulated" }, group.emulation)] : "us"];
  return el("div", { class: "scroll" }, el("table", { class: "matrix", role: "grid", "aria-label": "Attachments and loads" + (data.groups.length > 1 ? ", " + group.bench : "") },
    el("caption", {}, title),
    el("thead", {}, el("tr", {}, el("td", {}), group.columns.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, group.rows.map((name, row) => el("tr", {}, el("th", { scope: "row" }, name),
      group.columns.map((_, column) => el("td", {}, cell(cells.get(row + " " + column), [number, row, column].join(" "), spread, group))))))));
}

// Rows of the histogram that all sparklines of a table share.
function extent(group) {
  let low = Infinity, high = 0;
  for (const [, , places] of group.cells) for (const place of places) {
    const density = densityOf(place);
    if (density) [low, high] = [Math.min(low, density[0]), Math.max(high, density[0] + density.length - 1)];
  }
  return { low, high };
}
function densityOf(place) {
  const drawing = runs[place].drawing;
  return believed(runs[place]) && drawing && drawing.ways && drawing.ways[state.way] ? drawing.ways[state.way].density : null;
}

function cell(places, id, spread, group) {
  if (!places) return null;
  const all = places.map((place) => runs[place]), good = all.filter(believed), isA = places.includes(state.a), isB = places.includes(state.b);
  const judged = state.budget === null ? "" : judgeAll(all, state.way, state.at, state.budget);
  const values = good.map((run) => statisticOf(run, state.way, state.at)).filter(Boolean), middle = median(values.map((v) => v.value));
  const lost = all.reduce((sum, run) => sum + run.counts.lost, 0), sent = all.reduce((sum, run) => sum + run.counts.sent, 0);
  const marks = { suspect: "\u26a0", invalid: "\u2717", valid: "" };
  const worst = all.some((run) => run.verdict === "invalid") ? "invalid" : all.some((run) => run.verdict === "suspect") ? "suspect" : "valid";
  let value = middle === null ? "-" : us(middle), more = [];
  if (!good.length) {
    value = all[0].status === "done" ? "invalid" : all[0].status;
    more.push("no number");
  } else if (!values.length) {
    more.push(whyNot(good[0], state.way));
  } else if (middle === null) {
    more.push("too few samples");
  } else if (state.at !== "max") {
    more.push("max " + us(Math.max(...good.map((run) => (summary(run, state.way) || { max: 0 }).max))));
  }
  const known = values.map((v) => v.value).filter((v) => v !== null);
  if (all.length > 1) more.push(all.length + " runs" + (known.length > 1 ? ", " + us(Math.min(...known)) + " to " + us(Math.max(...known)) : ""));
  if (lost) more[0] = (more[0] ? more[0] + " \u00b7 " : "") + many(lost) + " lost";
  const spoken = [group.rows[Number(id.split(" ")[1])], group.columns[Number(id.split(" ")[2])], value + (middle === null ? "" : " " + (group.emulation ? "us " + group.emulation : "us")),
    judged && judged !== "unknown" ? SAID[judged] : "", ...more, lost ? "of " + sent : "", worst === "valid" ? "" : worst, isA ? "shown" : isB ? "compared" : ""];
  const choose = (compare) => {
    const now = compare ? state.b : state.a, next = places[(places.indexOf(now) + 1) % places.length];
    change(compare ? { b: next === state.a ? null : next } : { a: next, ...(next === state.b ? { b: null } : {}) });
  };
  const made = button([
    el("span", {}, el("strong", {}, judged && SIGNS[judged] ? el("span", { class: "judged" }, SIGNS[judged] + " ") : null, value, marks[worst] ? " " + marks[worst] : "",
      isA ? el("span", { class: "tag" }, "A") : isB ? el("span", { class: "tag" }, "B") : null),
    more.map((line) => el("small", {}, line))),
    spark(places, spread),
  ], { class: ["cell", judged, values.length ? "" : "empty", isA ? "is-a" : isB ? "is-b" : ""].filter(Boolean).join(" "), "data-cell": id,
    "aria-label": spoken.filter(Boolean).join(", "), "aria-pressed": isA ? "true" : "false", tabindex: isA || (id === firstCell() && !groupOf.get(state.a)) ? 0 : -1 }, (event) => choose(event.shiftKey));
  made.addEventListener("keydown", (event) => gridKeys(event, made, choose));
  return made;
}
const firstCell = () => "0 0 0";

function spark(places, { low, high }) {
  const width = 200, height = 26, drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const span = Math.max(1, high - low), x = (row) => ((row - low) / span) * width;
  drawn.append(svg("path", { d: `M0 ${height - 0.5} H${width}`, stroke: "currentColor", "stroke-width": 1, "vector-effect": "non-scaling-stroke", opacity: 0.35 }));
  for (const place of places) {
    const density = densityOf(place);
    if (!density) continue;
    let path = `M${x(density[0]).toFixed(1)} ${height}`;
    density.slice(1).forEach((level, i) => { path += `V${(height - (level / 60) * (height - 2)).toFixed(1)}H${x(density[0] + i + 1).toFixed(1)}`; });
    drawn.append(svg("path", { d: path + `V${height}Z`, fill: "currentColor", opacity: places.length > 1 ? 0.3 : 0.55 }));
  }
  if (state.budget !== null && Number.isFinite(low)) {
    const at = x(8 * Math.log2(state.budget));
    if (at >= 0 && at <= width) drawn.append(svg("path", { d: `M${at.toFixed(1)} 0V${height}`, stroke: "currentColor", "stroke-width": 1.5, "vector-effect": "non-scaling-stroke" }));
  }
  return drawn;
}
function gridKeys(event, made, choose) {
  const [table, row, column] = made.dataset.cell.split(" ").map(Number);
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (steps) {
    event.preventDefault();
    const group = data.groups[table];
    let [r, c] = [row + steps[0], column + steps[1]];
    while (r >= 0 && c >= 0 && r < group.rows.length && c < group.columns.length) {
      const next = document.querySelector(`[data-cell="${table} ${r} ${c}"]`);
      if (next) {
        made.tabIndex = -1;
        next.tabIndex = 0;
        return next.focus();
      }
      [r, c] = [r + steps[0], c + steps[1]];
    }
    if (r < 0 || r >= group.rows.length) {
      const next = document.querySelector(`[data-cell^="${table + Math.sign(steps[0])} "]`);
      if (next && steps[0]) next.focus();
    }
  } else if (event.key === "b") {
    event.preventDefault();
    event.stopPropagation();
    choose(true);
  }
}
