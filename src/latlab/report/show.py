# SPDX-License-Identifier: Apache-2.0
"""What `latlab show RUN` prints: everything that is known of one run, from its headline to its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from latlab.report.layout import MARKS, STYLES, Block, Row, microseconds, paragraph, tables
from latlab.report.shapes import append_shapes
from latlab.report.table import bound_of, emulation, instrument_blocks, known, unit
from latlab.report.tails import tails_block
from latlab.stats.stamps import METRICS
from latlab.stats.summary import NotMeasured
from latlab.store.document import AnomalyRecord, RunDocument
from latlab.store.entry import entry_of
from latlab.store.find import with_statistics
from latlab.store.labels import read_labels
from latlab.store.run_dir import RunDirectory
from latlab.store.sentences import sentence

COLUMNS = ("n", "min", "avg", "max", "stddev", "p50", "p99", "p99.9", "p99.99")
MOST_SHOWN = 12
_QUANTILES = ("p50", "p99", "p99.9", "p99.99")


def show_json(run: RunDirectory, spikes_over_ns: int | None = None) -> dict[str, Any]:
    """run.json with, at the top level, the fields that `latlab list --json` has (`n`, `lost`, `quantiles_ns`,
    `intervals_ns`), and the run's files."""
    from latlab.report.listing import list_json

    document = with_statistics(run, spikes_over_ns)
    (row,) = list_json([entry_of(RunDirectory(run.path, document))])
    values: dict[str, Any] = document.model_dump(mode="json")
    extra = {key: row[key] for key in ("path", "direction", "labels", "n", "lost", "quantiles_ns", "intervals_ns")}
    return {**values, "id": run.id, **extra, "files": _files(run)}


def show_text(run: RunDirectory, spikes_over_ns: int | None = None) -> Text:
    """The same for a person."""
    document = with_statistics(run, spikes_over_ns)
    text = Text()
    _headline(text, run, document)
    append_shapes(text, document)
    _metrics(text, document)
    _tails(text, document)
    _clocks(text, document)
    _counts(text, document)
    _instruments(text, document)
    _evidence(text, document)
    _list(text, "point", flat(document.point))
    _list(text, "bench", flat(document.bench.model_dump(mode="json")))
    _list(text, "versions", document.versions)
    _list(text, "environment", flat(document.env))
    _list(text, f"files in {run.path}", {name: f"{size} bytes" for name, size in _files(run).items()})
    return text


def _files(run: RunDirectory) -> dict[str, int]:
    return {str(file): (run.path / file).stat().st_size for file in run.files()}


def _headline(text: Text, run: RunDirectory, document: RunDocument) -> None:
    load = "no load" if document.load == "none" else document.load
    emulated = emulation(document.bench)
    words = f" ({emulated})" if emulated else ""
    text.append(f" {document.attachment}, {load}, flow {document.direction}{words}\n", "bold")
    text.append(f" {run.id} · {document.scenario} · {document.status} · point {document.point_id}\n")
    if labels := read_labels(run.path):
        paragraph(text, " labels ", " ".join(labels))
    verdict = document.verdict
    reasons = "; ".join(verdict.reasons)
    paragraph(
        text, f" {MARKS[verdict.value]}", f"{verdict.value}{': ' if reasons else ''}{reasons}", STYLES[verdict.value]
    )


def _metrics(text: Text, document: RunDocument) -> None:
    rows = []
    bounded = any(bound_of(result) for result in document.metrics.values())
    for metric in METRICS:
        key = metric.key(document.direction)
        result = document.metrics.get(key)
        if result is None:
            continue
        way = "" if metric.leg is None else f"{key.split('_')[0]}: "
        label = f"{way}{metric.label} ({metric.formula.replace(' ', '')})"
        if isinstance(result, NotMeasured):
            rows.append(Row(label, result.not_measured))
            continue
        times = [known(time, result.bound_ns) for time in (result.min_ns, result.mean_ns, result.max_ns)]
        quantiles = [known(result.quantiles_ns.get(name), result.bound_ns) for name in _QUANTILES]
        bound = [microseconds(result.bound_ns) if result.bound_ns else ""] if bounded else []
        rows.append(Row(label, [str(result.n), *times, microseconds(result.stddev_ns), *quantiles, *bound]))
    text.append("\n")
    if not rows:
        text.append(" no metrics: the run has no samples\n")
        return
    text.append_text(
        tables([Block(f"metrics ({unit(document.bench)})", (*COLUMNS, "±") if bounded else COLUMNS, rows)])
    )


def _tails(text: Text, document: RunDocument) -> None:
    block = tails_block(document)
    if block is not None:
        text.append("\n").append_text(tables([block]))


def _clocks(text: Text, document: RunDocument) -> None:
    """How the clocks compared, and the largest anomalies with what they are concluded from."""
    for line in document.timing.words:
        text.append("\n")
        paragraph(text, " clocks    ", line)
    if document.timing.suspect:
        paragraph(text, "           ", f"{document.timing.suspect} packets were measured while a clock was not right")
    if not document.anomalies:
        return
    total = sum(document.anomaly_counts.values())
    shown = sorted(document.anomalies, key=_severity)[:MOST_SHOWN]
    text.append(f"\n anomalies ({len(shown)} of {total})\n", "bold")
    for anomaly in sorted(shown, key=lambda anomaly: anomaly.start_ns):
        style = STYLES["suspect"] if anomaly.verdict in ("clock", "unknown") else ""
        told = f"{sentence(anomaly, document.timing.start_ns)}; {'; '.join(anomaly.evidence)}"
        paragraph(text, "   ", told, style)


def _severity(anomaly: AnomalyRecord) -> tuple[bool, float]:
    """Clocks first, then the largest."""
    return anomaly.verdict not in ("clock", "unknown"), -abs(anomaly.size)


def _counts(text: Text, document: RunDocument) -> None:
    counts = document.counts
    words = [
        f"sent {counts.sent}",
        f"replied {counts.replied}" if counts.replied or not counts.received else f"received {counts.received}",
        f"lost {counts.lost}",
        f"late {counts.late}",
        f"duplicated {counts.duplicated}",
        f"reordered {counts.reordered}",
        f"send failed {counts.send_failed}",
        f"late wake-ups {counts.late_wakeups}",
        f"records dropped {counts.records_dropped}",
    ]
    words += [f"without stamp {letter} {n}" for letter, n in counts.missing.items()]
    text.append("\n")
    paragraph(text, " packets   ", " · ".join(words))
    if document.load_achieved is not None:
        values = flat(document.load_achieved.model_dump(mode="json"))
        paragraph(text, " load      ", " · ".join(f"{key} {value}" for key, value in values.items()))


def _instruments(text: Text, document: RunDocument) -> None:
    blocks = instrument_blocks([document], [f"{document.attachment}, {document.load}"])
    if blocks:
        text.append("\n").append_text(tables(blocks))


def _evidence(text: Text, document: RunDocument) -> None:
    if not document.evidence:
        return
    text.append("\n evidence\n", "bold")
    for item in document.evidence:
        told = item.what
        if item.before is not None:
            told += f": {_value(item.before)} -> {_value(item.after)}; {item.rule}"
        paragraph(text, "   ok  " if item.ok else "   NOT ", told, "" if item.ok else "red")


def _list(text: Text, title: str, values: Mapping[str, Any]) -> None:
    if not values:
        return
    text.append(f"\n {title}\n", "bold")
    for key, value in values.items():
        paragraph(text, f"   {key:<24} ", _value(value))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys; what is None or empty is left out."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif value is not None and value != "":
            found[prefix + key] = value
    return found


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
