# SPDX-License-Identifier: Apache-2.0
"""The shortest path through a tube: how a clock must have moved at the least, when all that is known are bounds."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_Point = tuple[float, float]


def shortest_path(time: Floats, low: Floats, high: Floats) -> Floats:
    """The function with `low <= f <= high` at each time whose graph is shortest; between its bends it is straight.

    Arrays of n entries, times strictly increasing, `low <= high`. Both ends are free. It is known as the taut string
    (Davies & Kovac 2001, Annals of Statistics 29:1), and found here in O(n) by a funnel (Lee & Preparata 1984): what
    can be seen from the last bend lies between a convex chain of upper bounds and a concave one of lower bounds.
    """
    if len(time) == 0:
        return np.empty(0)
    apex: _Point = (float(time[0]), _free_start(low, high))
    bends = [apex]
    above: deque[_Point] = deque()
    below: deque[_Point] = deque()
    for t, under, over in zip(time[1:].tolist(), low[1:].tolist(), high[1:].tolist(), strict=True):
        apex = _narrow(apex, above, below, (t, over), 1.0, bends)
        apex = _narrow(apex, below, above, (t, under), -1.0, bends)
    # The free end: straight on at the same height, unless a bound stands in the way.
    chain = above if above and _slope(apex, above[0]) < 0 else below
    sign = 1.0 if chain is above else -1.0
    while chain and sign * _slope(apex, chain[0]) < 0:
        apex = chain.popleft()
        bends.append(apex)
    return np.interp(time, [t for t, _ in bends], [value for _, value in bends])


def _narrow(
    apex: _Point, own: deque[_Point], other: deque[_Point], point: _Point, sign: float, bends: list[_Point]
) -> _Point:
    """Adds a bound to its chain, and bends the string round the other chain where it must; the new apex. `sign` is 1
    for an upper bound and -1 for a lower one.
    """
    while own and sign * _slope(own[-2] if len(own) > 1 else apex, own[-1]) >= sign * _slope(own[-1], point):
        own.pop()
    if not own:
        while other and sign * _slope(apex, other[0]) > sign * _slope(apex, point):
            apex = other.popleft()
            bends.append(apex)
    own.append(point)
    return apex


def _slope(one: _Point, other: _Point) -> float:
    return (other[1] - one[1]) / (other[0] - one[0])


def _free_start(low: Floats, high: Floats) -> float:
    """The height from which the string runs level for longest."""
    floor, ceiling = np.maximum.accumulate(low), np.minimum.accumulate(high)
    closed = np.flatnonzero(floor > ceiling)
    if not len(closed):
        return float(floor[-1] + ceiling[-1]) / 2
    first = closed[0]
    return float(ceiling[first - 1] if low[first] > ceiling[first - 1] else floor[first - 1])
