# SPDX-License-Identifier: Apache-2.0
"""Runs -> the data of the page, as JSON values. Texts of a run stay texts: the page's script shows them as such."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from latlab.published.beside import beside
from latlab.report.page.codes import packed, without_absent
from latlab.report.page.draw import Detail, drawing
from latlab.report.page.environment import environment_of
from latlab.report.page.groups import Group, groups_of
from latlab.report.page.headline import WAY_WORDS, Asked
from latlab.report.page.judge import STATISTICS
from latlab.report.page.measured import Measured
from latlab.report.page.reduce import WAYS
from latlab.report.page.reproduce import command_of, scenario_of, script_of
from latlab.stats.comparing.comparable import comparable
from latlab.stats.stamps import METRICS, STAMP
from latlab.stats.summary import QUANTILES, MetricResult, Summary
from latlab.store.document import AnomalyRecord, RunDocument
from latlab.store.sentences import WORDS, size
from latlab.version import latlab_version


def data_of(runs: Sequence[Measured], asked: Asked, detail: Detail) -> dict[str, Any]:
    """Everything that the page's script shows."""
    documents = [run.document for run in runs]
    groups = groups_of(documents)
    labels = {place: label for group in groups for place, label in group.labels.items()}
    return {
        "about": _about(runs),
        "foot": f"Made by latlab {latlab_version()}. One file; it asks no network for anything. Charts: uPlot (MIT).",
        "asked": {"way": asked.way, "statistic": asked.statistic, "budget": asked.budget_ns},
        "ways": [{"key": way, "words": WAY_WORDS[way]} for way in WAYS],
        "statistics": list(STATISTICS),
        "stages": {"up": _stages("up"), "down": _stages("down")},
        "groups": [_group(group) for group in groups],
        "refused": _refused(documents),
        "published": _published(runs),
        "runs": [_run(run, labels[place], detail) for place, run in enumerate(runs)],
    }


def _about(runs: Sequence[Measured]) -> str:
    """Which scenarios, when, and how many runs."""
    documents = [run.document for run in runs]
    names = list(dict.fromkeys(document.scenario for document in documents))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    days = sorted({document.created.strftime("%Y-%m-%d") for document in documents})
    when = " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""
    return " \N{MIDDLE DOT} ".join(filter(None, (shown, when, f"{len(runs)} run{'' if len(runs) == 1 else 's'}")))


def _stages(direction: str) -> list[dict[str, Any]]:
    """Every metric of a leg, with the stamps that it lies between."""
    return [
        {"key": m.key("up" if direction == "up" else "down"), "label": m.label, "start": m.start, "end": m.end,
         "leg": m.leg or "", "formula": f"{m.end} \N{MINUS SIGN} {m.start}",
         "says": f"from: {STAMP[m.start].meaning}; to: {STAMP[m.end].meaning}"}
        for m in METRICS
    ]  # fmt: skip


def _group(group: Group) -> dict[str, Any]:
    return {
        "bench": group.bench,
        "emulation": group.emulation,
        "rows": list(group.rows),
        "columns": list(group.columns),
        "cells": [[row, column, places] for (row, column), places in group.cells.items()],
    }


def _refused(documents: Sequence[RunDocument]) -> dict[str, Any]:
    """`kind` of each run; and of each pair of kinds, the reasons why runs of them are not compared."""
    keys = [_of_kind(document) for document in documents]
    kinds = list(dict.fromkeys(keys))
    examples = [documents[keys.index(key)] for key in kinds]
    reasons: dict[str, list[str]] = {}
    for one, first in enumerate(examples):
        for other, second in enumerate(examples[one + 1 :], one + 1):
            if found := comparable(first, second):
                reasons[f"{one} {other}"] = found
    return {"kind": [kinds.index(key) for key in keys], "reasons": reasons}


def _of_kind(document: RunDocument) -> str:
    """The same for runs that `comparable` cannot tell apart but by their attachment, which may differ."""
    parts = [document.point.get(part) for part in ("flow", "guest", "nic")]
    facts = [document.format, document.bench.model_dump(mode="json", exclude={"headline"}), document.load, parts]
    return json.dumps([*facts, document.timing.method], sort_keys=True)


def _published(runs: Sequence[Measured]) -> list[dict[str, Any]]:
    """Each published value once, with the runs that it stands beside."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for place, run in enumerate(runs):
        names = [*WAYS, *run.document.instruments]
        for name in names:
            for entry in beside(run.document, name):
                value = entry.value
                key = (name, entry.why_not, value)
                row = rows.setdefault(key, {
                    "name": name, "label": value.label, "source": value.source, "method": value.method,
                    "times": [value.min_ns, value.mean_ns, value.max_ns, value.stddev_ns],
                    "whyNot": list(entry.why_not), "runs": [],
                })  # fmt: skip
                row["runs"].append(place)
    return list(rows.values())


def _run(measured: Measured, label: str, detail: Detail) -> dict[str, Any]:
    run, document = measured.run, measured.document
    anomalies = sorted(document.anomalies, key=lambda anomaly: -abs(anomaly.size))
    listed = sorted(_fewer(anomalies, detail.anomalies), key=lambda anomaly: anomaly.start_ns)
    more = {
        "shapes": [_shape(shape, document.timing.start_ns) for shape in getattr(document, "shapes", ())],
        "anomalies": [_anomaly(anomaly, document.timing.start_ns) for anomaly in listed],
        "evidence": [[item.what, item.rule, item.ok] for item in document.evidence],
        "environment": environment_of(run, document),
        "scenario": scenario_of(document),
        "script": script_of(run, detail.commands),
    }
    return without_absent({
        "id": run.id,
        "label": label,
        "attachment": document.attachment,
        "load": document.load,
        "direction": document.direction,
        "created": document.created.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "name": document.scenario,
        "repeat": document.repeat,
        "status": document.status,
        "verdict": document.verdict.value,
        "reasons": [*document.verdict.reasons, *measured.notes],
        "counts": without_absent(_counts(document)),
        "metrics": {key: _metric(result, measured, key) for key, result in document.metrics.items()},
        "trusted": {way: _metric(document.metrics_trusted[way], None, way)
                    for way in WAYS if way in document.metrics_trusted},
        "timing": {"method": document.timing.method, "words": document.timing.words,
                   "rate": document.timing.rate_ppb, "suspect": document.timing.suspect},
        "anomalyCounts": document.anomaly_counts,
        "instruments": list(_instruments(document)),
        "loadAchieved": None if document.load_achieved is None else without_absent(
            {"bps": document.load_achieved.achieved_bps, "shortfall": document.load_achieved.shortfall}),
        "drawing": drawing(measured, detail),
        "commands": command_of(document),
        "more": packed(json.dumps(more, ensure_ascii=False, separators=(",", ":"))),
    })  # fmt: skip


def _shape(shape: Any, start_ns: int) -> list[Any]:
    """Verdict, sentence, confidence, and when it was."""
    times = [round((time - start_ns) / 1e9, 4) for time in (shape.start_ns, shape.end_ns)]
    return [getattr(shape, "verdict", "unknown"), shape.sentence, round(float(shape.confidence), 3), *times]


def _fewer(anomalies: Sequence[AnomalyRecord], most: int) -> Iterator[AnomalyRecord]:
    """The largest of each kind in turn, until there are so many: a kind of few is not crowded out."""
    queues: dict[str, list[AnomalyRecord]] = {}
    for anomaly in anomalies:
        queues.setdefault(anomaly.kind, []).append(anomaly)
    taken = 0
    while queues and taken < most:
        for kind in list(queues):
            if taken < most:
                yield queues[kind].pop(0)
                taken += 1
            if not queues[kind]:
                del queues[kind]


def _anomaly(anomaly: AnomalyRecord, start_ns: int) -> list[Any]:
    return [
        anomaly.verdict, WORDS.get(anomaly.kind, anomaly.kind).removeprefix("a "), anomaly.place,
        round((anomaly.start_ns - start_ns) / 1e9, 4), round((anomaly.end_ns - start_ns) / 1e9, 4),
        anomaly.packets, size(anomaly), abs(anomaly.size) if anomaly.unit == "ns" else 0, list(anomaly.evidence),
    ]  # fmt: skip


def _counts(document: RunDocument) -> dict[str, Any]:
    counts = document.counts
    found: dict[str, Any] = {
        "sent": counts.sent, "replied": counts.replied, "received": counts.received, "lost": counts.lost,
        "late": counts.late, "duplicated": counts.duplicated, "reordered": counts.reordered,
        "send failed": counts.send_failed, "late wake-ups": counts.late_wakeups,
        "records dropped": counts.records_dropped,
    }  # fmt: skip
    return {key: value for key, value in found.items() if value} | {"sent": counts.sent, "lost": counts.lost}


def _metric(result: MetricResult, measured: Measured | None, key: str) -> list[Any] | str:
    """n, min, mean, max, stddev, bound, the quantiles, their intervals; or why there is no number."""
    if not isinstance(result, Summary):
        return result.not_measured
    quantiles = [result.quantiles_ns.get(name) for name in QUANTILES]
    values = [result.n, result.min_ns, result.mean_ns, result.max_ns, result.stddev_ns, result.bound_ns]
    intervals = measured.intervals_ns.get(key, {}) if measured else {}
    return [*values, _shorter(quantiles), _shorter([intervals.get(name) for name in QUANTILES])]


def _shorter(values: list[Any]) -> list[Any]:
    """Without what is not known at the end."""
    while values and values[-1] is None:
        values.pop()
    return values


def _instruments(document: RunDocument) -> Iterator[dict[str, Any]]:
    for name, found in document.instruments.items():
        times = [found.min_ns, found.mean_ns, found.max_ns, found.stddev_ns]
        yield without_absent(
            {"name": name, "whyNot": found.not_measured, "times": times, "n": found.n, "lost": found.lost,
             "rate": found.transactions_per_s}
        )  # fmt: skip
