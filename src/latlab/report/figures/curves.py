# SPDX-License-Identifier: Apache-2.0
"""Distributions as curves: percentiles on a log tail axis, and the complementary distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latlab.report.figures import Asked, Line
from latlab.report.figures.style import (
    COLOURS,
    LEGEND_LETTERS,
    LINE_INCHES,
    legend,
    line_style,
    lines_of,
    log_axis,
    new_figure,
    styled,
    tail_axis,
    time_label,
    us,
    wants_log,
    words,
)
from latlab.stats.quantiles import MIN_BEYOND
from latlab.stats.ways import ABSENT

Floats = npt.NDArray[np.float64]
SUPPORTED = "dotted: fewer than 10 packets beyond"
INTERVALS = "dark band: 95 % interval"
CLOCKS = "light band: ± bound of the clocks"


class _Curve:
    """One run's curve: `tail` is -log10 of the share beyond, times are in us; `bound` is that of the clocks."""

    def __init__(self, line: Line, way: str, width_inches: float) -> None:
        found = line.measured.drawn[way].curve
        summary = line.measured.summary(way)
        assert summary is not None  # what is drawn was measured
        self.label = words(line.label, width_inches * LEGEND_LETTERS)
        # The largest value is the last point: no grid must step over it.
        self.tail: Floats = np.append(np.arange(len(found.values_ns)) / found.per_decade, np.log10(summary.n))
        self.share: Floats = 10.0**-self.tail
        self.value = np.append(us(found.values_ns), summary.max_ns / 1_000)
        self.low = np.append(np.where(found.low_ns == ABSENT, np.nan, us(found.low_ns)), np.nan)
        self.high = np.append(np.where(found.high_ns == ABSENT, np.nan, us(found.high_ns)), np.nan)
        self.bound = summary.bound_ns / 1_000
        self.solid = self.share * summary.n >= MIN_BEYOND


def percentiles(lines: Sequence[Line], asked: Asked) -> Figure:
    """Latency (y) over the percentile (x)."""
    curves = [_Curve(line, asked.way, asked.width_inches) for line in lines]
    with styled():
        made = new_figure(asked.width_inches, _height(asked, curves))
        axes = made.add_subplot()
        for place, curve in enumerate(curves):
            _band(axes.fill_between, curve, place, curve.tail)
            _line(axes, curve, place, curve.tail, curve.value)
        tail_axis(axes, max(float(curve.tail[-1]) for curve in curves))
        _times(axes, curves, "y")
        axes.set_ylabel(time_label(asked.way, lines[0].document.bench))
        _explained(axes, curves)
        legend(made, axes, [curve.label for curve in curves])
    return made


def ccdf(lines: Sequence[Line], asked: Asked) -> Figure:
    """The share of packets that is later (y) than a latency (x)."""
    curves = [_Curve(line, asked.way, asked.width_inches) for line in lines]
    with styled():
        made = new_figure(asked.width_inches, _height(asked, curves))
        axes = made.add_subplot()
        for place, curve in enumerate(curves):
            _band(axes.fill_betweenx, curve, place, curve.share)
            _line(axes, curve, place, curve.value, curve.share)
        log_axis(axes, "y")
        _times(axes, curves, "x")
        axes.set_xlabel(time_label(asked.way, lines[0].document.bench))
        axes.set_ylabel("share of packets that is later")
        axes.set_ylim(min(float(curve.share[-1]) for curve in curves), 1)
        _explained(axes, curves)
        legend(made, axes, [curve.label for curve in curves])
    return made


def _height(asked: Asked, curves: Sequence[_Curve]) -> float:
    return 2.1 * math.sqrt(asked.width_inches / 3.5) + LINE_INCHES * lines_of(curve.label for curve in curves)


def _band(fill: object, curve: _Curve, place: int, along: Floats) -> None:
    colour = COLOURS[place % len(COLOURS)]
    assert callable(fill)
    if curve.bound:
        high = np.where(np.isnan(curve.high), curve.value, curve.high)
        fill(along, curve.low - curve.bound, high + curve.bound, color=colour, alpha=0.12, linewidth=0)
    fill(along, curve.low, curve.high, color=colour, alpha=0.25, linewidth=0)


def _line(axes: Axes, curve: _Curve, place: int, x: Floats, y: Floats) -> None:
    count = int(curve.solid.sum())
    style = line_style(place)
    axes.plot(x[:count], y[:count], label=curve.label, **style)
    axes.plot(x[max(0, count - 1) :], y[max(0, count - 1) :], color=style["color"], linestyle=(0, (0.6, 1.2)), lw=0.8)


def _times(axes: Axes, curves: Sequence[_Curve], which: str) -> None:
    low, high = (min(float(c.value[0]) for c in curves), max(float(c.value[-1]) for c in curves))
    if wants_log(low, high):
        log_axis(axes, which)


def _explained(axes: Axes, curves: Sequence[_Curve]) -> None:
    notes = [INTERVALS, *([CLOCKS] if any(c.bound for c in curves) else []), SUPPORTED]
    axes.set_title("\n".join(notes), loc="left", fontsize=5.5, color="#555555")
