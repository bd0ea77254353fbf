// SPDX-License-Identifier: Apache-2.0
// The other end of codes.py: base64 -> planes of bytes -> times in ns; null for none.

function bytesOf(text) {
  const data = atob(text), bytes = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) bytes[i] = data.charCodeAt(i);
  return bytes;
}
function numbers(bytes, start, count) {
  const found = new Uint16Array(count);
  for (let i = 0; i < count; i++) found[i] = bytes[start + i] | (bytes[start + count + i] << 8);
  return found;
}
function timesOf(codes) {
  const times = new Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    const step = codes[i] - 32768;
    times[i] = codes[i] === 0 ? null : Math.sign(step) * (2 ** (Math.abs(step) / 728) - 1);
  }
  return times;
}
async function inflated(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// What is drawn of a run. `curve(way)` is there at once; `course()` and `more()` are unpacked when first asked for.
function reader(run) {
  const drawing = run.drawing || {};
  const kept = {};
  return {
    curve(way) {
      const found = drawing.ways && drawing.ways[way];
      if (!found) return null;
      if (!kept[way]) {
        const times = timesOf(numbers(bytesOf(found.curve), 0, 3 * found.points)), n = found.points;
        const x = times.slice(0, n).map((_, i) => i / found.perDecade);
        kept[way] = { x, value: times.slice(0, n), low: times.slice(n, 2 * n), high: times.slice(2 * n) };
      }
      return kept[way];
    },
    async course() {
      if (!drawing.packed) return null;
      kept.course = kept.course || inflated(drawing.packed).then((bytes) => {
        const found = {};
        let at = 0;
        for (const [name, length, size] of drawing.parts) {
          if (size === 1) found[name] = bytes.subarray(at, at + length);
          else if (name === "lost" || name === "suspect") found[name] = numbers(bytes, at, length);
          else found[name] = timesOf(numbers(bytes, at, length));
          at += length * size;
        }
        return found;
      });
      return kept.course;
    },
    async more() {
      kept.more = kept.more || inflated(run.more).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
      return kept.more;
    },
  };
}
