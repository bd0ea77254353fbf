# SPDX-License-Identifier: Apache-2.0
"""What is drawn of a run, in as few bytes as a level of detail allows.

The file has a limit, whatever the number of runs. At a coarser level neighbouring bins are joined, and keep the
smallest and the largest of all their values: what was late is there at every level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from latlab.report.page.codes import Codes, count_levels, packed, planes, text_of, time_codes
from latlab.report.page.measured import PER_DECADE, Drawn, Measured
from latlab.report.page.reduce import NONE_HIGH, NONE_LOW, ROWS_PER_OCTAVE
from latlab.stats.ways import ABSENT, Times

DENSITY_LEVELS = 60


@dataclass(frozen=True)
class Detail:
    """`join`: bins that are drawn as one; `thin`: every so many points of a curve; `rows` of the histogram over time
    that are one; the most anomalies listed of a run, and the most lines of its script.
    """

    join: int
    thin: int
    rows: int
    anomalies: int
    commands: int


DETAILS = (
    Detail(1, 1, 1, 1_200, 1_000),
    Detail(1, 2, 1, 300, 400),
    Detail(2, 2, 1, 100, 300),
    Detail(2, 2, 2, 60, 0),
    Detail(4, 4, 2, 30, 0),
    Detail(8, 4, 4, 15, 0),
    Detail(16, 8, 4, 5, 0),
    Detail(32, 8, 8, 3, 0),
)


def drawing(measured: Measured, detail: Detail) -> dict[str, Any]:
    """For the page's script: `bins` and `seconds` of the time axis; of each way its curve and density; the rest packed,
    in the order of `parts`: name, length, bytes of each number.
    """
    course = measured.course
    if course is None:
        return {}
    join = detail.join
    bins = -(-course.bins // join)
    columns = -(-bins // course.per_column)
    parts: list[tuple[str, int, int, bytes]] = []

    def times(name: str, codes: Codes) -> None:
        parts.append((name, len(codes), 2, planes(codes)))

    def counts(name: str, values: Times) -> None:
        if values.any():
            times(name, np.minimum(joined(values, join, "sum"), 65_535).astype(np.uint16))

    ways = {}
    for key, way in measured.drawn.items():
        ways[key] = _curve(way, detail) | {"density": _density(way)}
        _envelope(times, key, joined(way.low_ns, join, "min"), joined(way.high_ns, join, "max"))
        heat = _joined_rows(joined(way.heat, join, "sum"), detail.rows, way.first_row)
        ways[key] |= {"row": way.first_row // detail.rows, "rows": heat.shape[1], "below": way.below}
        parts.append((f"{key} heat", heat.size, 1, count_levels(heat).tobytes()))
    counts("lost", course.lost)
    counts("suspect", course.suspect)
    if (course.offset_low_ns != NONE_LOW).any():
        low, high = course.offset_low_ns, course.offset_high_ns
        _envelope(times, "offset", joined(low, join, "min"), joined(high, join, "max"))
        error = joined(course.error_ns, join, "max")
        times("error", time_codes(error, error != 0, "up"))
    return {
        "bins": bins,
        "seconds": course.packets * course.period_ns / 1e9,
        "binSeconds": course.packets * course.period_ns / 1e9 * join / course.bins,
        "perColumn": course.per_column,
        "columns": columns,
        "rowsPerOctave": ROWS_PER_OCTAVE / detail.rows,
        "ways": ways,
        "parts": [part[:3] for part in parts],
        "packed": packed([part[3] for part in parts]),
    }


def joined(values: Times, join: int, how: str) -> Times:
    """Neighbours along the first axis as one: their `min`, `max` or `sum`."""
    if join == 1:
        return values
    starts = np.arange(0, len(values), join)
    found: Times = {"min": np.minimum, "max": np.maximum, "sum": np.add}[how].reduceat(values, starts, axis=0)
    return found


def _joined_rows(heat: Times, rows: int, first: int) -> Times:
    """Rows of the histogram whose numbers, divided by `rows`, are the same."""
    if rows == 1:
        return heat
    numbers = (first + np.arange(heat.shape[1])) // rows
    return np.ascontiguousarray(np.add.reduceat(heat, np.flatnonzero(np.diff(numbers, prepend=-1)), axis=1))


def _envelope(times: Any, name: str, low: Times, high: Times) -> None:
    there = low != NONE_LOW
    times(f"{name} low", time_codes(np.where(there, low, 0), there, "down"))
    times(f"{name} high", time_codes(np.where(high != NONE_HIGH, high, 0), there, "up"))


def _curve(way: Drawn, detail: Detail) -> dict[str, Any]:
    curve, thin = way.curve, detail.thin
    bounds = [time_codes(np.where(ns != ABSENT, ns, 0), ns != ABSENT) for ns in (curve.low_ns, curve.high_ns)]
    codes = (time_codes(curve.values_ns), *bounds)
    return {
        "perDecade": PER_DECADE / thin,
        "points": len(curve.values_ns[::thin]),
        "curve": text_of(np.concatenate([part[::thin] for part in codes])),
    }


def _density(way: Drawn) -> list[int]:
    """First row, then the samples of each row, the fullest `DENSITY_LEVELS`: the root, so that a tail can be seen."""
    rows: npt.NDArray[np.float64] = np.sqrt(way.heat.sum(axis=0))
    return [way.first_row, *np.ceil(rows / max(1.0, rows.max()) * DENSITY_LEVELS).astype(int).tolist()]
