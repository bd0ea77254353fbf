# SPDX-License-Identifier: Apache-2.0
"""Two modes: packets that take one of two times, with few between them.

The density at each place of the ordered values is taken from how far apart the values `k` before and after are, so that
a wide mode with few packets is seen as well as a narrow one. A valley between two peaks is one when it is less than
half as deep as the lower of them, and deeper than chance makes it: such a density is off by one in the square root of
k. Only packets within one level are compared: drift and ripple are taken out before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latlab.stats.tube import Floats

FEWEST = 1_000
LEAST_PART = 0.03
"""Share of the packets that is a mode."""
DEPTH = 2.0
"""Times the valley the lower peak is, at the least."""
SIGMAS = 6
_PARTS = 100


@dataclass(frozen=True)
class Modes:
    """`upper_share` of the packets are beyond the valley; `sigmas`: how much deeper it is than chance makes it."""

    low_ns: float
    high_ns: float
    bound_ns: float
    """Of their distance, 95 %."""
    valley_ns: float
    upper_share: float
    sigmas: float


def find_modes(values: Floats) -> Modes | None:
    """Of values in ns, in any order."""
    if len(values) < FEWEST:
        return None
    ordered = _spread(np.sort(values))
    count = len(ordered)
    half = max(15, count // _PARTS // 2)
    width = ordered[2 * half :] - ordered[: -2 * half]
    density = 2 * half / np.maximum(width, 1e-9)
    place = np.arange(half, count - half)
    step = max(1, half // 8)
    density, place = density[::step], place[::step]
    # The highest peak, and on either side of it the one that stands out most above the valley before it.
    top = int(np.argmax(density))
    best: tuple[float, int, int] | None = None
    for side in (-1, 1):
        walk = np.arange(top, -1, -1) if side < 0 else np.arange(top, len(density))
        along = density[walk]
        lowest = np.minimum.accumulate(along)
        second = int(np.argmax(along / lowest))
        valley = int(np.argmin(along[: second + 1]))
        ratio = float(along[second] / lowest[second])
        share = float(place[walk[valley]]) / count
        if LEAST_PART <= share <= 1 - LEAST_PART and (best is None or ratio > best[0]):
            best = (ratio, int(walk[valley]), int(walk[second]))
    if best is None:
        return None
    ratio, valley, second = best
    sigmas = float(np.log(ratio) / np.sqrt(1 / half))
    if ratio < DEPTH or sigmas < SIGMAS:
        return None
    cut = int(place[valley])
    low, high = ordered[:cut], ordered[cut:]
    errors = [
        1.2533 * (np.quantile(part, 0.84) - np.quantile(part, 0.16)) / 2 / np.sqrt(len(part)) for part in (low, high)
    ]
    return Modes(
        float(np.median(low)), float(np.median(high)), 1.96 * float(np.hypot(*errors)), float(ordered[cut]),
        1 - cut / count, sigmas,
    )  # fmt: skip


def _spread(ordered: Floats) -> Floats:
    """Values that a coarse clock made equal, spread evenly over what it cannot tell apart."""
    steps = np.diff(ordered)
    steps = steps[steps > 0]
    if not len(steps) or len(steps) > len(ordered) // 2:
        return ordered
    grain = float(np.median(steps))
    return np.sort(ordered + grain * (np.random.default_rng(1).random(len(ordered)) - 0.5))
