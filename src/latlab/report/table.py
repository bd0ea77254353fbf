# SPDX-License-Identifier: Apache-2.0
"""The result of a plan as tables: round trip, up and down for each attachment and load; then the other instruments.

Runs on different benches, accelerators or cables never share a table. A run whose verdict is `invalid` keeps its row
and loses its numbers; `latlab show` still has them. Emulated numbers say so in every title.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from latlab.report.layout import MARKS, STYLES, Block, Row, bit_rate, microseconds, paragraph, printable, tables
from latlab.stats.summary import CLOCKS_NOT_COMPARED, MIN_BEYOND, NotMeasured, Summary
from latlab.store.document import BenchFacts, Evidence, InstrumentResult, LoadResult, RunDocument

TITLES = {"round_trip": "round trip, peer <-> VM", "up": "up, VM -> peer", "down": "down, peer -> VM"}
COLUMNS = ("min", "avg", "max", "stddev", "p50", "p99", "p99.9", "lost")
_QUANTILES = ("p50", "p99", "p99.9")
MANY = 8
"""Above so many rows of one kind, a report tells of them together."""
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
        _append_proofs(text, group)
        _append_notes(text, group, labels, blocks)
    return text


def by_bench(documents: Iterable[RunDocument]) -> list[list[RunDocument]]:
    """Runs that may stand in one table, in the order in which their benches first appear."""
    groups: dict[tuple[str, ...], list[RunDocument]] = {}
    for document in documents:
        groups.setdefault(comparable(document.bench), []).append(document)
    return list(groups.values())


def comparable(bench: BenchFacts) -> tuple[str, ...]:
    """Numbers may stand in one table when this is the same for them."""
    return bench.kind, bench.name, bench.accelerator, bench.cable


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
        labels.append(", ".join([document.attachment, load, *_differing(document, documents)]))
    seen: dict[str, int] = {}
    for place, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] > 1:
            labels[place] = f"{label} ({seen[label]})"
    return labels


def _differing(document: RunDocument, documents: Sequence[RunDocument]) -> list[str]:
    words = []
    for part in ("flow", "nic", "guest"):
        own = _part(document, part)
        others = [_part(other, part) for other in documents]
        for key, value in own.items():
            if any(other.get(key) != value for other in others):
                words.append(_word(f"nic {key}" if (part, key) == ("nic", "vlan") else key, value))
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
    reasons = {_reason(document, key) for document in finished}
    if len(reasons) == 1 and (reason := reasons.pop()):
        return Block(title, (), (), message=reason)
    rows = [_metric_row(document, label, key) for document, label in zip(documents, labels, strict=True)]
    if key != "round_trip":
        rows = _merged(rows)
    return Block(f"{title} ({unit(documents[0].bench)})", COLUMNS, rows)


def _merged(rows: Sequence[Row]) -> list[Row]:
    """Rows with numbers; then one line for each reason to have none. The round trip's table names all rows anyway."""
    merged = [row for row in rows if not isinstance(row.cells, str)]
    alike: dict[str, list[Row]] = {}
    for row in rows:
        if isinstance(row.cells, str):
            alike.setdefault(row.cells, []).append(row)
    for reason, same in alike.items():
        verdicts = {row.verdict for row in same}
        verdict = verdicts.pop() if len(verdicts) == 1 else "valid"
        merged.append(same[0] if len(same) == 1 else Row(f"{len(same)} rows: {reason}", "", verdict))
    return merged


def _reason(document: RunDocument, key: str) -> str:
    result = document.metrics.get(key)
    if isinstance(result, NotMeasured):
        return result.not_measured
    return "" if result else "not measured"


def _metric_row(document: RunDocument, label: str, key: str) -> Row:
    verdict = document.verdict.value
    if document.status != "done":
        return Row(label, document.status, verdict)
    if verdict == "invalid":
        return Row(label, "invalid, see below", verdict)
    result = document.metrics.get(key)
    if not isinstance(result, Summary):
        return Row(label, _reason(document, key), verdict)
    values = [result.min_ns, result.mean_ns, result.max_ns, result.stddev_ns]
    values += [result.quantiles_ns.get(name) for name in _QUANTILES]
    return Row(label, [*(microseconds(value) for value in values), str(document.counts.lost)], verdict)


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


def _achieved(load: LoadResult) -> str:
    return load.shortfall.removeprefix("achieved ") if load.shortfall else bit_rate(load.achieved_bps or 0)


def proof(evidence: Sequence[Evidence]) -> str:
    """In one line, how it is known that the packets went the way that the run says; what was refuted comes first."""
    refuted = [item.what for item in evidence if not item.ok]
    kinds = (("moved as they must", "or more"), ("stood still", "at most"))
    counted = [(words, sum(item.ok and item.rule.endswith(end) for item in evidence)) for words, end in kinds]
    parts = [f"NOT so: {what}" for what in refuted]
    parts += [f"{number} counters {words}" for words, number in counted if number]
    parts += [item.what for item in evidence if item.ok and item.before is None]
    return " · ".join(parts)


def _append_proofs(text: Text, documents: Sequence[RunDocument]) -> None:
    """One line for each attachment: its first run with evidence, unless another run's was refuted."""
    chosen: dict[str, RunDocument] = {}
    for document in documents:
        better = any(not item.ok for item in document.evidence)
        if document.evidence and (document.attachment not in chosen or better):
            chosen[document.attachment] = document
    if not chosen:
        return
    text.append("\n which way the packets went\n", "bold")
    width = max(map(len, chosen))
    for attachment, document in chosen.items():
        broken = any(not item.ok for item in document.evidence)
        first = f" {MARKS['invalid'] if broken else MARKS['valid']}{printable(attachment):<{width}}  "
        paragraph(text, first, proof(document.evidence), STYLES["invalid"] if broken else "")
    shared = sum("reused" in document.env for document in documents)
    if shared:
        paragraph(
            text, "   ", f"{shared} of {len(documents)} runs reused the attachment and guests of a run before", "dim"
        )


def _alike(documents: Sequence[RunDocument], labels: Sequence[str]) -> list[list[tuple[RunDocument, str]]]:
    """Rows that cannot simply be believed. Those that differ in their numbers only stand together, if they are many."""
    found: dict[object, list[tuple[RunDocument, str]]] = {}
    for document, label in zip(documents, labels, strict=True):
        verdict = document.verdict
        if verdict.value != "valid":
            key = (verdict.value, re.sub(r"\d+", "N", "; ".join(verdict.reasons)))
            found.setdefault(key, []).append((document, label))
    return [part for rows in found.values() for part in ([rows] if len(rows) > MANY else [[row] for row in rows])]


def _loads(documents: Sequence[RunDocument], labels: Sequence[str]) -> list[str]:
    """What each load achieved; of many, what those of one kind did."""
    found: dict[str, list[tuple[str, LoadResult]]] = {}
    for document, label in zip(documents, labels, strict=True):
        load = document.load_achieved
        if load is not None and load.achieved_bps is not None:
            found.setdefault(document.load, []).append((label, load))
    if sum(map(len, found.values())) <= MANY:
        return [f"{label} {_achieved(load)}" for results in found.values() for label, load in results]
    words = []
    for name, results in found.items():
        rates = sorted(load.achieved_bps or 0 for _, load in results)
        words.append(f"{name} {bit_rate(rates[0])} to {bit_rate(rates[-1])}")
        words += [f"{label} {_achieved(load)}" for label, load in results if load.shortfall]
    return words


def _append_notes(text: Text, documents: Sequence[RunDocument], labels: Sequence[str], blocks: Sequence[Block]) -> None:
    notes = Text()
    for alike in _alike(documents, labels):
        document, label = alike[0]
        value = document.verdict.value
        reasons = "; ".join(document.verdict.reasons) or "no reason was recorded"
        more = f"; and so, with other numbers, {len(alike) - 1} more rows" if len(alike) > 1 else ""
        paragraph(notes, f" {MARKS[value]}", f"{label}: {reasons}{more}", STYLES[value])
    loads = _loads(documents, labels)
    if loads:
        paragraph(notes, "   ", f"load achieved: {' · '.join(loads)}", "dim")
    quantiles = [row.cells[4:7] for block in blocks if block.columns == COLUMNS for row in block.rows]
    if any("-" in cells for cells in quantiles if not isinstance(cells, str)):
        paragraph(notes, " - ", f"fewer than {MIN_BEYOND} samples lie beyond this quantile: measure longer", "dim")
    if any(_reason(document, key) == CLOCKS_NOT_COMPARED for document in documents for key in ("up", "down")):
        paragraph(notes, "   ", "clocks not compared: one-way times need both ends on one clock", "dim")
    if notes:
        text.append("\n").append_text(notes)
