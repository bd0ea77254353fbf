# SPDX-License-Identifier: Apache-2.0
"""Distribution of many integers in bounded memory: exact while they are few, a log-linear histogram when many.

Quantiles are nearest-rank: the quantile q of n values is the ceil(q n)-th smallest, so it is a value that occurred
(Hyndman & Fan 1996, type 1; numpy's `inverted_cdf`). The histogram splits each power of two into 1024 equal buckets
and answers with the bucket's middle: relative error below 0.05 %, and none at all for magnitudes below 2048.
Moments are merged chunk by chunk (Chan, Golub & LeVeque 1979), which stays accurate where sums of squares do not.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.int64]

SUB_BUCKET_BITS = 10
HISTOGRAM_RELATIVE_ERROR = 0.5 / (1 << SUB_BUCKET_BITS)
_BUCKETS = (64 - SUB_BUCKET_BITS) << SUB_BUCKET_BITS

EXACT_LIMIT = 500_000
"""Values kept as they are: 4 MB for each metric, and a run has about a dozen metrics."""


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
        other = Moments()
        other.n = len(values)
        other.min, other.max = int(values.min()), int(values.max())
        as_float = values.astype(np.float64)
        other.mean = float(as_float.mean())
        other.squares = float(np.square(as_float - other.mean).sum())
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


class Histogram:
    """Counts of integers in log-linear buckets, for either sign; 0.9 MB whatever is added, mergeable."""

    def __init__(self) -> None:
        self.n = 0
        self._counts = np.zeros((2, _BUCKETS), np.int64)  # row 0: negative values by magnitude; row 1: the others

    def add(self, values: Values) -> None:
        self.n += len(values)
        for row, part in ((0, values[values < 0]), (1, values[values >= 0])):
            if len(part):
                # -(v + 1) cannot overflow, and keeps magnitudes 1, 2, ... apart as 0, 1, ...
                magnitude = -(part + 1) if row == 0 else part
                self._counts[row] += np.bincount(_bucket(magnitude), minlength=_BUCKETS)

    def merge(self, other: Histogram) -> None:
        self.n += other.n
        self._counts += other._counts

    def quantile(self, q: Fraction) -> int:
        """The quantile `q`, to `HISTOGRAM_RELATIVE_ERROR`. Raises ValueError if nothing was added."""
        if self.n == 0:
            raise ValueError("a quantile of no values")
        ordered = np.concatenate((self._counts[0][::-1], self._counts[1]))
        index = int(np.searchsorted(np.cumsum(ordered), rank(self.n, q)))
        if index < _BUCKETS:
            return -1 - _middle(_BUCKETS - 1 - index)
        return _middle(index - _BUCKETS)


def _bucket(magnitude: Values) -> Values:
    """Index of the bucket of each magnitude >= 0; below 2 * 2**SUB_BUCKET_BITS a bucket holds one integer."""
    # frexp rounds numbers near 2**53 and above up to the next power of two; the bucket found is the same one,
    # because the buckets of one octave continue those of the octave before.
    exponent = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(exponent - (SUB_BUCKET_BITS + 1), 0)
    bucket: Values = (shift << SUB_BUCKET_BITS) + (magnitude >> shift)
    return bucket


def _middle(bucket: int) -> int:
    sub_buckets = 1 << SUB_BUCKET_BITS
    if bucket < 2 * sub_buckets:
        return bucket
    shift = (bucket >> SUB_BUCKET_BITS) - 1
    low = (bucket - (shift << SUB_BUCKET_BITS)) << shift
    return low + (1 << shift) // 2


class Distribution:
    """Moments and quantiles of a stream of integers; `exact` until more than `exact_limit` values were added."""

    def __init__(self, exact_limit: int = EXACT_LIMIT) -> None:
        self.moments = Moments()
        self._exact_limit = exact_limit
        self._chunks: list[Values] = []
        self._histogram: Histogram | None = None

    @property
    def exact(self) -> bool:
        return self._histogram is None

    def add(self, values: Values) -> None:
        self.moments.add(values)
        if self._histogram is None and self.moments.n > self._exact_limit:
            self._histogram = Histogram()
            for chunk in self._chunks:
                self._histogram.add(chunk)
            self._chunks = []
        if self._histogram is not None:
            self._histogram.add(values)
        else:
            self._chunks.append(values)

    def quantiles(self, wanted: list[Fraction]) -> list[int]:
        """The quantiles `wanted`, each in 0 < q <= 1. Raises ValueError if nothing was added."""
        if self._histogram is not None:
            # The middle of the outermost bucket may lie outside of what occurred.
            low, high = self.moments.min, self.moments.max
            return [min(max(self._histogram.quantile(q), low), high) for q in wanted]
        if self.moments.n == 0:
            raise ValueError("a quantile of no values")
        ordered = np.sort(np.concatenate(self._chunks))
        return [int(ordered[rank(len(ordered), q) - 1]) for q in wanted]
