# SPDX-License-Identifier: Apache-2.0
"""How well a quantile is known: intervals between two of the samples themselves, whatever their distribution.

Of n independent samples, the number that is at most the true quantile q is binomial (n, q). So the true quantile lies
between the samples with ranks l and u with a probability of at least 95 % when no more than 2.5 % of that binomial is
below l, and no more than 2.5 % at u or above (Hahn & Meeker, Statistical Intervals, 1991, section 5.2; David &
Nagaraja, Order Statistics, 2003, section 7.1). Nothing is assumed of the distribution's shape, only that it does not
change and that one sample says nothing of the next. Packets of one run are not like that: see docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95


def interval_ranks(
    n: int, quantiles: Sequence[Fraction], confidence: float = CONFIDENCE
) -> list[tuple[int, int] | None]:
    """For each quantile (0 < q < 1), the ranks (1 is the smallest) of the two of `n` samples that it lies between.

    The narrowest that hold the confidence on both sides. None where `n` samples are too few to have them.
    """
    if n < 1:
        return [None] * len(quantiles)
    shares = np.array([float(q) for q in quantiles])
    aside = (1 - confidence) / 2
    below = _largest(n, shares, aside)  # P(B <= below) <= aside
    # P(B >= u) = P(n - B <= n - u), and n - B is binomial with 1 - q.
    above = n - _largest(n, np.array([float(1 - q) for q in quantiles]), aside)
    return [
        (low + 1, high) if low >= 0 and high <= n else None
        for low, high in zip(below.tolist(), above.tolist(), strict=True)
    ]


def _largest(n: int, shares: npt.NDArray[np.float64], aside: float) -> npt.NDArray[np.int64]:
    """The largest k for which a binomial (n, share) is at most k with a probability of `aside` or less; -1: none is."""
    from scipy.special import bdtr  # takes a fifth of a second to load

    low = np.full(len(shares), -1, np.int64)
    high = np.ceil(n * shares).astype(np.int64)  # P(B <= n q) is about one half
    while (open_ := high - low > 1).any():
        middle = (low + high) // 2
        inside = (bdtr(middle.astype(np.float64), n, shares) <= aside) & open_
        low = np.where(inside, middle, low)
        high = np.where(open_ & ~inside, middle, high)
    return low
