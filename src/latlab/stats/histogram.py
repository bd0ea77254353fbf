# SPDX-License-Identifier: Apache-2.0
"""Counts of integers in log-linear buckets: what a distribution is when it is too large to be kept.

As in HdrHistogram (https://hdrhistogram.org), each power of two is split into 1024 equal buckets, and a bucket answers
with its middle: relative error below 0.05 %, and none at all for magnitudes below 2048. Two histograms add up to the
one of all their values, in any order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SUB_BUCKET_BITS = 10
HISTOGRAM_RELATIVE_ERROR = 0.5 / (1 << SUB_BUCKET_BITS)

_LINEAR = 1 << SUB_BUCKET_BITS
_SHIFT = 52 - SUB_BUCKET_BITS
_FROM_FLOAT = (1023 + SUB_BUCKET_BITS - 1) << SUB_BUCKET_BITS
"""A float has 52 bits of mantissa, and 1023 is the exponent of 1."""
_EXACT_IN_A_FLOAT = 1 << 53


class Histogram:
    """Of integers of either sign. It holds the buckets from the first to the last that was needed: 2 MB at the most.

    Buckets have the order of their values: those below 0 count down from -1.
    """

    def __init__(self) -> None:
        self.n = 0
        self._first = 0
        self._counts = np.zeros(0, np.int64)

    def add(self, values: Values) -> None:
        if len(values):
            self.add_known(values, values.astype(np.float64), int(values.min()), int(values.max()))

    def add_known(self, values: Values, as_float: Floats, least: int, most: int) -> None:
        """Values that are there as floats, too, and of which the extremes are known."""
        first = _bucket(least)
        self._put(first, np.bincount(_buckets(values, as_float, least, most, first)), len(values))

    def merge(self, other: Histogram) -> None:
        if other.n:
            self._put(other._first, other._counts, other.n)

    def _put(self, first: int, counts: Values, n: int) -> None:
        self.n += n
        last = first + len(counts)
        own_last = self._first + len(self._counts)
        if not len(self._counts):
            self._first, self._counts = first, counts.copy()
            return
        if first < self._first or last > own_last:
            low, high = min(first, self._first), max(last, own_last)
            grown = np.zeros(high - low, np.int64)
            grown[self._first - low : own_last - low] = self._counts
            self._first, self._counts = low, grown
        self._counts[first - self._first : last - self._first] += counts

    def ranked(self, ranks: Sequence[int]) -> list[int]:
        """The values with these ranks (1 is the smallest), to `HISTOGRAM_RELATIVE_ERROR`. ValueError if it is empty."""
        if self.n == 0:
            raise ValueError("a quantile of no values")
        places = np.searchsorted(np.cumsum(self._counts), np.asarray(ranks, np.int64))
        return [_middle(self._first + int(place)) for place in places]


def _buckets(values: Values, as_float: Floats, least: int, most: int, first: int) -> Values:
    """How far after the `first` one the bucket of each value is; below 2048 a bucket holds one integer.

    A float's exponent and the upper bits of its mantissa are the number of the bucket, but for a constant.
    """
    if least >= 0 and most < _EXACT_IN_A_FLOAT:
        found = as_float.view(np.int64) >> _SHIFT
        found -= _FROM_FLOAT + first
        if least < _LINEAR:
            places = np.flatnonzero(values < _LINEAR)
            found[places] = values[places] - first
        return found
    signs = values >> 63  # -1 or 0; -(v + 1) cannot overflow, and keeps 1, 2, ... apart as 0, 1, ...
    magnitudes = values ^ signs
    large = magnitudes >= _EXACT_IN_A_FLOAT
    rounded = np.where(large, magnitudes & ~np.int64(0x7FF), magnitudes)  # or a float would be rounded up
    found = (rounded.astype(np.float64).view(np.int64) >> _SHIFT) - _FROM_FLOAT
    small = magnitudes < _LINEAR
    found[small] = magnitudes[small]
    found ^= signs
    found -= first
    return found


def _bucket(value: int) -> int:
    """Of one value."""
    if value < 0:
        return -1 - _bucket(-1 - value)
    shift = max(0, value.bit_length() - SUB_BUCKET_BITS - 1)
    return (shift << SUB_BUCKET_BITS) + (value >> shift)


def _middle(bucket: int) -> int:
    if bucket < 0:
        return -1 - _middle(-1 - bucket)
    if bucket < 2 * _LINEAR:
        return bucket
    shift = (bucket >> SUB_BUCKET_BITS) - 1
    low = (bucket - (shift << SUB_BUCKET_BITS)) << shift
    return low + (1 << shift) // 2
