# SPDX-License-Identifier: Apache-2.0
"""What `latlab list` prints: one line, or one JSON object, for each run directory, readable or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from latlab.report.layout import Block, Row, microseconds, paragraph, tables
from latlab.report.table import comparable, unit
from latlab.stats.summary import QUANTILES, Summary
from latlab.store.document import BenchFacts, RunDocument
from latlab.store.run_dir import BrokenRun, RunDirectory

COLUMNS = ("n", "lost", "p50", "p99", "p99.9")
_TIME_LENGTH = len("20261120T140311Z")


def list_json(runs: Iterable[RunDirectory | BrokenRun]) -> list[dict[str, Any]]:
    """One object for each run, oldest first, with the same keys in all of them; times in ns.

    `n`, `quantiles_ns` and `intervals_ns` are the round trip's; `metrics` has round trip, up and down in full. What a
    run does not have is null. A directory that cannot be read has the status `broken`, and why among its reasons.
    """
    return [_broken(run) if isinstance(run, BrokenRun) else _readable(run.path, run.document) for run in runs]


def _readable(path: Path, document: RunDocument) -> dict[str, Any]:
    values = document.model_dump(mode="json", include={"metrics", "counts", "created"})
    metrics = {key: values["metrics"].get(key) for key in ("round_trip", "up", "down")}
    measured = document.metrics.get("round_trip")
    round_trip = measured if isinstance(measured, Summary) else None
    return {
        "id": path.name,
        "path": str(path),
        "created": values["created"],
        "scenario": document.scenario,
        "bench": document.bench.kind,
        "accelerator": document.bench.accelerator or None,
        "cable": document.bench.cable or None,
        "attachment": document.attachment,
        "load": document.load,
        "direction": document.direction,
        "point_id": document.point_id,
        "status": document.status,
        "verdict": document.verdict.value,
        "reasons": document.verdict.reasons,
        "n": round_trip.n if round_trip else 0,
        "lost": document.counts.lost,
        "quantiles_ns": round_trip.quantiles_ns if round_trip else dict.fromkeys(QUANTILES),
        "intervals_ns": dict.fromkeys(QUANTILES) | (round_trip.intervals_ns if round_trip else {}),
        "metrics": metrics,
        "counts": values["counts"],
    }


def _broken(run: BrokenRun) -> dict[str, Any]:
    nothing = ("created", "scenario", "bench", "accelerator", "cable", "attachment", "load", "direction", "point_id")
    return {
        "id": run.id,
        "path": str(run.path),
        **dict.fromkeys(nothing),
        "status": "broken",
        "verdict": "invalid",
        "reasons": [run.reason, run.salvage] if run.salvage else [run.reason],
        "n": 0,
        "lost": None,
        "quantiles_ns": dict.fromkeys(QUANTILES),
        "intervals_ns": dict.fromkeys(QUANTILES),
        "metrics": dict.fromkeys(("round_trip", "up", "down")),
        "counts": None,
    }


def list_text(runs: Iterable[RunDirectory | BrokenRun], root: Path) -> Text:
    """The runs as tables, one for each bench; what cannot be read follows with its reason."""
    found = list(runs)
    text = Text()
    if not found:
        text.append(f" no runs in {root}; `latlab run SCENARIO` makes one\n")
        return text
    names = short_names([run.id for run in found])
    benches: dict[tuple[str, ...], tuple[BenchFacts, list[Row]]] = {}
    for run, name in zip(found, names, strict=True):
        if isinstance(run, RunDirectory):
            bench = run.document.bench
            benches.setdefault(comparable(bench), (bench, []))[1].append(_row(run.document, name))
    several = len({bench.kind for bench, _ in benches.values()}) < len(benches)
    blocks = [
        Block(f"round trip ({unit(bench, *_bench_words(bench, several))})", COLUMNS, rows)
        for bench, rows in benches.values()
    ]
    text.append_text(tables(blocks))
    broken = [(run, name) for run, name in zip(found, names, strict=True) if isinstance(run, BrokenRun)]
    if broken and blocks:
        text.append("\n")
    for run, name in broken:
        reasons = f"{run.reason}; {run.salvage}" if run.salvage else run.reason
        paragraph(text, " ✗ ", f"{name}: {reasons}", "red")
    return text


def _bench_words(bench: BenchFacts, several: bool) -> list[str]:
    """The bench in a title: its kind unless the unit says it; where kinds do not tell them apart, all that differs."""
    words: list[str] = [] if bench.kind == "emulated" else [bench.kind]
    if several:
        words += [word for word in (bench.name, bench.accelerator, bench.cable) if word and word != bench.kind]
    return words


def _row(document: RunDocument, name: str) -> Row:
    load = "no load" if document.load == "none" else document.load
    label = f"{name} {document.attachment}, {load}"
    if document.status != "done":
        return Row(label, document.status, document.verdict.value)
    if document.verdict.value == "invalid":
        return Row(label, "invalid", "invalid")
    measured = document.metrics.get("round_trip")
    if not isinstance(measured, Summary):
        return Row(label, measured.not_measured if measured else "not measured", document.verdict.value)
    quantiles = [microseconds(measured.quantiles_ns.get(name)) for name in ("p50", "p99", "p99.9")]
    return Row(label, [str(measured.n), str(document.counts.lost), *quantiles], document.verdict.value)


def short_names(names: Sequence[str]) -> list[str]:
    """The time in each id, or the whole id where runs began in the same second: enough to find the run again."""
    times = [name[:_TIME_LENGTH] for name in names]
    return [time if times.count(time) == 1 else name for time, name in zip(times, names, strict=True)]
