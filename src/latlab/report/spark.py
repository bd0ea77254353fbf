# SPDX-License-Identifier: Apache-2.0
"""A sparkline: one mark for each cell of `stats.seconds.Cells`, its height the cell's largest value. Pure.

Heights are logarithmic between the lowest and the highest cell, at least over a factor of `LEAST_RANGE`: a usual
wavering stays low, and one peak does not flatten the others. A cell whose packets were all lost is a cross, one of
which nothing is known a blank.
"""

from __future__ import annotations

import numpy as np

from latlab.stats.seconds import NONE_NS, Cells

HEIGHTS, ASCII_HEIGHTS = "▁▂▃▄▅▆▇█", "_.-:=+*#"
LOST, ASCII_LOST, UNKNOWN = "✗", "x", " "
LEAST_RANGE = 2.0
LOWEST_NS = 1.0
"""A value of a clock that was set back may be anything: below this it is as low as this."""


def spark(cells: Cells, *, ascii_only: bool = False) -> str:
    """One letter for each cell."""
    marks, lost = (ASCII_HEIGHTS, ASCII_LOST) if ascii_only else (HEIGHTS, LOST)
    known = cells.max_ns != NONE_NS
    logs = np.log(np.maximum(np.where(known, cells.max_ns, LOWEST_NS), LOWEST_NS).astype(np.float64))
    low, high = (float(logs[known].min()), float(logs[known].max())) if known.any() else (0.0, 0.0)
    span = max(high - low, float(np.log(LEAST_RANGE)))
    heights = np.minimum((logs - low) / span * len(marks), len(marks) - 1).astype(int)
    return "".join(
        marks[height] if has else lost if gone else UNKNOWN
        for height, has, gone in zip(heights.tolist(), known.tolist(), (cells.lost > 0).tolist(), strict=True)
    )


def losses(cells: Cells, *, ascii_only: bool = False) -> str:
    """A cross below each cell in which packets were lost; blanks elsewhere."""
    mark = ASCII_LOST if ascii_only else LOST
    return "".join(mark if lost else UNKNOWN for lost in cells.lost.tolist())


def extent(cells: Cells) -> tuple[int, int] | None:
    """The lowest and the highest of the cells' largest values, in ns; None if there are none."""
    known = cells.max_ns[cells.max_ns != NONE_NS]
    return (int(known.min()), int(known.max())) if len(known) else None
