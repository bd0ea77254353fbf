// SPDX-License-Identifier: Apache-2.0
// Outliers, published values, environment, and how to measure it again.

let wanted = new Set(VERDICTS.map(([word]) => word)), allShown = false;
const FEW = 14;
panel("outliers", ["a", "theme"], async (into) => {
  const run = runs[state.a], asked = state.a;
  if (!run) return void into.replaceChildren();
  const more = await run.read.more();
  if (asked !== state.a) return;
  allShown = false;
  drawOutliers(into, run, more.anomalies || [], more.shapes || []);
});
function drawOutliers(into, run, list, shapes) {
  into.replaceChildren();
  if (shapes.length) put(into, el("h3", {}, "Shapes in time"), el("ul", { class: "reasons" }, shapes.map(([verdict, sentence, confidence]) => el("li", {}, verdictMark(verdict), ": ", sentence, el("span", { class: "note" }, " (confidence " + Math.round(100 * confidence) + " %)")))), el("h3", {}, "One by one"));
  const counts = run.anomalyCounts || {}, total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  if (!total) return void put(into, el("p", {}, run.status === "done" ? "Nothing odd was found in " : "No verdicts on ", el("b", { class: "a" }, run.label), "."));
  put(into, el("p", { class: "note" }, el("b", { class: "a" }, run.label), ": " + many(total) + (total === 1 ? " anomaly" : " anomalies") + (list.length < total ? ", of which the " + list.length + " largest are listed" : "") + ". Times in seconds from the first packet; sizes ", emulation(state.a) ? el("span", { class: "emulated" }, emulation(state.a)) : null, emulation(state.a) ? ", " : "", "with their bounds."));
  const filters = el("fieldset", { class: "filters" }, el("legend", { class: "visually-hidden" }, "Verdicts that are listed"));
  for (const [word, letter] of VERDICTS) {
    if (!counts[word]) continue;
    const box = el("input", { type: "checkbox", id: "f-" + word });
    box.checked = wanted.has(word);
    box.addEventListener("change", () => { if (box.checked) wanted.add(word); else wanted.delete(word); drawOutliers(into, run, list, shapes); document.getElementById("f-" + word).focus(); });
    filters.append(el("label", {}, box, " ", el("span", { class: "verdict " + word }, letter + " " + word), " " + many(counts[word])));
  }
  const chosen = list.filter(([verdict]) => wanted.has(verdict)), few = onPaper ? 3 * FEW : FEW;
  const most = allShown || few >= chosen.length ? chosen : largest(chosen, few);
  put(into, filters, el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of anomalies" }, el("table", { class: "wide" },
    el("thead", {}, el("tr", {}, ["at, s", "verdict", "what", "where", "size", "packets", "evidence"].map((name, i) => el("th", { scope: "col", class: i === 0 || i === 5 ? "n" : "" }, name)))),
    el("tbody", {}, most.map((anomaly) => anomalyRow(run, anomaly))))));
  if (most.length < chosen.length) put(into, button("Show all " + chosen.length, { class: "no-print" }, () => { allShown = true; drawOutliers(into, run, list, shapes); }));
}
function largest(list, few) {
  const kept = new Set(list.slice().sort((p, q) => q[7] - p[7] || q[5] - p[5]).slice(0, few));
  return list.filter((anomaly) => kept.has(anomaly));
}
function verdictMark(verdict) {
  const known = VERDICTS.find(([word]) => word === verdict) || ["unknown", "?"];
  return el("span", { class: "verdict " + known[0] }, known[1] + " " + verdict);
}
const PLACES = { forward: "on the way there", back: "on the way back", receiver: "receiver", sender: "sender", clock: "clock" };
function anomalyRow(run, [verdict, kind, where, start, end, packets, size, , evidence]) {
  const margin = Math.max(0.05, end - start, run.drawing ? run.drawing.seconds / 200 : 0);
  const when = start.toFixed(2) + (end - start >= 0.5 ? "\u2013" + end.toFixed(2) : "");
  const go = run.drawing ? button(when, { class: "link", "aria-label": "Show the time from " + when + " s above" }, () => { zoom(start - margin, end + margin); document.getElementById("course").scrollIntoView({ block: "start" }); }) : when;
  return el("tr", {}, el("td", { class: "n" }, go), el("td", {}, verdictMark(verdict)),
    el("td", { class: "line" }, kind), el("td", { class: "line" }, PLACES[where] || where), el("td", { class: "line" }, size), el("td", { class: "n" }, many(packets)), el("td", { class: "value" }, evidence.join("; ")));
}

panel("published", [], (into) => {
  into.replaceChildren();
  if (!data.published.length) return void put(into, el("p", { class: "note" }, "The study of 2022-2023 has no values of these attachments and loads."));
  const reasons = [...new Set(data.published.flatMap((row) => row.whyNot))], number = (reason) => reasons.indexOf(reason) + 1;
  const sources = [...new Set(data.published.map((row) => row.source))];
  const row = (entry) => {
    const ours = oursOf(entry);
    return el("tr", {}, el("th", { scope: "row", class: "line" }, entry.label), el("td", { class: "line" }, (data.ways.find((way) => way.key === entry.name) || { words: entry.name }).words),
      entry.times.map((t) => el("td", { class: "n" }, us(t))), ours.map((t) => el("td", { class: "n" }, us(t))), el("td", {}, emulation(entry.runs[0]) || "real"),
      el("td", { class: "line" }, entry.whyNot.length ? [el("span", { title: "not comparable" }, "\u2260 "), el("span", { class: "note" }, entry.whyNot.map(number).join(", "))] : "\u2713 comparable"), el("td", { class: "note" }, String.fromCharCode(97 + sources.indexOf(entry.source))));
  };
  put(into, el("p", { class: "note" }, "What the public study of 2022-2023 measured, beside ours of the same attachment, way and load (median of our runs); us. \u2260: not comparable, since something else than the attachment differs, too; the numbers say what."),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Published values beside ours" }, el("table", { class: "wide" },
      el("thead", {}, el("tr", {}, el("td", { colspan: 2 }), el("th", { colspan: 4, scope: "colgroup" }, "published"), el("th", { colspan: 5, scope: "colgroup" }, "ours"), el("td", { colspan: 2 })),
        el("tr", {}, ["", "", "min", "avg", "max", "stddev", "min", "avg", "max", "stddev", "", "", "source"].map((name, i) => (name ? el("th", { scope: "col", class: i > 1 && i < 10 ? "n" : "" }, name) : el("td", {}))))),
      el("tbody", {}, data.published.map(row)))),
    reasons.length ? [el("h3", {}, "Why not comparable"), el("ol", { class: "reasons" }, reasons.map((reason) => el("li", {}, reason)))] : "",
    el("h3", {}, "Sources"), el("ul", { class: "reasons" }, sources.map((source, i) => el("li", {}, String.fromCharCode(97 + i) + ": " + source))));
});
function oursOf(entry) {
  const found = entry.runs.map((place) => {
    const run = runs[place];
    if (!believed(run)) return [];
    const metric = summary(run, entry.name);
    if (metric) return [metric.min, metric.mean, metric.max, metric.stddev];
    return ((run.instruments || []).find((instrument) => instrument.name === entry.name) || { times: [] }).times || [];
  });
  return [0, 1, 2, 3].map((i) => median(found.map((times) => times[i])));
}

panel("environment", ["a", "b"], async (into) => {
  const run = runs[state.a], asked = state.a + " " + state.b;
  if (!run) return void into.replaceChildren();
  const [one, other] = await Promise.all([run.read.more(), state.b === null ? null : runs[state.b].read.more()]);
  if (asked !== state.a + " " + state.b) return;
  into.replaceChildren(el("p", { class: "note" }, el("b", { class: "a" }, run.label), " (A)", other ? [" and ", el("b", { class: "b" }, runs[state.b].label), " (B); only what differs"] : ""));
  const sections = new Set([...Object.keys(one.environment), ...Object.keys(other ? other.environment : {})]);
  const holder = el("div", { class: other ? "" : "two" });
  for (const title of sections) {
    const mine = one.environment[title] || {}, theirs = other ? other.environment[title] || {} : mine;
    const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])].filter((name) => !other || mine[name] !== theirs[name]);
    if (!names.length) continue;
    holder.append(el("div", {}, el("h3", {}, title), el("table", { class: "wide" }, other ? el("thead", {}, el("tr", {}, ["", "A", "B"].map((name) => (name ? el("th", { scope: "col" }, name) : el("td", {}))))) : null,
      el("tbody", {}, names.map((name) => el("tr", { class: other ? "differs" : "" }, el("th", { scope: "row" }, other ? "\u2260 " : "", name), el("td", { class: "value" }, mine[name] ?? "-"), other ? el("td", { class: "value" }, theirs[name] ?? "-") : null))))));
  }
  put(into, holder.childNodes.length ? holder : el("p", {}, other ? "Nothing that was recorded differs." : "Nothing was recorded."));
  const refuted = (one.evidence || []).filter(([, , ok]) => !ok).length;
  if (one.evidence && one.evidence.length) put(into, el("details", {}, el("summary", {}, "Which way the packets went: " + one.evidence.length + " proofs" + (refuted ? ", of which " + refuted + " failed" : ", none failed")),
    el("ul", { class: "reasons" }, one.evidence.map(([what, rule, ok]) => el("li", {}, ok ? "\u2713 " : "\u2715 NOT so: ", what, rule ? ": " + rule : "")))));
});

function copyable(text, name) {
  const holder = el("pre", { tabindex: 0, "aria-label": name, role: "region" }, text);
  const copy = button("Copy", { class: "no-print", "aria-label": "Copy " + name }, async () => {
    const range = document.createRange();
    range.selectNodeContents(holder);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    try { await navigator.clipboard.writeText(text); } catch { document.execCommand("copy"); }
    copy.textContent = "Copied";
  });
  return [copy, holder];
}
panel("reproduce", ["a"], async (into) => {
  const run = runs[state.a], asked = state.a;
  if (!run) return void into.replaceChildren();
  const more = await run.read.more();
  if (asked !== state.a) return;
  into.replaceChildren(el("p", { class: "note" }, el("b", { class: "a" }, run.label), ": run ", run.id, ", ", run.created, ", of the scenario ", run.name, "."),
    el("h3", {}, "scenario.yaml, with every option as it was"), el("div", {}, copyable(more.scenario, "the scenario")));
  if (run.commands) put(into, el("h3", {}, "and the command"), el("div", {}, copyable(run.commands, "the command")));
  put(into, el("details", {}, el("summary", {}, more.script ? "The exact commands of this run, " + more.script.trimEnd().split("\n").length + " lines" : "The exact commands of this run"),
    more.script ? copyable(more.script, "the commands") : el("p", { class: "note" }, "Not in this page: commands.jsonl of the run's directory has them, if latlab measured it. A page of fewer runs holds them.")));
});
