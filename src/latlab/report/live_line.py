# SPDX-License-Identifier: Apache-2.0
"""A run while it goes on, on one line: beside its progress, or where a screen cannot be drawn. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from latlab.report.layout import microseconds, printable
from latlab.report.live import Shown, about, plus_minus, span
from latlab.report.progress import bar
from latlab.report.spark import spark
from latlab.report.table import emulation
from latlab.stats.summary import Summary
from latlab.timing.standing import ClocksNow

LEAST_SPARK, MOST_SPARK = 10, 60
"""Marks on the one line."""
BEFORE_SPARK = 2
"""What ranks so high has room before the sparkline has."""
LABEL, LEAST_LABEL = 5, 8
"""The label's rank: it is cut where it does not fit, but not to less than this."""


def line(shown: Shown, number: str, label: str, columns: int, ascii_only: bool = False) -> Text:
    """All that has room on one line: the most important first, then the point's label, then what is good to know; the
    rest is the sparkline's. `number` is the point's: "[3/8]".
    """
    state = shown.state
    if shown.failure is not None:
        return Text(printable(f"{number} {label}  measuring; no numbers: {shown.failure}"))
    round_trip = state.metrics.get("round_trip")
    known = round_trip if isinstance(round_trip, Summary) else None
    words = " ".join(word for word in ("us", emulation(shown.document.bench)) if word)
    # In the order in which they stand, each with what follows it; `rank` says how soon one gets room.
    parts = [
        _Part(4, Text(number), " "),
        _Part(LABEL, Text(printable(label))),
        _Part(8, Text(bar(state.own, state.wanted, ascii_only, 8) if state.wanted else "")),
        _Part(3, _done(shown)),
        _Part(0, Text(f"p50 {_quantile(known, 'p50')}"), " "),
        _Part(0, Text(f"p99 {_quantile(known, 'p99')}"), " "),
        _Part(7, Text(f"p99.9 {_quantile(known, 'p99.9')}"), " "),
        _Part(6, Text(f"max {microseconds(known.max_ns if known else None)}"), " "),
        _Part(0, Text(words)),
        _Part(1, _lost(shown)),
        _Part(2, _clock_short(state.clocks, ascii_only)),
    ]
    used = 0
    for part in sorted(parts, key=lambda part: part.rank):
        room = columns - used - (LEAST_SPARK if part.rank > BEFORE_SPARK else 0)
        if part.rank == LABEL and part.width > room >= LEAST_LABEL:
            part.text.truncate(room - len(part.after), overflow="crop" if ascii_only else "ellipsis")
        part.shown = part.text.cell_len > 0 and part.width <= room
        used += part.width if part.shown else 0
    text = Text()
    for part in parts:
        if part.shown:
            text.append_text(part.text).append(part.after)
    left = columns - text.cell_len
    if state.seconds is not None and left > 0:
        text.append(spark(state.seconds.cells(min(left, MOST_SPARK)), ascii_only=ascii_only))
    return text


@dataclass
class _Part:
    """Of the one line."""

    rank: int
    text: Text
    after: str = "  "
    shown: bool = False

    @property
    def width(self) -> int:
        return self.text.cell_len + len(self.after)


def _quantile(known: Summary | None, name: str) -> str:
    return microseconds(known.quantiles_ns.get(name) if known else None)


def _done(shown: Shown) -> Text:
    state = shown.state
    if shown.stalled_s:
        return Text(f"no record for {shown.stalled_s:.0f} s", "yellow")
    return Text(f"{100 * state.own // state.wanted} %" if state.wanted else f"{state.own}")


def _lost(shown: Shown) -> Text:
    counts = shown.state.counts
    return Text(f"lost {counts.lost}", "red" if counts.lost else "")


def _clock_short(clocks: ClocksNow, ascii_only: bool) -> Text:
    style, words = about(clocks)
    if clocks.error_ns and clocks.locked is not False:
        words = f"{'locked' if clocks.locked else 'clocks'} {plus_minus(ascii_only)}{span(clocks.error_ns)}"
    elif clocks.locked is False:
        words = clocks.words.partition(",")[0]
    return Text(words, style)
