# SPDX-License-Identifier: Apache-2.0
"""What `latlab list` prints: one line, or one JSON object, for each run directory, readable or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from latlab.report.layout import Block, Row, microseconds, paragraph, tables
from latlab.report.table import comparable, unit
from latlab.stats.summary import QUANTILES
from latlab.store.document import BenchFacts
from latlab.store.entry import KEPT_METRICS, Entry

COLUMNS = ("n", "lost", "p50", "p99", "p99.9")
_TIME_LENGTH = len("20261120T140311Z")


def list_json(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """One object for each run, in their order, with the same keys in all of them; times in ns.

    `n`, `quantiles_ns` and `intervals_ns` are the round trip's; `metrics` has round trip, up and down in full. What a
    run does not have is null. A directory that cannot be read has the status `broken`, and why among its reasons.
    """
    return [_json(entry) for entry in entries]


def _json(entry: Entry) -> dict[str, Any]:
    bench, round_trip = entry.bench or {}, entry.round_trip
    return {
        "id": entry.id,
        "path": str(entry.path),
        "created": entry.created,
        "scenario": entry.scenario,
        "bench": bench.get("kind"),
        "accelerator": bench.get("accelerator") or None,
        "cable": bench.get("cable") or None,
        "attachment": entry.attachment,
        "load": entry.load,
        "direction": entry.direction,
        "point_id": entry.point_id,
        "repeat": entry.repeat,
        "kernels": entry.kernels,
        "labels": entry.labels,
        "status": entry.status,
        "verdict": entry.verdict,
        "reasons": entry.reasons,
        "n": round_trip["n"] if round_trip else 0,
        "lost": entry.counts["lost"] if entry.counts else None,
        "quantiles_ns": round_trip["quantiles_ns"] if round_trip else dict.fromkeys(QUANTILES),
        "intervals_ns": dict.fromkeys(QUANTILES) | (round_trip.get("intervals_ns") or {} if round_trip else {}),
        "metrics": {key: entry.metrics.get(key) for key in KEPT_METRICS},
        "counts": entry.counts,
    }


def list_text(entries: Iterable[Entry], root: Path) -> Text:
    """The runs as tables, one for each bench; what cannot be read follows with its reason."""
    found = list(entries)
    text = Text()
    if not found:
        text.append(f" no runs in {root}; `latlab run SCENARIO` makes one\n")
        return text
    names = short_names([entry.id for entry in found])
    benches: dict[tuple[str, ...], tuple[BenchFacts, list[Row]]] = {}
    for entry, name in zip(found, names, strict=True):
        if entry.bench is not None:
            bench = BenchFacts.model_validate(entry.bench)
            benches.setdefault(comparable(bench), (bench, []))[1].append(_row(entry, name))
    several = len({bench.kind for bench, _ in benches.values()}) < len(benches)
    blocks = [
        Block(f"round trip ({unit(bench, *_bench_words(bench, several))})", COLUMNS, rows)
        for bench, rows in benches.values()
    ]
    text.append_text(tables(blocks))
    broken = [(entry, name) for entry, name in zip(found, names, strict=True) if entry.broken]
    if broken and blocks:
        text.append("\n")
    for entry, name in broken:
        paragraph(text, " ✗ ", f"{name}: {'; '.join(entry.reasons)}", "red")
    return text


def _bench_words(bench: BenchFacts, several: bool) -> list[str]:
    """The bench in a title: its kind unless the unit says it; where kinds do not tell them apart, all that differs."""
    words: list[str] = [] if bench.kind == "emulated" else [bench.kind]
    if several:
        words += [word for word in (bench.name, bench.accelerator, bench.cable) if word and word != bench.kind]
    return words


def _row(entry: Entry, name: str) -> Row:
    load = "no load" if entry.load == "none" else entry.load
    label = f"{name} {entry.attachment}, {load}{''.join(f' +{given}' for given in entry.labels)}"
    if entry.status != "done":
        return Row(label, entry.status, entry.verdict)
    if entry.verdict == "invalid":
        return Row(label, "invalid", "invalid")
    measured = entry.round_trip
    if measured is None:
        return Row(label, entry.metrics.get("round_trip", {}).get("not_measured", "not measured"), entry.verdict)
    lost = entry.counts["lost"] if entry.counts else "-"
    quantiles = [microseconds(measured["quantiles_ns"].get(name)) for name in ("p50", "p99", "p99.9")]
    return Row(label, [str(measured["n"]), str(lost), *quantiles], entry.verdict)


def short_names(names: Sequence[str]) -> list[str]:
    """The time in each id, or the whole id where runs began in the same second: enough to find the run again."""
    seen = Counter(name[:_TIME_LENGTH] for name in names)
    return [name[:_TIME_LENGTH] if seen[name[:_TIME_LENGTH]] == 1 else name for name in names]
