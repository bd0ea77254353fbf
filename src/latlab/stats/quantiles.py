# SPDX-License-Identifier: Apache-2.0
"""Distribution of many integers in bounded memory: exact while they are few, a log-linear histogram when many.

Quantiles are nearest-rank: the quantile q of n values is the ceil(q n)-th smallest, so it is a value that occurred
(Hyndman & Fan 1996, type 1; numpy's `inverted_cdf`). Their intervals are order statistics, too (`stats.intervals`).
Moments are merged chunk by chunk (Chan, Golub & LeVeque 1979), which stays accurate where sums of squares do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from latlab.stats.histogram import HISTOGRAM_RELATIVE_ERROR, Floats, Histogram, Values
from latlab.stats.intervals import interval_ranks

__all__ = ["HISTOGRAM_RELATIVE_ERROR", "Curve", "Distribution", "Histogram", "Moments", "Values", "rank"]

EXACT_LIMIT = 500_000
"""Values kept as they are: 4 MB for each metric, and a run has about a dozen metrics."""
MIN_BEYOND = 10
"""A quantile that fewer samples lie beyond is not known."""
CURVE_POINTS = 64


def rank(n: int, q: Fraction) -> int:
    """1-based rank of the quantile `q` (0 < q <= 1) among `n` >= 1 values."""
    return max(1, math.ceil(q * n))


class Moments:
    """n, min, max, mean and sum of squared deviations of integers, mergeable."""

    def __init__(self) -> None:
        self.n = 0
        self.min = 0
        self.max = 0
        self.mean = 0.0
        self.squares = 0.0

    def add(self, values: Values) -> None:
        if len(values) == 0:
            return
        self.add_known(values.astype(np.float64), int(values.min()), int(values.max()))

    def add_known(self, as_float: Floats, least: int, most: int) -> None:
        """Values that are floats already, of which the extremes are known; the array is used up."""
        other = Moments()
        other.n = len(as_float)
        other.min, other.max = least, most
        other.mean = float(as_float.mean())
        np.subtract(as_float, other.mean, out=as_float)
        other.squares = float(np.square(as_float, out=as_float).sum())
        self.merge(other)

    def merge(self, other: Moments) -> None:
        if other.n == 0:
            return
        if self.n == 0:
            self.min, self.max = other.min, other.max
        else:
            self.min, self.max = min(self.min, other.min), max(self.max, other.max)
        n = self.n + other.n
        delta = other.mean - self.mean
        self.mean += delta * other.n / n
        self.squares += other.squares + delta * delta * self.n * other.n / n
        self.n = n

    @property
    def stddev(self) -> float | None:
        """Sample standard deviation (n - 1 in the denominator); None for fewer than two values."""
        return math.sqrt(self.squares / (self.n - 1)) if self.n > 1 else None


@dataclass(frozen=True)
class Curve:
    """The complementary distribution: a share of `beyond[i]` of the samples is larger than `values_ns[i]`.

    Arrays of k entries. `beyond` falls from near 1 to the share that `MIN_BEYOND` samples are, evenly on a log scale;
    `values_ns` never falls. The true value lies within `low_ns` and `high_ns` with 95 % (`stats.intervals`).
    """

    values_ns: Values
    beyond: npt.NDArray[np.float64]
    low_ns: Values
    high_ns: Values

    def __len__(self) -> int:
        return len(self.values_ns)


class Distribution:
    """Moments and quantiles of a stream of integers; `exact` until more than `exact_limit` values were added."""

    def __init__(self, exact_limit: int = EXACT_LIMIT) -> None:
        self.moments = Moments()
        self._exact_limit = exact_limit
        self._chunks: list[Values] = []
        self._histogram: Histogram | None = None

    @property
    def n(self) -> int:
        return self.moments.n

    @property
    def exact(self) -> bool:
        return self._histogram is None

    def add(self, values: Values) -> None:
        if not len(values):
            return
        least, most = int(values.min()), int(values.max())
        as_float = values.astype(np.float64)
        self._bound(exceeded=self.moments.n + len(values) > self._exact_limit)
        if self._histogram is not None:
            self._histogram.add_known(values, as_float, least, most)
        else:
            self._chunks.append(values)
        self.moments.add_known(as_float, least, most)

    def merge(self, other: Distribution) -> None:
        """Adds what was added to the other one, as if it had been added here."""
        self.moments.merge(other.moments)
        if other._histogram is not None:
            self._bound(exceeded=True)
        else:
            self._bound()
        if self._histogram is None:
            self._chunks += other._chunks
        elif other._histogram is not None:
            self._histogram.merge(other._histogram)
        else:
            for chunk in other._chunks:
                self._histogram.add(chunk)

    def copy(self) -> Distribution:
        found = Distribution(self._exact_limit)
        found.merge(self)
        return found

    def _bound(self, *, exceeded: bool = False) -> None:
        """Goes over to a histogram when there are too many values."""
        if self._histogram is None and (exceeded or self.moments.n > self._exact_limit):
            self._histogram = Histogram()
            for chunk in self._chunks:
                self._histogram.add(chunk)
            self._chunks = []

    def ranked(self, ranks: Sequence[int]) -> list[int]:
        """The values with these ranks, from 1 to n. Raises ValueError if nothing was added."""
        if self._histogram is not None:
            # The middle of the outermost bucket may lie outside of what occurred.
            low, high = self.moments.min, self.moments.max
            return [min(max(value, low), high) for value in self._histogram.ranked(ranks)]
        if self.moments.n == 0:
            raise ValueError("a quantile of no values")
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        ordered = np.sort(self._chunks[0])
        return [int(ordered[one - 1]) for one in ranks]

    def quantiles(self, wanted: Sequence[Fraction]) -> list[int]:
        """The quantiles `wanted`, each in 0 < q <= 1. Raises ValueError if nothing was added."""
        return self.ranked([rank(self.moments.n, q) for q in wanted])

    def intervals(self, wanted: Sequence[Fraction]) -> list[tuple[int, int] | None]:
        """Between which values each quantile lies with 95 %, in 0 < q < 1; None where the samples are too few."""
        ranks = interval_ranks(self.moments.n, wanted)
        flat = self.ranked([one for pair in ranks if pair for one in pair]) if any(ranks) else []
        ends = iter(flat)
        return [(next(ends), next(ends)) if pair else None for pair in ranks]

    def curve(self, points: int = CURVE_POINTS) -> Curve:
        """The complementary distribution at so many places or fewer; of no more than 2 `MIN_BEYOND` values, at none."""
        n = self.moments.n
        if n <= 2 * MIN_BEYOND:
            none = np.empty(0, np.int64)
            return Curve(none, np.empty(0), none, none)
        beyond = np.unique(np.geomspace(MIN_BEYOND, n - MIN_BEYOND, points).round().astype(np.int64))[::-1]
        shares = [Fraction(n - int(count), n) for count in beyond]
        ends = [pair for pair in self.intervals(shares) if pair]
        assert len(ends) == len(shares)  # with 10 samples on each side there are intervals
        low, high = np.array(ends, np.int64).T
        values = np.array(self.ranked([n - int(count) for count in beyond]), np.int64)
        return Curve(values, beyond / n, low, high)
