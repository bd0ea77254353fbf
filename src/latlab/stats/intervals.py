# SPDX-License-Identifier: Apache-2.0
"""How well a quantile is known: intervals between two of the samples themselves, whatever their distribution.

Of n independent samples, the number B that is at most the true quantile q is binomial (n, q). So the true quantile
lies between the samples with ranks l and u with the probability P(l <= B < u) (Hahn & Meeker, Statistical Intervals,
1991, section 5.2; David & Nagaraja, Order Statistics, 2003, section 7.1). Nothing is assumed of the distribution's
shape, only that it does not change and that one sample says nothing of the next. Packets of one run are not like that:
see docs/statistics.md.

Ranks are whole numbers, so 95 % is not met exactly. With the ten samples beyond that a quantile must have, one rank is
2.5 % at the most, and the pair nearest to 95 % has 93.5 to 96.5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95

Ranks = tuple[int, int]
_Shares = npt.NDArray[np.float64]
_Numbers = npt.NDArray[np.int64]


def sure_ranks(n: int, quantiles: Sequence[Fraction], confidence: float = CONFIDENCE) -> list[Ranks | None]:
    """For each quantile (0 < q < 1), the ranks (1 is the smallest) of two of `n` samples that it lies between, with
    this confidence at the least: on either side it is missed with no more than half of the rest. None where `n` is too
    small for that.
    """
    if n < 1 or not quantiles:
        return [None] * len(quantiles)
    aside = (1 - confidence) / 2
    below = _largest(n, _shares(quantiles), aside)  # P(B <= below) <= aside
    # P(B >= u) = P(n - B <= n - u), and n - B is binomial with 1 - q.
    above = n - _largest(n, _shares([1 - q for q in quantiles]), aside)
    return [
        (low + 1, high) if low >= 0 and high <= n else None
        for low, high in zip(below.tolist(), above.tolist(), strict=True)
    ]


def interval_ranks(n: int, quantiles: Sequence[Fraction], confidence: float = CONFIDENCE) -> list[Ranks | None]:
    """As `sure_ranks`, or one rank less on either side where that is nearer to the confidence."""
    sure = sure_ranks(n, quantiles, confidence)
    known = [place for place, ranks in enumerate(sure) if ranks]
    if not known:
        return sure
    lows, highs = np.array([sure[place] for place in known], np.int64).T
    shares = _shares([quantiles[place] for place in known])
    choices = [(lows + fewer_low, highs - fewer_high) for fewer_low in (0, 1) for fewer_high in (0, 1)]
    off = [np.abs(coverage(n, shares, low, high) - confidence).round(9) for low, high in choices]
    best = np.argmin(off, axis=0)
    for number, place in enumerate(known):
        low, high = choices[int(best[number])]
        sure[place] = int(low[number]), int(high[number])
    return sure


def coverage(n: int, shares: _Shares, lows: _Numbers, highs: _Numbers) -> _Shares:
    """P(l <= B < u) of each."""
    return _at_most(highs - 1, n, shares) - _at_most(lows - 1, n, shares)


def _shares(quantiles: Sequence[Fraction]) -> _Shares:
    return np.array([float(q) for q in quantiles])


def _at_most(numbers: _Numbers, n: int, shares: _Shares) -> _Shares:
    """P(B <= number)."""
    from scipy.special import bdtr  # takes a fifth of a second to load

    found: _Shares = np.where(numbers < 0, 0.0, bdtr(np.clip(numbers, 0, n).astype(np.float64), n, shares))
    return found


def _largest(n: int, shares: _Shares, aside: float) -> _Numbers:
    """The largest k with P(B <= k) of `aside` or less; -1: there is none."""
    low = np.full(len(shares), -1, np.int64)
    high = np.ceil(n * shares).astype(np.int64)  # P(B <= n q) is about one half
    while (open_ := high - low > 1).any():
        middle = (low + high) // 2
        inside = (_at_most(middle, n, shares) <= aside) & open_
        low = np.where(inside, middle, low)
        high = np.where(open_ & ~inside, middle, high)
    return low
