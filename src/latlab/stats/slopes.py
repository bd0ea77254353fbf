# SPDX-License-Identifier: Apache-2.0
"""Slopes of noisy series that outliers do not move."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


MOST_LAG = 600
"""Over more, a step an hour looks like a slope."""


def usual_slope(time: Floats, level: Floats) -> float:
    """The slope that most of a series has, in units of `level` for one of `time`.

    Of the slopes over an eighth of the series, and `MOST_LAG` entries at most, the middle of the shortest interval that
    holds half of them (the shorth, Andrews et al. 1972): neither steps nor a slope that differed for a third of the
    time move it. Two entries at least.
    """
    lag = max(1, min(MOST_LAG, len(time) // 8))
    slopes = np.sort((level[lag:] - level[:-lag]) / (time[lag:] - time[:-lag]))
    half = len(slopes) // 2
    widths = slopes[half:] - slopes[: len(slopes) - half]
    start = int(np.argmin(widths))
    return float(np.median(slopes[start : start + half + 1]))


def middle_slope(time: Floats, level: Floats) -> float:
    """Of two levels or more: median of the slopes between the first and the second half (after Theil 1950)."""
    half = len(time) // 2
    return float(np.median((level[-half:] - level[:half]) / (time[-half:] - time[:half])))
