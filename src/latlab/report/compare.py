# SPDX-License-Identifier: Apache-2.0
"""What `latlab compare` prints: a sentence, the shift function as tables, notes, and what differs around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from latlab.comparison import Compared, Pair
from latlab.report.layout import MARKS, STYLES, Block, Row, microseconds, paragraph, printable, tables
from latlab.report.table import TITLES, unit
from latlab.stats.comparing import Comparison, Difference, Side, verdict
from latlab.stats.comparing import Row as Compare
from latlab.stats.comparing.observing import LOST
from latlab.stats.stamps import METRICS
from latlab.store.environment_diff import EnvironmentDifference

COLUMNS = ("A", "B", "B - A", "%", "from", "to", "noise", "B is")
_SHOWN_IDS = 3
_MOST_DIFFERENCES = 40
_STAGES = {metric.key(way): f"{way} {metric.label}" for metric in METRICS for way in ("up", "down") if metric.leg}
_NAMES = {**_STAGES, "round_trip": "round trip", "dwell": "dwell in the reflector", "up": "up", "down": "down"}


def headlines(comparison: Comparison) -> list[str]:
    """One sentence for each gate."""
    return [sentence(comparison, row) for row in comparison.gates]


def sentence(comparison: Comparison, row: Compare) -> str:
    """What one row says, in words."""
    name = "the loss" if row.metric == LOST else f"{_NAMES.get(row.metric, row.metric)} {row.quantity}"
    found = row.found
    runs = f"{_runs(comparison.a)} against {_runs(comparison.b)}"
    if found is None:
        return f"undecided: {name}: {row.why}; {runs}"
    share = "" if found.share is None else f"{_percent(abs(found.share))} ("
    size = f"{share}{_amount(row, abs(found.difference))}{')' if share else ''}"
    parts = [f"{_value(row, found.a)} -> {_amount(row, found.b)}"]
    if found.low is not None and found.high is not None:
        within = " within the runs" if found.method == "one run a side" else ""
        parts.append(f"95 % interval{within} {_value(row, found.low)} to {_amount(row, found.high)}")
    if found.noise is None:
        parts.append(row.why)
    else:
        assumed = "assumed " if found.method == "one run a side" else ""
        beyond = "beyond" if found.beyond_noise else "within"
        parts.append(f"{beyond} the {assumed}A/A noise of {_amount(row, found.noise)}")
    if found.bound and row.metric != LOST:
        parts.append(f"bounds of the clocks {_amount(row, found.bound)} of that")
    told = f"{', '.join(parts)}{_allowance(comparison, row)}; {runs}"
    if row.word == "undecided":
        direction = "higher" if found.difference > 0 else "lower" if found.difference < 0 else "different"
        return f"undecided: {name} is {size} {direction}: {told}"
    return f"{name} is {size} {row.word}: {told}"


def _allowance(comparison: Comparison, row: Compare) -> str:
    tolerance = comparison.tolerance
    if not tolerance:
        return ""
    limit = f"the tolerance of {_percent(tolerance)}"
    stands = verdict(row, tolerance)
    if stands == "too much":
        return f", more than {limit}"
    if stands == "within":
        return f", no more than {limit}"
    return f", and whether it is more than {limit} is not decided" if stands else ""


def compare_text(compared: Compared) -> Text:
    """Headlines of all pairs first; then each pair's tables, notes and environments."""
    text = Text()
    several = len(compared.pairs) > 1
    for pair in compared.pairs:
        for row, line in zip(pair.comparison.gates, headlines(pair.comparison), strict=True):
            failed = verdict(row, pair.comparison.tolerance) == "too much"
            style = "bold red" if failed else "bold"
            paragraph(text, " ", f"{_title(pair.comparison)}: {line}" if several else line, style)
    for pair in compared.pairs:
        text.append("\n")
        _append_pair(text, pair)
    if compared.left_out:
        text.append("\n")
        for line in compared.left_out:
            paragraph(text, f" {MARKS['suspect']}", line, STYLES["suspect"])
    return text


def _title(comparison: Comparison) -> str:
    a, b = comparison.a.label, comparison.b.label
    return a if a == b else f"{a} -> {b}"


def _append_pair(text: Text, pair: Pair) -> None:
    comparison = pair.comparison
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        ids = ", ".join(side.ids[:_SHOWN_IDS])
        more = f" and {len(side.ids) - _SHOWN_IDS} more" if len(side.ids) > _SHOWN_IDS else ""
        paragraph(text, f" {name}  ", f"{side.label}: {_runs(side)}, {ids}{more}")
    text.append("\n").append_text(tables(blocks(comparison)))
    if lines := [*comparison.notes, *_reasons(comparison)]:
        text.append("\n")
        for line in lines:
            paragraph(text, "   ", line, "dim")
    _append_environment(text, pair.environment)


def _reasons(comparison: Comparison) -> list[str]:
    """Why rows with numbers were not judged: one line for each reason."""
    found: dict[str, dict[str, None]] = {}
    for row in comparison.rows:
        if row.why and row.found and not row.gate and (row.metric != LOST or row.found.difference):
            found.setdefault(row.why, {})[row.quantity] = None
    return [f"{', '.join(quantities)}: {why}" for why, quantities in found.items()]


def blocks(comparison: Comparison) -> list[Block]:
    """A table for each metric, in us; what was not compared says why in one line."""
    found = []
    for metric in dict.fromkeys([*(row.metric for row in comparison.rows), *comparison.refused]):
        title = TITLES.get(metric, _NAMES.get(metric, metric))
        if metric in comparison.refused:
            found.append(Block(title, (), (), message=comparison.refused[metric]))
            continue
        rows = [row for row in comparison.rows if row.metric == metric and (row.found or row.gate)]
        if metric == LOST and all(row.found and row.found.a == row.found.b == 0 for row in rows):
            found.append(Block("lost packets", (), (), message="none on either side"))
            continue
        words = "lost packets (of a million)" if metric == LOST else f"{title} ({unit(comparison.bench)})"
        found.append(Block(words, COLUMNS, [_row(row) for row in rows]))
    return found


def _row(row: Compare) -> Row:
    label = f"{row.quantity} (asked)" if row.gate else row.quantity
    found = row.found
    if found is None:
        return Row(label, row.why)
    share = "-" if found.share is None else f"{found.share * 100:+.1f}"
    values = [_value(row, value) for value in (found.a, found.b)]
    changes = [_signed(row, found.difference), share, _signed(row, found.low), _signed(row, found.high)]
    cells = [*values, *changes, "-" if found.noise is None else _value(row, found.noise), row.word]
    return Row(label, cells, "suspect" if row.word == "worse" else "valid")


def _append_environment(text: Text, environment: Sequence[EnvironmentDifference]) -> None:
    text.append("\n what differs in the environments (A -> B)\n", "bold")
    if not environment:
        text.append("   nothing, as far as the runs tell\n")
    for entry in environment[:_MOST_DIFFERENCES]:
        values = " -> ".join(" | ".join(side) for side in (entry.a, entry.b))
        paragraph(text, f"   {entry.section:<12} ", f"{entry.name}: {values}")
    if len(environment) > _MOST_DIFFERENCES:
        text.append(f"   and {len(environment) - _MOST_DIFFERENCES} more: --json has all\n")


def _runs(side: Side) -> str:
    return f"{len(side.ids)} run{'s' if len(side.ids) > 1 else ''}"


def _value(row: Compare, value: float) -> str:
    if row.metric == LOST:
        return f"{value:.0f}" if abs(value) >= 10 or value == 0 else f"{value:.1f}"
    return microseconds(value)


def _amount(row: Compare, value: float) -> str:
    return f"{_value(row, value)} {'of a million' if row.metric == LOST else 'us'}"


def _signed(row: Compare, value: float | None) -> str:
    if value is None:
        return "-"
    shown = _value(row, abs(value))
    return shown if value == 0 else f"{'-' if value < 0 else '+'}{shown}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if abs(share) >= 0.0995 or share == 0 else f"{share * 100:.2g} %"


def compare_json(compared: Compared) -> dict[str, Any]:
    """All of it as JSON values: times in ns, losses in packets of a million, shares of A's value."""
    return {
        "exit_code": compared.exit_code,
        "left_out": list(compared.left_out),
        "comparisons": [
            {
                "headlines": headlines(pair.comparison),
                "worse": pair.comparison.failed,
                "tolerance": pair.comparison.tolerance,
                "bench": pair.comparison.bench.model_dump(mode="json"),
                "a": asdict(pair.comparison.a),
                "b": asdict(pair.comparison.b),
                "rows": [_row_json(row, pair.comparison.tolerance) for row in pair.comparison.rows],
                "refused": pair.comparison.refused,
                "notes": list(pair.comparison.notes),
                "environment": [asdict(entry) for entry in pair.environment],
            }
            for pair in compared.pairs
        ],
    }


def _row_json(row: Compare, tolerance: float) -> dict[str, Any]:
    values = {key: value for key, value in asdict(row).items() if key != "found"}
    return values | {"tolerance": verdict(row, tolerance) or None} | _difference_json(row.found)


def _difference_json(found: Difference | None) -> dict[str, Any]:
    names = ("a", "b", "difference", "share", "low", "high", "noise", "bound", "n_a", "n_b", "method")
    return {name: None if found is None else getattr(found, name) for name in names}


def baselines_text(baselines: Sequence[tuple[str, str, Sequence[str]]], root: str) -> Text:
    """Names, when they were set, and their runs."""
    text = Text()
    if not baselines:
        text.append(f" no baselines in {printable(root)}; `latlab baseline set NAME RUN...` makes one\n")
    for name, since, runs in baselines:
        paragraph(text, f" {name:<16} ", f"set {since}: {', '.join(runs)}")
    return text
