// SPDX-License-Identifier: Apache-2.0
// Elements and words. A text of a run becomes a text node, or an attribute's value, and never markup.

const SVG = "http://www.w3.org/2000/svg";
const PLAIN_ATTRIBUTE = /^(?:aria-[a-z]+|data-[a-z]+|[a-zA-Z]+|stroke-width|text-anchor|vector-effect)$/;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (!PLAIN_ATTRIBUTE.test(name) || /^on|^style$|^href$|^src/i.test(name)) throw new Error("attribute " + name);
    node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const put = (node, ...children) => fill(node, null, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

function button(words, attributes, act) {
  const made = el("button", { type: "button", ...attributes }, words);
  made.addEventListener("click", act);
  return made;
}

// Three significant digits below 100 us, whole microseconds above: as the terminal has them.
function us(ns) {
  if (ns === null || ns === undefined || Number.isNaN(ns)) return "-";
  const value = ns / 1000, size = Math.abs(value);
  const digits = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return value.toFixed(digits).replace(/^-(?=0(\.0+)?$)/, "").replace("-", "\u2212").replace(/\B(?=(\d{3})+(?!\d))/g, digits ? "" : "\u202f");
}
const signed = (ns) => (ns > 0 ? "+" : "") + us(ns);
const many = (n) => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
function seconds(s) {
  return s < 0.1 ? Number((s * 1000).toPrecision(2)) + " ms" : s >= 3600 ? (s / 3600).toFixed(2) + " h" : s >= 100 ? s.toFixed(0) + " s" : s.toFixed(2) + " s";
}
function bits(bps) {
  for (const [size, name] of [[1e9, "Gbit/s"], [1e6, "Mbit/s"], [1e3, "kbit/s"]]) {
    if (bps >= size) return Number((bps / size).toPrecision(3)) + " " + name;
  }
  return bps.toFixed(0) + " bit/s";
}
const loadWords = (load) => (load === "none" ? "no load" : load);

// "500us" -> ns. As `latlab report --budget` reads it; an error says what to write.
const UNITS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 6e10, h: 3.6e12 };
function duration(text) {
  const match = /^\+?([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([^\s0-9.]*)$/.exec(text.trim());
  if (!match) return { error: "not a duration: write a number and a unit, such as 500us" };
  if (!match[2]) return { error: "a duration needs a unit: write " + match[1] + "us or " + match[1] + "ms" };
  const unit = match[2] === "\u00b5s" || match[2] === "\u03bcs" ? "us" : match[2];
  if (!Object.hasOwn(UNITS, unit)) return { error: "not a unit of a duration; units: " + Object.keys(UNITS).join(", ") };
  const ns = Number(match[1]) * UNITS[unit];
  return ns > 0 && Number.isFinite(ns) ? { ns } : { error: "nothing takes no time at all: write such as 500us" };
}
function durationText(ns) {
  const unit = ["h", "min", "s", "ms", "us", "ns"].find((name) => ns % UNITS[name] === 0) || "ns";
  return ns / UNITS[unit] + unit;
}
