# SPDX-License-Identifier: Apache-2.0
"""A run over time: the smallest and the largest latency of each moment, losses, anomalies, and the clocks' offset."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latlab.report.figures import Asked, Line
from latlab.report.figures.style import (
    COLOURS,
    LINE_INCHES,
    TITLE_LETTERS,
    lines_of,
    log_axis,
    new_figure,
    styled,
    time_label,
    us,
    wants_log,
    words,
)
from latlab.report.page.reduce import NONE_LOW, Course

Floats = npt.NDArray[np.float64]
MARKERS = {"network": "v", "clock": "D", "sender": "s", "unknown": "o"}
"""Of each verdict; never by colour alone."""
MOST_ANOMALIES = 12
LOST, CLOCKS = "lost", "clocks not to be trusted"


def series(lines: Sequence[Line], asked: Asked) -> Figure:
    """A panel for each run, and below it one of its clocks' offset, where two clocks were compared."""
    with styled():
        offsets = [_has_offset(line) for line in lines]
        heights = [height for has in offsets for height in ([1.0, 0.45] if has else [1.0])]
        titles = [words(line.label, asked.width_inches * TITLE_LETTERS) for line in lines]
        panels_inches = 1.2 * sum(heights) * math.sqrt(asked.width_inches / 3.5)
        made = new_figure(asked.width_inches, 0.55 + panels_inches + LINE_INCHES * lines_of(titles))
        panels = iter(made.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])
        last, latencies = None, []
        for line, has, title in zip(lines, offsets, titles, strict=True):
            axes = next(panels)
            axes.set_title(title, loc="left")
            _latency(axes, line, asked.way)
            latencies.append(axes)
            axes.set_ylabel(time_label(asked.way, line.document.bench).replace(" (", "\n("))
            last = axes
            if has:
                axes.tick_params(labelbottom=False)
                last = next(panels)
                _offset(last, line)
        _one_scale(latencies, lines, asked.way)
        if last is not None:
            last.set_xlabel("time (s)")
        _legend(made)
    return made


def _course(line: Line) -> Course:
    assert line.measured.course is not None  # what is drawn has one
    return line.measured.course


def _seconds(course: Course) -> Floats:
    """The middles of the bins."""
    found: Floats = (np.arange(course.bins, dtype=np.float64) + 0.5) * (course.seconds / course.bins)
    return found


def _latency(axes: Axes, line: Line, way: str) -> None:
    drawn, course = line.measured.drawn[way], _course(line)
    there = drawn.low_ns != NONE_LOW
    seconds = _seconds(course)
    low, high = (np.where(there, us(values), np.nan) for values in (drawn.low_ns, drawn.high_ns))
    # The outline keeps a bin with a single packet, or with equal ones, from being nothing.
    axes.fill_between(seconds, low, high, color=COLOURS[0], alpha=0.55, linewidth=0.5, edgecolor=COLOURS[0])
    axes.set_xlim(0, course.seconds)
    _suspect(axes, course, seconds)
    top = axes.get_xaxis_transform()
    lost = seconds[course.lost > 0]
    if len(lost):
        axes.plot(lost, np.full(len(lost), 0.03), "x", ms=3, mew=0.7, color="#000000", transform=top, label=LOST)
    for verdict, marker in MARKERS.items():
        times, all_told = _anomalies(line, verdict)
        if times:
            told = "anomaly" if all_told else f"the {MOST_ANOMALIES} largest anomalies"
            axes.plot(times, np.full(len(times), 0.95), marker, ms=3.5, mfc="none", mew=0.8, color=COLOURS[1],
                      transform=top, label=f"{verdict}: {told}")  # fmt: skip


def _one_scale(panels: Sequence[Axes], lines: Sequence[Line], way: str) -> None:
    """The same for all panels, so that they may be held against each other."""
    found = [line.measured.drawn[way] for line in lines]
    low_us = min(float(drawn.low_ns[drawn.low_ns != NONE_LOW].min()) for drawn in found) / 1_000
    high_us = max(float(drawn.high_ns[drawn.low_ns != NONE_LOW].max()) for drawn in found) / 1_000
    log = wants_log(low_us, high_us)
    room = (high_us - low_us) * 0.06 or 1.0
    for axes in panels:
        # Above the highest is where the marks stand.
        axes.set_ylim((low_us * 0.8, high_us * 1.8) if log else (low_us - room, high_us + 3 * room))
        if log:
            log_axis(axes, "y")


def _anomalies(line: Line, verdict: str) -> tuple[list[float], bool]:
    """When the largest ones of a verdict began, in seconds of the run; and whether these are all."""
    document = line.document
    found = sorted((a for a in document.anomalies if a.verdict == verdict), key=lambda a: -abs(a.size))
    times = sorted((a.start_ns - document.timing.start_ns) / 1e9 for a in found[:MOST_ANOMALIES])
    return times, document.anomaly_counts.get(verdict, len(found)) <= len(times)


def _suspect(axes: Axes, course: Course, seconds: Floats) -> None:
    half = course.seconds / course.bins / 2
    at = np.flatnonzero(course.suspect > 0)
    for number, part in enumerate(np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)):
        if len(part):
            axes.axvspan(seconds[part[0]] - half, seconds[part[-1]] + half, facecolor="#e0e0e0", edgecolor="#9a9a9a",
                         hatch="////", lw=0, zorder=0, label=CLOCKS if not number else None)  # fmt: skip


def _has_offset(line: Line) -> bool:
    course = line.measured.course
    return course is not None and bool((course.offset_low_ns != NONE_LOW).any())


def _offset(axes: Axes, line: Line) -> None:
    course = _course(line)
    there = course.offset_low_ns != NONE_LOW
    seconds = _seconds(course)
    low, high = (np.where(there, us(v), np.nan) for v in (course.offset_low_ns, course.offset_high_ns))
    error = np.where(there, us(course.error_ns), np.nan)
    axes.fill_between(seconds, low - error, high + error, color=COLOURS[2], alpha=0.2, lw=0, label="± bound")
    axes.fill_between(seconds, low, high, color=COLOURS[2], lw=0.6, edgecolor=COLOURS[2], label="clock offset")
    axes.set_xlim(0, course.seconds)
    axes.set_ylabel("clock\noffset (µs)")


def _legend(made: Figure) -> None:
    """What any panel marks, each once."""
    found: dict[str, Artist] = {}
    for axes in made.axes:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(map(str, labels), handles, strict=True))
    if found:
        made.legend(list(found.values()), list(found), loc="outside lower center", ncols=3, columnspacing=1.2)
