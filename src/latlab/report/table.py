# SPDX-License-Identifier: Apache-2.0
"""The result of a plan as tables: round trip, up and down for each attachment and load; then the other instruments.

Runs on different benches, accelerators or cables never share a table. A run whose verdict is `invalid` keeps its row
and loses its numbers; `latlab show` still has them. Emulated numbers say so in every title.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from latlab.report.layout import Block, Row, microseconds, printable, tables
from latlab.report.notes import NOT_KNOWN, append_notes, append_proofs
from latlab.stats.comparing.comparable import bench_key
from latlab.stats.summary import MetricResult, NotMeasured, Summary
from latlab.store.document import BenchFacts, InstrumentResult, RunDocument

TITLES = {"round_trip": "round trip, peer <-> VM", "up": "up, VM -> peer", "down": "down, peer -> VM"}
COLUMNS = ("min", "avg", "max", "stddev", "p50", "p99", "p99.9", "lost")
BOUNDED_COLUMNS = (*COLUMNS[:-1], "±", COLUMNS[-1])
"""Where two clocks had to be compared: by how much each time may be off for that."""
_QUANTILES = ("p50", "p99", "p99.9")
WITHOUT_SUSPECT = "  without suspect clocks"
INSTRUMENT_COLUMNS = ("min", "mean", "max", "stddev", "trans/s", "n", "lost")


def results(documents: Sequence[RunDocument]) -> Text:
    """All tables and notes for these runs, in their order, one group of tables for each bench."""
    text = Text()
    groups = by_bench(documents)
    for group in groups:
        labels = row_labels(group)
        blocks = [metric_block(group, labels, key) for key in TITLES]
        others = instrument_blocks(group, labels)
        if text:
            text.append("\n")
        if len(groups) > 1:
            bench = group[0].bench
            text.append(f" bench {printable(' · '.join(dict.fromkeys(filter(None, comparable(bench)))))}\n", "bold")
        text.append_text(tables(blocks))
        if others:
            text.append("\n").append_text(tables(others))
        append_proofs(text, group)
        append_notes(text, group, labels, blocks)
    return text


def by_bench(documents: Iterable[RunDocument]) -> list[list[RunDocument]]:
    """Runs that may stand in one table, in the order in which their benches first appear."""
    groups: dict[tuple[str, ...], list[RunDocument]] = {}
    for document in documents:
        groups.setdefault(comparable(document.bench), []).append(document)
    return list(groups.values())


def comparable(bench: BenchFacts) -> tuple[str, ...]:
    """Numbers may stand in one table when this is the same for them."""
    return bench_key(bench)


def emulation(bench: BenchFacts) -> str:
    """What of the bench is emulated, in a title's words; "" when nothing is, or an old run does not say."""
    if bench.kind == "emulated":
        return "emulated"
    return "guest emulated" if bench.accelerator == "tcg" else ""


def unit(bench: BenchFacts, *others: str) -> str:
    """The unit of a title, and what a reader must know before its numbers."""
    return ", ".join(word for word in ("us", *others, emulation(bench)) if word)


def row_labels(documents: Sequence[RunDocument]) -> list[str]:
    """Attachment and load; then what else differs between these runs; then which repetition, if there are several."""
    labels = []
    for document in documents:
        load = "no load" if document.load == "none" else document.load
        labels.append(", ".join([document.attachment, load, *differing(document, documents)]))
    seen: dict[str, int] = {}
    for place, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] > 1:
            labels[place] = f"{label} ({seen[label]})"
    return labels


def differing(document: RunDocument, documents: Sequence[RunDocument]) -> list[str]:
    words = []
    for part in ("flow", "nic", "guest"):
        own = _part(document, part)
        others = [_part(other, part) for other in documents]
        for key, value in own.items():
            if any(other.get(key) != value for other in others):
                words.append(_word(f"nic {key}" if (part, key) == ("nic", "vlan") else key, value))
    timing = [_part(other, "timing").get("kind", "auto") for other in (document, *documents)]
    if len(set(timing)) > 1:
        words.append(f"timing {timing[0]}")
    return words


def _part(document: RunDocument, part: str) -> dict[str, Any]:
    found = document.point.get(part)
    return found if isinstance(found, dict) else {}


def _word(key: str, value: object) -> str:
    if key.endswith("_ns") and isinstance(value, int):
        return f"{key.removesuffix('_ns')} {value / 1_000:g} us"
    if value is None:
        value = "none"
    return str(value) if key in ("direction", "transport") else f"{key.removesuffix('_bytes')} {value}"


def metric_block(documents: Sequence[RunDocument], labels: Sequence[str], key: str) -> Block:
    """The table of one metric; one line if it was measured in no run, for the same reason in all of them."""
    title = TITLES[key]
    finished = [document for document in documents if document.metrics]
    reasons = {reason_of(document, key) for document in finished}
    if len(reasons) == 1 and (reason := reasons.pop()):
        return Block(title, (), (), message=reason)
    bounded = any(bound_of(document.metrics.get(key)) for document in finished)
    rows = []
    for document, label in zip(documents, labels, strict=True):
        rows.append(_metric_row(document, label, key, document.metrics.get(key), bounded))
        if bounded and isinstance(rows[-1].cells, list) and document.metrics_trusted:
            rows.append(_metric_row(document, WITHOUT_SUSPECT, key, document.metrics_trusted.get(key), bounded))
    if key != "round_trip":
        rows = merged(rows)
    return Block(f"{title} ({unit(documents[0].bench)})", BOUNDED_COLUMNS if bounded else COLUMNS, rows)


def merged(rows: Sequence[Row]) -> list[Row]:
    """Rows with numbers; then one line for each reason to have none. The round trip's table names all rows anyway."""
    kept = [row for row in rows if not isinstance(row.cells, str)]
    alike: dict[str, list[Row]] = {}
    for row in rows:
        if isinstance(row.cells, str):
            alike.setdefault(row.cells, []).append(row)
    for reason, same in alike.items():
        verdicts = {row.verdict for row in same}
        verdict = verdicts.pop() if len(verdicts) == 1 else "valid"
        kept.append(same[0] if len(same) == 1 else Row(f"{len(same)} rows: {reason}", "", verdict))
    return kept


def reason_of(document: RunDocument, key: str) -> str:
    result = document.metrics.get(key)
    if isinstance(result, NotMeasured):
        return result.not_measured
    return "" if result else "not measured"


def _metric_row(document: RunDocument, label: str, key: str, result: MetricResult | None, bounded: bool) -> Row:
    verdict = document.verdict.value
    if document.status != "done":
        return Row(label, document.status, verdict)
    if verdict == "invalid":
        return Row(label, "invalid, see below", verdict)
    if not isinstance(result, Summary):
        return Row(label, reason_of(document, key), verdict)
    times = [result.min_ns, result.mean_ns, result.max_ns]
    quantiles = [result.quantiles_ns.get(name) for name in _QUANTILES]
    cells = [*(known(time, result.bound_ns) for time in times), microseconds(result.stddev_ns)]
    cells += [known(time, result.bound_ns) for time in quantiles]
    cells += [microseconds(result.bound_ns)] if bounded else []
    return Row(label, [*cells, str(document.counts.lost)], verdict)


def known(value_ns: float | None, bound_ns: int) -> str:
    """A time; `NOT_KNOWN` when its bound exceeds it."""
    return NOT_KNOWN if value_ns is not None and bound_ns > abs(value_ns) else microseconds(value_ns)


def bound_of(result: MetricResult | None) -> int:
    return result.bound_ns if isinstance(result, Summary) else 0


def instrument_blocks(documents: Sequence[RunDocument], labels: Sequence[str]) -> list[Block]:
    """One table for each instrument beside the probe, in the order in which they first appear."""
    names = list(dict.fromkeys(name for document in documents for name in document.instruments))
    blocks = []
    for name in names:
        rows = []
        used = []
        for document, label in zip(documents, labels, strict=True):
            if (result := document.instruments.get(name)) is not None:
                rows.append(_instrument_row(document, label, result))
                used.append(result)
        reasons = {result.not_measured for result in used}
        if len(reasons) == 1 and (reason := reasons.pop()):
            blocks.append(Block(name, (), (), message=reason))
        else:
            blocks.append(Block(f"{name} ({unit(documents[0].bench)})", INSTRUMENT_COLUMNS, rows))
    return blocks


def _instrument_row(document: RunDocument, label: str, result: InstrumentResult) -> Row:
    verdict = document.verdict.value
    if result.not_measured is not None:
        return Row(label, result.not_measured, verdict)
    if verdict == "invalid":
        return Row(label, "invalid, see below", verdict)
    times = [result.min_ns, result.mean_ns, result.max_ns, result.stddev_ns]
    rate = "-" if result.transactions_per_s is None else f"{result.transactions_per_s:.0f}"
    counts = ["-" if count is None else str(count) for count in (result.n, result.lost)]
    return Row(label, [*(microseconds(time) for time in times), rate, *counts], verdict)
