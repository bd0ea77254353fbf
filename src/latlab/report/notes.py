# SPDX-License-Identifier: Apache-2.0
"""What stands below the tables: which way the packets went, what cannot simply be believed and why, what was odd."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text

from latlab.report.layout import MARKS, STYLES, Block, bit_rate, paragraph, printable
from latlab.stats.quantiles import MIN_BEYOND
from latlab.stats.summary import CLOCKS_NOT_COMPARED, NotMeasured, Summary
from latlab.store.document import Evidence, LoadResult, RunDocument
from latlab.store.sentences import odd_in

NOT_KNOWN = "~"
"""In place of a time that is smaller than its bound."""
QUANTILE_CELLS = slice(4, 7)
FEW_PAIRS = 3
MANY = 8
"""Above so many rows of one kind, a report tells of them together."""


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


def append_proofs(text: Text, documents: Sequence[RunDocument]) -> None:
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


def undecided(documents: Sequence[RunDocument], labels: Sequence[str], key: str) -> str:
    """Which rows' medians of a one-way time differ by less than their bounds together; "" if the clocks say more."""
    known = [
        (label, middle, result.bound_ns)
        for document, label in zip(documents, labels, strict=True)
        if isinstance(result := document.metrics.get(key), Summary) and document.verdict.value != "invalid"
        if (middle := result.quantiles_ns.get("p50")) is not None
    ]
    pairs = [(one, other) for at, one in enumerate(known) for other in known[at + 1 :] if one[2] or other[2]]
    within = [f"{one[0]} and {other[0]}" for one, other in pairs if abs(one[1] - other[1]) <= one[2] + other[2]]
    if not within:
        return ""
    if len(within) == len(pairs) and len(pairs) > 1:
        return "all rows differ by less than their bounds ± together, so which is faster is undecided"
    if len(within) > FEW_PAIRS:
        return f"{len(within)} of {len(pairs)} pairs of rows differ by less than their bounds ± together: undecided"
    return f"differ by less than their bounds ± together, so which is faster is undecided: {'; '.join(within)}"


def append_notes(text: Text, documents: Sequence[RunDocument], labels: Sequence[str], blocks: Sequence[Block]) -> None:
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
    for line in odd_in(documents, labels, MANY):
        paragraph(notes, "   ", line, "dim")
    for key in ("up", "down"):
        if words := undecided(documents, labels, key):
            paragraph(notes, "   ", f"{key}, p50: {words}", "dim")
    timed = [block for block in blocks if block.columns[:1] == ("min",)]
    if any(NOT_KNOWN in row.cells for block in timed for row in block.rows if not isinstance(row.cells, str)):
        paragraph(notes, f" {NOT_KNOWN} ", "smaller than its bound ±, by which the clocks may be off: no number", "dim")
    quantiles = [row.cells[QUANTILE_CELLS] for block in timed for row in block.rows]
    if any("-" in cells for cells in quantiles if not isinstance(cells, str)):
        paragraph(notes, " - ", f"fewer than {MIN_BEYOND} samples lie beyond this quantile: measure longer", "dim")
    if any(_not_compared(document.metrics.get(key)) for document in documents for key in ("up", "down")):
        paragraph(notes, "   ", "clocks not compared: one-way times need both ends on one clock", "dim")
    if notes:
        text.append("\n").append_text(notes)


def _not_compared(result: object) -> bool:
    return isinstance(result, NotMeasured) and result.not_measured == CLOCKS_NOT_COMPARED
