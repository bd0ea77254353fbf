# SPDX-License-Identifier: Apache-2.0
"""How large a value the tail of a distribution allows, among so many: what is larger is no part of it.

Above a high level, exceedances follow a generalised Pareto distribution (Pickands 1975), whose shape and scale are
fitted by likelihood; from them follows the level that is exceeded so often as is asked (peaks over threshold; Siffer et
al., KDD 2017, look for anomalies so). The largest fifth of the exceedances counts only as "above" (a censored
likelihood), so the very spikes that are looked for do not make the tail look heavy. Nor is a tail taken for lighter
than an exponential one: that of a normal distribution is, but less and less. Of all pairs of shape and scale that fit
about as well as the best one, the one with the highest level is taken; and of fits to more and to fewer exceedances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latlab.stats.tube import Floats

CHANCE = 0.01
"""That a run without spikes has one."""
MOST_FITTED = 5_000
FEWEST_FITTED = 100
SHARE_FITTED = 0.01
CENSORED = 0.2
PARTS = (1, 3)
"""A tail is fitted to all of these exceedances, and to the largest third."""
AS_GOOD = 1.92
"""Log likelihood below the best: the 95 % interval of one parameter."""
_POINTS = 200


@dataclass(frozen=True)
class Tail:
    """`rate`: how many exceedances of `above` there are in the run, of `shape` and `scale` beyond it."""

    above: float
    rate: float
    shape: float
    scale: float

    def expected(self, value: float) -> float:
        """How many the tail has above `value`, in the whole run; at least for values above `above`."""
        reach = (value - self.above) / self.scale
        if self.shape < 1e-6:
            return self.rate * float(np.exp(-reach))
        return self.rate * float((1 + self.shape * reach) ** (-1 / self.shape))

    def level(self, number: float) -> float:
        """What is exceeded so many times in the run."""
        often = self.rate / number
        if self.shape < 1e-6:
            return self.above + self.scale * float(np.log(often))
        return self.above + self.scale / self.shape * (float(often**self.shape) - 1)


def how_many(total: int) -> int:
    """Of so many values, how many of the largest a tail is fitted to; 0: they are too few."""
    wanted = int(min(max(SHARE_FITTED * total, FEWEST_FITTED), MOST_FITTED))
    return wanted if wanted <= total // 4 else 0


@dataclass(frozen=True)
class Tails:
    """`likely`: those that fit the exceedances, or the largest third of them, about as well as the best one does.
    `highest`: of these, the one that reaches highest."""

    highest: Tail
    likely: tuple[Tail, ...]

    def expected(self, values: Floats) -> Floats:
        """How many a likely tail has above each of these values in the whole run, at the most."""
        above, rate, shape, scale = (
            np.array([getattr(tail, name) for tail in self.likely])[:, None]
            for name in ("above", "rate", "shape", "scale")
        )
        reach = np.maximum(values[None, :] - above, 0.0)
        often: Floats = (rate * np.exp(-np.log1p(shape * reach / scale) / shape)).max(axis=0)
        return np.maximum(often, 1e-300)


def fit(largest: Floats) -> Tails | None:
    """The tails that these values allow, which are all those above the smallest of them; None if they are too few, or
    do not differ."""
    ordered = np.sort(largest)
    if len(ordered) < FEWEST_FITTED:
        return None
    found = [_fit(ordered[-max(len(ordered) // part, FEWEST_FITTED) :]) for part in PARTS]
    if not found[0]:
        return None
    likely = tuple(tail for tails in found for tail in tails)
    return Tails(max(likely, key=lambda tail: tail.level(CHANCE)), likely)


def _fit(ordered: Floats) -> list[Tail]:
    above, beyond = float(ordered[0]), ordered[1:] - ordered[0]
    seen = beyond[: int(len(beyond) * (1 - CENSORED))]
    if len(seen) < FEWEST_FITTED // 2 or seen[-1] <= 0:
        return []
    censored = len(beyond) - len(seen)
    points = np.quantile(seen, (np.arange(_POINTS) + 0.5) / _POINTS)
    shapes = np.linspace(1e-9, 1.5, 76)
    scales = float(seen[-1]) * np.geomspace(0.1, 3, 90) / np.log(1 / CENSORED)
    shape, scale = shapes[:, None], scales[None, :]
    total = np.zeros((len(shapes), len(scales)))
    for value in points:
        total += np.log1p(shape * value / scale)
    likely = -len(seen) * np.log(scale) - (1 / shape + 1) * total * (len(seen) / _POINTS)
    likely -= censored / shape * np.log1p(shape * float(seen[-1]) / scale)
    good = np.argwhere(likely >= likely.max() - AS_GOOD)
    return [Tail(above, float(len(ordered)), float(shapes[i]), float(scales[j])) for i, j in good]
