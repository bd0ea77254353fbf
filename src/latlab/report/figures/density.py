# SPDX-License-Identifier: Apache-2.0
"""Counts of packets by latency: as a histogram, and over time. Bins are an eighth of a doubling wide."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from latlab.report.figures import Asked, Line
from latlab.report.figures.style import (
    LEGEND_LETTERS,
    LINE_INCHES,
    TITLE_LETTERS,
    legend,
    line_style,
    lines_of,
    log_axis,
    new_figure,
    styled,
    time_label,
    words,
)
from latlab.report.page.measured import Drawn
from latlab.report.page.reduce import ROWS_PER_OCTAVE

Floats = npt.NDArray[np.float64]


def edges_us(drawn: Drawn) -> Floats:
    """The edges of the rows of its counts, in us."""
    rows = np.arange(drawn.heat.shape[1] + 1) + drawn.first_row
    found: Floats = np.exp2(rows / ROWS_PER_OCTAVE) / 1_000
    return found


def _shades() -> Colormap:
    """viridis without its lightest part: on white, one late packet has to be seen."""
    return ListedColormap(matplotlib.colormaps["viridis_r"](np.linspace(0.22, 1, 256)))


def not_drawn(line: Line, way: str) -> str:
    """What a log axis cannot show: times of 0 and below, which clocks that are apart give."""
    below = line.measured.drawn[way].below
    return f"{below} packets of 0 or below are not drawn: the clocks were apart" if below else ""


def histogram(lines: Sequence[Line], asked: Asked) -> Figure:
    """Packets (y, log) by latency (x, log), a line for each run."""
    with styled():
        labels = [words(line.label, asked.width_inches * LEGEND_LETTERS) for line in lines]
        made = new_figure(asked.width_inches, 2 * math.sqrt(asked.width_inches / 3.5) + LINE_INCHES * lines_of(labels))
        axes = made.add_subplot()
        for place, line in enumerate(lines):
            drawn = line.measured.drawn[asked.way]
            counts = drawn.heat.sum(axis=0)
            axes.stairs(counts, edges_us(drawn), label=labels[place], baseline=0.5, **line_style(place))
        log_axis(axes, "x")
        log_axis(axes, "y")
        axes.set_ylim(bottom=0.5)
        axes.set_xlabel(time_label(asked.way, lines[0].document.bench))
        axes.set_ylabel("packets in each bin")
        _noted(axes, [not_drawn(line, asked.way) for line in lines])
        legend(made, axes, labels)
    return made


def heat(lines: Sequence[Line], asked: Asked) -> Figure:
    """Latency (y, log) over time (x), the number of packets as shade; a panel for each run."""
    with styled():
        titles = [words(line.label, asked.width_inches * TITLE_LETTERS) for line in lines]
        panel = 1.15 * math.sqrt(asked.width_inches / 3.5)
        made = new_figure(asked.width_inches, 0.8 + panel * len(lines) + LINE_INCHES * lines_of(titles))
        panels = made.subplots(len(lines), 1, squeeze=False, sharey=True)[:, 0]
        most = max(int(line.measured.drawn[asked.way].heat.max()) for line in lines)
        mesh = None
        for axes, line, title in zip(panels, lines, titles, strict=True):
            drawn, course = line.measured.drawn[asked.way], line.measured.course
            assert course is not None  # what is drawn has one
            seconds = np.arange(drawn.heat.shape[0] + 1) * (course.seconds * course.per_column / course.bins)
            counts = np.ma.masked_equal(drawn.heat.T, 0)
            mesh = axes.pcolormesh(
                seconds, edges_us(drawn), counts, norm=LogNorm(1, max(2, most)), cmap=_shades(), rasterized=True
            )
            axes.set_xlim(0, course.seconds)
            axes.grid(visible=False)
            log_axis(axes, "y")
            axes.set_title(title, loc="left")
            _noted(axes, [not_drawn(line, asked.way)])
        panels[-1].set_xlabel("time (s)")
        made.supylabel(time_label(asked.way, lines[0].document.bench), fontsize=7.5)
        assert mesh is not None  # there is one panel at least
        bar = made.colorbar(mesh, ax=list(panels), orientation="horizontal", aspect=40, shrink=0.8)
        bar.set_label("packets in each cell")
        bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.ax.xaxis.set_minor_formatter(NullFormatter())
    return made


def _noted(axes: Axes, notes: Sequence[str]) -> None:
    told = "; ".join(dict.fromkeys(filter(None, notes)))
    if told:
        axes.annotate(told, (0.01, 0.01), xycoords="axes fraction", fontsize=5.5, color="#555555")
