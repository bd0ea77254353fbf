# SPDX-License-Identifier: Apache-2.0
"""The quantiles of a run from the middle to as far out as its samples reach, each with how well it is known."""

from __future__ import annotations

from latlab.report.layout import Block, Row, microseconds
from latlab.report.notes import NOT_KNOWN
from latlab.report.table import known, unit
from latlab.stats.summary import QUANTILES, Summary
from latlab.store.document import RunDocument

NOT_MANY = "-"
"""Too few samples lie beyond a quantile."""
WAYS = {"round_trip": "round trip", "up": "up", "down": "down"}


def tails_block(document: RunDocument) -> Block | None:
    """A row for each quantile, a column for each way that was measured; what never came below them. None: no way was.

    "412 [408..417]": 412 us, and with 95 % between 408 and 417 (`stats.intervals`).
    """
    ways = {key: result for key in WAYS if isinstance(result := document.metrics.get(key), Summary)}
    if not ways:
        return None
    cells = {name: [_cell(result, name) for result in ways.values()] for name in QUANTILES}
    rows = [Row(name, row) for name, row in cells.items() if set(row) != {NOT_MANY}]
    few = [name for name, row in cells.items() if set(row) == {NOT_MANY}]
    if few:
        rows.append(Row(" ... ".join(dict.fromkeys((few[0], few[-1]))), [NOT_MANY] * len(ways)))
    counts = document.counts
    rows.append(Row(f"lost {counts.lost} · late {counts.late} · of {counts.sent} sent", ""))
    words = ("95 % intervals",) if any(result.intervals_ns for result in ways.values()) else ()
    return Block(f"tails ({unit(document.bench, *words)})", [WAYS[key] for key in ways], rows)


def _cell(result: Summary, name: str) -> str:
    told = known(result.quantiles_ns.get(name), result.bound_ns)
    interval = result.intervals_ns.get(name)
    if interval is None or told == NOT_KNOWN:
        return told
    return f"{told} [{microseconds(interval[0])}..{microseconds(interval[1])}]"
