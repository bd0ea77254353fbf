# SPDX-License-Identifier: Apache-2.0
"""The difference of one number between two groups of runs: its interval, and the noise that it has to exceed.

The run is the unit. Packets of one run share its boot, its placement, its caches and its load, so any number of them
says nothing of how the next run will differ; only other runs do.

several a side   trimmed means of the runs, Welch's interval with winsorized variances (Yuen 1974), or that of pooled
                 ones if it is wider. A tenth of the runs is trimmed at either end from ten runs on: one disturbed run
                 then neither moves the mean nor widens the interval, and runs that are all well lose little.
one against      the one is held against a prediction: it is taken to vary as the others do. It is within the noise,
several          too, if it is about as far from their middle as one of them: such runs have been seen.
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
ASSUMED_SPREAD = 0.085
"""Standard deviation between runs of one thing, as a share of the value, where single runs cannot tell it: the root
mean square of the probe's nine in benchmarks/results/probe_vs_others.json, of 1.3 % (pinned) to 12.4 % (disturbed)."""
FURTHER = 1.25
"""Times as far as the furthest of several, a single run is still one like it."""
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
        ways = [_welch(a, b), _pooled(a, b)] if method == "runs" else [_prediction(a, b)]
        # A single run is as skewed as runs are: no mean makes it normal, and it needs a wider berth.
        called = chance if method == "runs" else chance / 2
        margin, noise = (
            max(float(stdtrit(freedom, 1 - missed / 2)) * error for error, freedom in ways)
            for missed in (INTERVAL_CHANCE, called)
        )
        low, high = step - margin, step + margin
        if method != "runs":
            noise = max(noise, FURTHER * _furthest(a), FURTHER * _furthest(b))
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


@dataclass(frozen=True)
class _Spread:
    """Of a group's trimmed mean: its squared error, from `left` runs after trimming."""

    squares: float
    left: int
    own: float

    @property
    def error(self) -> float:
        return max(self.squares / (self.left * (self.left - 1)), self.own / self.left)


def _spread(group: Sequence[Observed]) -> _Spread:
    ordered = np.sort(np.array([run.value for run in group], np.float64))
    count, cut = len(ordered), _trimmed(len(ordered))
    winsorized = np.clip(ordered, ordered[cut], ordered[count - cut - 1])
    return _Spread(float(np.square(winsorized - winsorized.mean()).sum()), count - 2 * cut, _own_variance(group))


def _welch(a: Sequence[Observed], b: Sequence[Observed]) -> tuple[float, float]:
    """Standard error and degrees of freedom of the difference of two trimmed means (Yuen 1974)."""
    one, other = _spread(a), _spread(b)
    total = one.error + other.error
    if total == 0:
        return 0.0, float(one.left + other.left - 2)
    return math.sqrt(total), total**2 / (one.error**2 / (one.left - 1) + other.error**2 / (other.left - 1))


def _pooled(a: Sequence[Observed], b: Sequence[Observed]) -> tuple[float, float]:
    """The same if both sides vary alike, as the same thing does: a few runs that happen to be close are no precision,
    when those of the other side are not."""
    one, other = _spread(a), _spread(b)
    freedom = one.left + other.left - 2
    return math.sqrt((one.squares + other.squares) / freedom * (1 / one.left + 1 / other.left)), float(freedom)


def _prediction(a: Sequence[Observed], b: Sequence[Observed]) -> tuple[float, float]:
    """The same for one run against several: that of a prediction of one more run of theirs."""
    several, one = (a, b) if len(b) == 1 else (b, a)
    values = np.array([run.value for run in several], np.float64)
    variance = max(float(values.var(ddof=1)), _own_variance(several))
    return math.sqrt(variance / len(several) + max(variance, _own_variance(one))), float(len(several) - 1)


def _furthest(group: Sequence[Observed]) -> float:
    """How far the group's furthest run is from its middle."""
    middle, _ = _middle(group)
    return max(abs(run.value - middle) for run in group)


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
