# SPDX-License-Identifier: Apache-2.0
"""The shift function: by how much each quantile moved from A to B, with its 95 % interval and its noise."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from latlab.errors import MeasurementError
from latlab.report.figures import Asked
from latlab.report.figures.style import COLOURS, TITLE_LETTERS, new_figure, styled, time_label, words
from latlab.stats.comparing import Comparison

NOISE = "A/A noise"
MARKERS = {"worse": ("^", COLOURS[1]), "better": ("v", COLOURS[0]), "undecided": ("o", "#6b6b6b")}


def shift(comparison: Comparison, asked: Asked) -> Figure:
    """Raises MeasurementError when the way was not compared, or no quantile has a number on both sides."""
    rows = [row for row in comparison.rows if row.metric == asked.way and row.found is not None]
    if not rows:
        reason = comparison.refused.get(asked.way) or "no number on both sides"
        raise MeasurementError(f"there is nothing to draw of {asked.way}: {reason}")
    with styled():
        made = new_figure(asked.width_inches, 2.4 * (asked.width_inches / 3.5) ** 0.5)
        axes = made.add_subplot()
        axes.axhline(0, color="#000000", lw=0.6)
        known = [(place, row, row.found) for place, row in enumerate(rows) if row.found is not None]
        told: set[str] = set()
        for place, row, found in known:
            if found.noise is not None:
                axes.fill_between([place - 0.4, place + 0.4], -found.noise / 1e3, found.noise / 1e3, color="#d0d0d0",
                                  lw=0, label=_once(NOISE, told))  # fmt: skip
            marker, colour = MARKERS[row.word]
            if found.low is not None and found.high is not None:
                axes.plot([place, place], [found.low / 1e3, found.high / 1e3], color=colour, lw=1.4)
            axes.plot([place], [found.difference / 1e3], marker, color=colour, ms=5 if row.gate else 3.5,
                      mfc=colour if row.gate else "white", label=_once(row.word, told))  # fmt: skip
        axes.set_xticks(np.arange(len(rows)), [row.quantity for row in rows], rotation=45, ha="right")
        label = time_label(asked.way, comparison.bench)
        axes.set_ylabel(f"B - A of {label}".replace(" (", "\n("))
        sides, letters = (("A", comparison.a), ("B", comparison.b)), asked.width_inches * TITLE_LETTERS
        axes.set_title("\n".join(words(f"{name}: {side.label}", letters) for name, side in sides), loc="left")
        handles, labels = axes.get_legend_handles_labels()
        made.legend(handles, labels, loc="outside lower center", ncols=4)
    return made


def _once(label: str, told: set[str]) -> str | None:
    """For the legend: what was not in it before."""
    fresh = label not in told
    told.add(label)
    return label if fresh else None
