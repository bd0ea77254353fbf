// SPDX-License-Identifier: Apache-2.0
// The way of a packet through sender, cable, attachment and receiver and back, with the time that each part takes.

panel("path", ["a"], (into) => {
  const run = runs[state.a];
  into.replaceChildren();
  if (!run) return;
  const stages = Object.fromEntries(data.stages[run.direction].map((s) => [s.leg + s.start + s.end, s]));
  const said = unit(state.a);
  put(into, 
    el("p", { class: "note" }, "Medians in ", unitWords(state.a), ", p99 below them: ", el("b", { class: "a" }, run.label),
      ". A flow ", run.direction === "up" ? "up: out of the VM." : "down: into the VM."),
    el("figure", {}, drawPath(run, stages)),
    parts(run, said),
    numbersTable(run, said),
  );
});
function unitWords(place) {
  const word = emulation(place);
  return word ? ["us, ", el("span", { class: "emulated" }, word)] : "us";
}
function stageOf(run, stages, leg, start, end) {
  const stage = stages[leg + start + end];
  if (!stage) return null;
  const key = keyOf(run, stage);
  return { ...stage, key, found: summary(run, key), why: whyNot(run, key) };
}
function keyOf(run, stage) {
  return stage.key;
}

const BOX = { left: [8, 330], middle: [348, 732], right: [750, 1072] };
function drawPath(run, stages) {
  const forwardRight = run.direction !== "up", baseline = run.attachment.startsWith("baseline");
  const p = (leg, start, end) => stageOf(run, stages, leg, start, end);
  const there = { send: p("forward", "w", "t"), way: p("forward", "t", "r"), get: p("forward", "r", "a") };
  const back = { send: p("return", "w'", "t'"), way: p("return", "t'", "r'"), get: p("return", "r'", "a'") };
  const wire = [p("forward", "T", "R"), p("return", "T'", "R'")];
  const dwell = p("", "a", "w'"), wake = p("forward", "S", "w"), whole = summary(run, "round_trip");
  const drawn = svg("svg", { class: "flow", viewBox: "0 0 1080 242", role: "img", "aria-label": spoken(run, there, back, dwell, whole) });
  const boxes = [
    [BOX.left, "peer", "application \u00b7 kernel"],
    [BOX.middle, baseline ? "NIC \u00b7 cable \u00b7 NIC" : "NIC \u00b7 cable \u00b7 NIC \u00b7 " + run.attachment, ""],
    [BOX.right, baseline ? "hypervisor (no VM)" : "VM", "kernel \u00b7 application"],
  ];
  boxes.forEach(([[x0, x1], title], place) => {
    drawn.append(svg("rect", { class: "box", x: x0, y: 24, width: x1 - x0, height: 212, rx: 3 }));
    const anchor = place === 0 ? "start" : place === 1 ? "middle" : "end";
    const x = place === 0 ? x0 : place === 1 ? (x0 + x1) / 2 : x1;
    drawn.append(svg("text", { x, y: 16, "text-anchor": anchor, class: place === 1 ? "" : "soft" }, cut(title, 54)));
  });
  const near = [100, 300], far = [780, 950];
  const spans = forwardRight ? [[near[0], near[1]], [near[1], far[0]], [far[0], far[1]]] : [[far[1], far[0]], [far[0], near[1]], [near[1], near[0]]];
  lane(drawn, 92, spans, [there.send, there.way, there.get], wire[0]);
  lane(drawn, 172, spans.map(([from, to]) => [to, from]).reverse(), [back.send, back.way, back.get], wire[1]);
  const senderX = forwardRight ? near[0] : far[1], receiverX = forwardRight ? far[1] : near[0], out = forwardRight ? 1 : -1;
  drawn.append(svg("path", { class: "lane" + (dwell && dwell.found ? "" : " none"), d: `M${receiverX} 92 h${22 * out} v80 h${-22 * out}` }));
  const turned = dwell && dwell.found, side = { x: receiverX + 30 * out, "text-anchor": forwardRight ? "start" : "end" };
  drawn.append(svg("text", { class: "us", ...side, y: 136 }, turned ? us(dwell.found.quantiles[0]) : ""), svg("text", { class: "soft", ...side, y: 120 }, "dwell"),
    svg("text", { class: "soft", ...side, y: 152 }, turned ? tail(dwell.found) : cut(dwell ? dwell.why : "", 13)));
  drawn.append(svg("text", { class: "us", x: senderX - 12 * out, y: 136, "text-anchor": forwardRight ? "end" : "start" }, whole ? us(whole.quantiles[0]) : "-"));
  drawn.append(svg("text", { class: "soft", x: senderX - 12 * out, y: 120, "text-anchor": forwardRight ? "end" : "start" }, "round trip"));
  drawn.append(svg("text", { class: "soft", x: senderX - 12 * out, y: 152, "text-anchor": forwardRight ? "end" : "start" }, whole ? tail(whole) : ""));
  if (wake && wake.found) drawn.append(svg("text", { class: "soft", x: senderX, y: 48, "text-anchor": forwardRight ? "start" : "end" }, "sender woke " + us(wake.found.quantiles[0]) + " late, " + tail(wake.found)));
  for (const x of [near[0], near[1], far[0], far[1]]) for (const y of [92, 172]) drawn.append(svg("circle", { class: "tick", cx: x, cy: y, r: 4 }));
  for (const [way, y] of [[run.direction, 42], [run.direction === "up" ? "down" : "up", 212]]) {
    const one = summary(run, way);
    if (!one && whyNot(run, way) === whyNot(run, "round_trip")) continue;
    const words = one ? "the whole way " + way + ": " + us(one.quantiles[0]) + (one.bound ? " \u00b1 " + us(one.bound) : "") + ", " + tail(one) : "the way " + way + ": " + whyNot(run, way);
    drawn.append(svg("text", { class: one ? "" : "soft", x: 540, y, "text-anchor": "middle" }, words),
      svg("text", { class: "soft", x: 540, y: y + 15, "text-anchor": "middle" }, without(run, way)));
  }
  return drawn;
}
function without(run, way) {
  const found = run.trusted ? summary({ metrics: run.trusted }, way) : null;
  return found ? "without suspect clocks " + us(found.quantiles[0]) + (found.bound ? " \u00b1 " + us(found.bound) : "") : "";
}
const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "\u2026" : text);
function tail(found) {
  const p99 = found.quantiles[2];
  return p99 === undefined || p99 === null ? "max " + us(found.max) : "p99 " + us(p99);
}
function lane(drawn, y, spans, stages, wire) {
  const reasons = new Set(stages.map((stage) => (stage && !stage.found ? stage.why : "")));
  const alike = reasons.size === 1 && !reasons.has("") ? [...reasons][0] : "";
  if (alike) drawn.append(svg("text", { class: "soft", x: 540, y: y - 8, "text-anchor": "middle" }, alike));
  stages.forEach((stage, place) => {
    const [from, to] = spans[place], known = stage && stage.found, sign = Math.sign(to - from);
    drawn.append(svg("path", { class: "lane" + (known ? "" : " none"), d: `M${from} ${y} H${to - 10 * sign}` }));
    drawn.append(svg("path", { class: known ? "tip" : "none-tip", d: `M${to - 4 * sign} ${y} l${-9 * sign} -4.5 v9 z` }));
    if (!alike) label(drawn, (from + to) / 2, y - 9, stage, "middle", 26);
  });
  if (wire && wire.found) drawn.append(svg("text", { class: "soft", x: 540, y: y + 30, "text-anchor": "middle" }, "from NIC to NIC " + us(wire.found.quantiles[0])));
}
function label(drawn, x, y, stage, anchor, below) {
  if (!stage) return;
  const lines = stage.found ? [us(stage.found.quantiles[0]), stage.label + ", " + tail(stage.found)] : ["", stage.label + ": " + stage.why];
  drawn.append(svg("text", { class: "us", x, y, "text-anchor": anchor }, svg("title", {}, stage.formula + "; " + stage.says), lines[0]));
  wrapped(lines[1], 30).forEach((line, i) => {
    drawn.append(svg("text", { class: "soft", x, y: y + below + 14 * i, "text-anchor": anchor }, line));
  });
}
function wrapped(text, most) {
  if (text.length <= most) return [text];
  const at = text.lastIndexOf(" ", most);
  return at < 0 ? [cut(text, most)] : [text.slice(0, at), cut(text.slice(at + 1), most)];
}
function spoken(run, there, back, dwell, whole) {
  const words = [whole ? "round trip " + us(whole.quantiles[0]) + " us" : ""];
  for (const stage of [there.send, there.way, there.get, dwell, back.send, back.way, back.get]) {
    if (stage) words.push(stage.label + " " + (stage.found ? us(stage.found.quantiles[0]) + " us" : stage.why));
  }
  return "Path of a packet, medians: " + words.filter(Boolean).join("; ");
}

// Where the median goes: the parts that add up to a round trip, as wide as they are long.
function parts(run, said) {
  const whole = summary(run, "round_trip");
  if (!whole) return null;
  const order = data.stages[run.direction].filter((s) => ["tw", "rt", "ar", "w'a", "t'w'", "r't'", "a'r'"].includes(s.end + s.start));
  const known = order.map((s, i) => ({ s, i, ns: (summary(run, s.key) || { quantiles: [null] }).quantiles[0] })).filter((part) => part.ns > 0);
  const sum = known.reduce((total, part) => total + part.ns, 0), rest = whole.quantiles[0] - sum;
  if (!known.length) return null;
  const complete = known.length === order.length;
  const total = Math.max(whole.quantiles[0], sum), bar = el("div", { class: "parts", "aria-hidden": "true" }), legend = el("div", { class: "legend" });
  const way = (s) => (s.leg ? (s.leg === "forward" ? "there: " : "back: ") : "");
  for (const { s, i, ns } of known) {
    const piece = el("span", { class: "p" + i, title: way(s) + s.label + " " + us(ns) + " us" });
    piece.style.width = (100 * ns) / total + "%";
    bar.append(piece);
    legend.append(el("span", {}, el("span", { class: "key p" + i }), way(s) + s.label + " ", el("b", {}, us(ns))));
  }
  if (!complete && rest > 0) {
    const piece = el("span", { class: "rest" });
    piece.style.width = (100 * rest) / total + "%";
    bar.append(piece);
    legend.append(el("span", {}, el("span", { class: "key rest" }), "on the way, both ways, not told apart ", el("b", {}, us(rest))));
  }
  const words = complete ? `Medians of the parts add up to ${us(sum)} of ${us(whole.quantiles[0])} ${said}; medians need not add up to the median of the whole.` : "";
  return el("div", {}, bar, legend, words ? el("p", { class: "note" }, words) : null);
}

function numbersTable(run, said) {
  const columns = ["n", "min", "avg", "max", "stddev", "p50", "p90", "p99", "p99.9", "p99.99", "\u00b1"];
  const row = (title, found, why, says) => el("tr", {}, el("th", { scope: "row", title: says }, title), found
    ? [found.n, us(found.min), us(found.mean), us(found.max), us(found.stddev), ...[0, 1, 2, 3, 4].map((i) => us(found.quantiles[i])), found.bound ? us(found.bound) : ""]
      .map((value, i) => el("td", { class: "n" }, i ? value : many(value)))
    : el("td", { colspan: columns.length, class: "note" }, why));
  const rows = data.stages[run.direction].map((s) => row((s.leg === "forward" ? "there: " : s.leg ? "back: " : "") + s.label, summary(run, s.key), whyNot(run, s.key), s.formula + "; " + s.says));
  for (const [way, found] of Object.entries(run.trusted || {})) {
    if (Array.isArray(found)) rows.push(row((data.ways.find((w) => w.key === way) || { words: way }).words + ", without suspect clocks", summary({ metrics: run.trusted }, way), ""));
  }
  const others = (run.instruments || []).map((found) => el("tr", {}, el("th", { scope: "row" }, found.name), found.whyNot
    ? el("td", { colspan: columns.length, class: "note" }, found.whyNot)
    : [el("td", { class: "n" }, found.n === undefined ? "-" : many(found.n)), ...found.times.map((t) => el("td", { class: "n" }, us(t))), el("td", { colspan: 6 }, found.rate ? found.rate.toFixed(0) + " transactions/s" : "")]));
  const counts = Object.entries(run.counts).map(([name, n]) => name + " " + many(n)).join(" \u00b7 ");
  return el("details", {}, el("summary", {}, "All numbers of this run"),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "All numbers of this run" }, el("table", { class: "wide" }, el("caption", {}, said),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "part"), columns.map((name) => el("th", { class: "n", scope: "col" }, name)))),
      el("tbody", {}, rows, others))),
    el("p", { class: "note" }, "Packets: ", counts), el("p", { class: "note" }, "\u00b1: how far a time may be off because two clocks had to be compared. -: fewer than 10 samples lie beyond it."));
}
