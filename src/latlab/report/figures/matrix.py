# SPDX-License-Identifier: Apache-2.0
"""Attachments x loads: a number in each cell, its distribution below it, and whether it keeps the budget, in a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latlab.report.figures import Asked, Line
from latlab.report.figures.density import edges_us
from latlab.report.figures.style import TITLE_LETTERS, lines_of, new_figure, styled, time_label, words
from latlab.report.layout import microseconds
from latlab.report.page.groups import Group, groups_of
from latlab.report.page.judge import Judgement, judge, together
from latlab.report.table import known

FILLS = {"within": "#cfe3f3", "undecided": "#f2f2f2", "over": "#f6c9a8", "unknown": "#ffffff"}
MARKS = {"within": "✓ within", "undecided": "? undecided", "over": "✗ over", "unknown": "- not known"}
ROW_LETTERS = 6
"""Of a row's name, for an inch of the figure's width."""
HATCHES = {"over": "////", "undecided": "...."}
"""Colour, mark and hatching say the same thing, so that any one of them will do."""


@dataclass(frozen=True)
class _Cell:
    text: str
    value_ns: float | None
    judgement: Judgement | None
    lines: Sequence[Line]


def matrix(lines: Sequence[Line], asked: Asked) -> Figure:
    """The statistic of each cell; of several runs of one point the median. Runs of one bench only."""
    (group,) = groups_of([line.document for line in lines])
    cells = {place: _cell([lines[at] for at in members], asked) for place, members in group.cells.items()}
    rows = [words(row, asked.width_inches * ROW_LETTERS) for row in group.rows]
    with styled():
        made = new_figure(asked.width_inches, 0.75 + max(0.42, 0.11 * max(map(_lines, rows))) * len(rows))
        axes = made.add_subplot()
        values = [cell.value_ns for cell in cells.values() if cell.value_ns]
        span = (min(values), max(values)) if values else (1.0, 1.0)
        times = _range(lines, asked.way)
        for (row, column), cell in cells.items():
            _draw(axes, row, column, cell, span, times, asked)
        for row, column in product(range(len(group.rows)), range(len(group.columns))):
            if (row, column) not in cells:
                axes.text(
                    column + 0.5, row + 0.5, "not measured", ha="center", va="center", fontsize=5.5, color="#767676"
                )
        _frame(axes, group, rows, asked, lines)
    return made


def _cell(lines: Sequence[Line], asked: Asked) -> _Cell:
    found = [line.measured.value(asked.way, asked.statistic) for line in lines]
    there = [value.value_ns for value in found if value.value_ns is not None]
    value = median(there) if len(there) == len(found) else None
    judgement = None
    if asked.budget_ns is not None:
        told = [
            judge(value, line.document.counts.lost, line.document.counts.sent, asked.statistic, asked.budget_ns)
            for value, line in zip(found, lines, strict=True)
        ]
        judgement = together(told)
    bound = max(one.bound_ns for one in found)
    text = known(value, bound) + (f" ±{microseconds(bound)}" if bound and value is not None else "")
    return _Cell(text, value, judgement, lines)


def _range(lines: Sequence[Line], way: str) -> tuple[float, float]:
    """Of the times of all distributions, in log2 of us."""
    edges = [edges_us(line.measured.drawn[way]) for line in lines]
    return float(np.log2(min(e[0] for e in edges))), float(np.log2(max(e[-1] for e in edges)))


def _draw(
    axes: Axes, row: int, column: int, cell: _Cell, span: tuple[float, float], times: tuple[float, float], asked: Asked
) -> None:
    fill = FILLS[cell.judgement] if cell.judgement else _shade(cell.value_ns, span)
    hatch = HATCHES.get(cell.judgement or "")
    axes.add_patch(matplotlib.patches.Rectangle((column, row), 1, 1, facecolor=fill, edgecolor="white", lw=1.5))
    if hatch:
        axes.add_patch(matplotlib.patches.Rectangle((column, row), 0.06, 1, facecolor=fill, edgecolor="#555555",
                                                    hatch=hatch, lw=0))  # fmt: skip
    several = f" ({len(cell.lines)} runs)" if len(cell.lines) > 1 else ""
    words_below = MARKS[cell.judgement] if cell.judgement else ""
    worst = {line.document.verdict.value for line in cell.lines} - {"valid"}
    if worst:
        words_below = f"{words_below} {'invalid' if 'invalid' in worst else 'suspect'}".strip()
    axes.text(column + 0.5, row + 0.22, f"{cell.text}{several}", ha="center", va="center", fontsize=7)
    axes.text(column + 0.5, row + 0.48, words_below, ha="center", va="center", fontsize=5.5)
    _distribution(axes, row, column, cell, times, asked.way)


def _distribution(axes: Axes, row: int, column: int, cell: _Cell, times: tuple[float, float], way: str) -> None:
    """The share of packets by log latency, all cells on one axis; the height is a log, so that the tail is seen."""
    first, last = times
    for line in cell.lines:
        drawn = line.measured.drawn[way]
        counts = drawn.heat.sum(axis=0).astype(np.float64)
        middles = np.log2(edges_us(drawn)[:-1]) + 1 / 16
        x = column + 0.08 + 0.84 * (middles - first) / max(last - first, 1e-9)
        height = np.log1p(counts) / np.log1p(counts.max())
        axes.fill_between(x, row + 0.95, row + 0.95 - 0.32 * height, step="mid", color="#404040", alpha=0.55, lw=0.4)


def _shade(value_ns: float | None, span: tuple[float, float]) -> str:
    """Without a budget: the slower, the darker, by the log; light enough for black text."""
    low, high = span
    if not value_ns or value_ns <= 0 or low <= 0:
        return "#ffffff"
    share = 0.0 if high <= low else float(np.log(value_ns / low) / np.log(high / low))
    light, dark = np.array([0.96, 0.97, 0.99]), np.array([0.62, 0.76, 0.88])
    mixed: npt.NDArray[np.float64] = light + (dark - light) * share
    return str(matplotlib.colors.to_hex(tuple(mixed)))


def _lines(text: str) -> int:
    return lines_of([text])


def _frame(axes: Axes, group: Group, rows: Sequence[str], asked: Asked, lines: Sequence[Line]) -> None:
    axes.set_xlim(0, len(group.columns))
    axes.set_ylim(len(group.rows), 0)
    axes.grid(visible=False)
    letters = asked.width_inches * TITLE_LETTERS * 0.8 / len(group.columns)
    axes.set_xticks(np.arange(len(group.columns)) + 0.5, [words(column, letters) for column in group.columns])
    small = max(map(_lines, rows)) > 1
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=5.5 if small else 6.5)
    axes.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
    for side in axes.spines.values():
        side.set_visible(False)
    budget = "" if asked.budget_ns is None else f" · budget {microseconds(asked.budget_ns)} µs"
    axes.set_xlabel(f"{asked.statistic} of {time_label(asked.way, lines[0].document.bench)}{budget}")
