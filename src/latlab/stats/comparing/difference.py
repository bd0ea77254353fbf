# SPDX-License-Identifier: Apache-2.0
"""The difference of one number between two groups of runs: its interval, and the noise that it has to exceed.

The run is the unit. Packets of one run share its boot, its placement, its caches and its load, so any number of them
says nothing of how the next run will differ; only other runs do.

several a side   trimmed means of the runs, Welch's interval with winsorized variances (Yuen 1974). A tenth of the runs
                 is trimmed at either end from ten runs on: one disturbed run then neither moves the mean nor widens the
                 interval, and runs that are all well lose little.
one against      the one is held against a prediction: it is taken to vary as the others do.
several
one a side       intervals within the runs, put together by the method of variance estimates recovery (Zou & Donner
                 2008), which needs no symmetry. How runs vary is then not known at all, so the noise is made of
                 `ASSUMED_SPREAD`, and whoever shows the result has to say so.

What clocks may be off by (`Observed.bound`) is no chance: it is added to interval and noise in full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

Floats = npt.NDArray[np.float64]
Method = Literal["runs", "one run against several", "one run a side"]

INTERVAL_CHANCE = 0.05
"""That an interval misses the true difference: it is a 95 % interval."""
TRIMMED = 0.1
"""Share of the runs that is left out at either end, rounded down: none of fewer than ten."""
ASSUMED_SPREAD = 0.05
"""Standard deviation between runs of one thing, as a share of the value, where single runs cannot tell it."""
_NORMAL_95 = float(ndtri(1 - INTERVAL_CHANCE / 2))


@dataclass(frozen=True)
class Observed:
    """What one run says of one number: the value, its 95 % interval within the run (None: not known), and by how much
    it may be off because of clocks."""

    value: float
    low: float | None = None
    high: float | None = None
    bound: float = 0.0


@dataclass(frozen=True)
class Difference:
    """`b` - `a`, the middles of two groups of `n_a` and `n_b` runs, in the unit of what was observed.

    The true difference is from `low` to `high` in 95 % of comparisons. Two groups of so many runs of the same thing
    differ by less than `noise` but for the chance that was asked for. All three are None where nothing is known of the
    number's variation. `bound`, of clocks, is in all of them already.
    """

    a: float
    b: float
    n_a: int
    n_b: int
    low: float | None
    high: float | None
    noise: float | None
    bound: float
    method: Method

    @property
    def difference(self) -> float:
        return self.b - self.a

    @property
    def share(self) -> float | None:
        """The difference as a share of `a`; None where `a` is not a positive number that the clocks know."""
        return self.difference / self.a if self.a > self.bound else None

    @property
    def beyond_noise(self) -> bool:
        return self.noise is not None and abs(self.difference) > self.noise


def differ(a: Sequence[Observed], b: Sequence[Observed], chance: float) -> Difference:
    """The difference between two groups of one run at least. `chance` (0 < chance < 1): how often two groups of the
    same thing may differ by more than `noise`. Raises ValueError for an empty group."""
    if not a or not b:
        raise ValueError("a group of no runs")
    middle_a, bound_a = _middle(a)
    middle_b, bound_b = _middle(b)
    bound, step = bound_a + bound_b, middle_b - middle_a
    low: float | None
    if len(a) == len(b) == 1:
        method: Method = "one run a side"
        low, high, noise = _within(a[0], b[0], step, chance)
    else:
        method = "runs" if min(len(a), len(b)) > 1 else "one run against several"
        error, freedom = _welch(a, b) if method == "runs" else _prediction(a, b)
        margin = float(stdtrit(freedom, 1 - INTERVAL_CHANCE / 2)) * error
        low, high, noise = step - margin, step + margin, float(stdtrit(freedom, 1 - chance / 2)) * error
    if low is None or high is None or noise is None:
        return Difference(middle_a, middle_b, len(a), len(b), None, None, None, bound, method)
    return Difference(middle_a, middle_b, len(a), len(b), low - bound, high + bound, noise + bound, bound, method)


def _middle(group: Sequence[Observed]) -> tuple[float, float]:
    """The group's trimmed mean, and how far clocks can move it: it grows with each value, so by all at once."""
    values = np.array([run.value for run in group], np.float64)
    bounds = np.array([run.bound for run in group], np.float64)
    middle = _trimmed_mean(values)
    up, down = _trimmed_mean(values + bounds) - middle, middle - _trimmed_mean(values - bounds)
    return middle, max(up, down, 0.0) if bounds.any() else 0.0


def _trimmed(count: int) -> int:
    return int(TRIMMED * count)


def _trimmed_mean(values: Floats) -> float:
    cut = _trimmed(len(values))
    return float(np.sort(values)[cut : len(values) - cut].mean())


def _welch(a: Sequence[Observed], b: Sequence[Observed]) -> tuple[float, float]:
    """Standard error and degrees of freedom of the difference of two trimmed means (Yuen 1974)."""
    parts = []
    for group in (a, b):
        ordered = np.sort(np.array([run.value for run in group], np.float64))
        count, cut = len(ordered), _trimmed(len(ordered))
        left = count - 2 * cut
        winsorized = np.clip(ordered, ordered[cut], ordered[count - cut - 1])
        squares = float(np.square(winsorized - winsorized.mean()).sum())
        parts.append((max(squares / (left * (left - 1)), _own_variance(group) / left), left - 1))
    (one, free_one), (other, free_other) = parts
    total = one + other
    if total == 0:
        return 0.0, float(free_one + free_other)
    return math.sqrt(total), total**2 / (one**2 / free_one + other**2 / free_other)


def _prediction(a: Sequence[Observed], b: Sequence[Observed]) -> tuple[float, float]:
    """The same for one run against several: that of a prediction of one more run of theirs."""
    several, one = (a, b) if len(b) == 1 else (b, a)
    values = np.array([run.value for run in several], np.float64)
    variance = max(float(values.var(ddof=1)), _own_variance(several))
    return math.sqrt(variance / len(several) + max(variance, _own_variance(one))), float(len(several) - 1)


def _own_variance(group: Sequence[Observed]) -> float:
    """What chance within each run makes of its number: runs cannot differ by less, even if a few happen to.

    0 where it is not known.
    """
    widths = [run.high - run.low for run in group if run.low is not None and run.high is not None]
    return float(np.mean([(width / 2 / _NORMAL_95) ** 2 for width in widths])) if widths else 0.0


def _within(a: Observed, b: Observed, step: float, chance: float) -> tuple[float | None, float | None, float | None]:
    """Lower and upper end, and noise, from what single runs know of themselves."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return None, None, None
    down, up = math.hypot(b.value - b.low, a.high - a.value), math.hypot(b.high - b.value, a.value - a.low)
    times = float(ndtri(1 - chance / 2))
    assumed = ASSUMED_SPREAD * math.hypot(a.value, b.value)
    return step - down, step + up, times * math.hypot(assumed, max(down, up) / _NORMAL_95)
