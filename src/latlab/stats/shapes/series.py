# SPDX-License-Identifier: Apache-2.0
"""One metric of a run, reduced to what the search for shapes needs (by `collector`, in one pass).

- the *level*: of each slot of consecutive packets (about 0.1 s) the mean of the middle half, which no spike moves and
  which does not jump when packets take one of two times;
- the *rare*: the largest exceedances above the level of their own slot;
- a random sample of all, for the shape of the distribution, and stretches of packets in a row, for what is too fast
  for slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from latlab.stats.tube import Floats
from latlab.stats.ways import Times

BLOCK = 16_384
"""Packets in a row."""
NARROW, NARROW_SIGMAS = 0.3, 0.771
"""Of a normal distribution so much lies within so many standard deviations."""


@dataclass(frozen=True)
class Series:
    """Of one metric, values in ns, in order of the packets' numbers."""

    period_ns: int
    packets: int
    """In a slot; slot i holds the packets from i * `packets` on."""
    total: int
    """Packets with a value."""
    slot: Times
    count: Times
    level_ns: Floats
    rare: Times
    """Numbers of the packets that are far above their level."""
    excess_ns: Floats
    """Of these, above it."""
    value_ns: Floats
    sample: Times
    sample_ns: Floats
    blocks: list[tuple[Times, Floats]]

    @property
    def time_ns(self) -> Floats:
        """Of the middle of each slot, since packet 0 was due."""
        return (self.slot.astype(np.float64) + 0.5) * (self.packets * self.period_ns)

    @property
    def span_ns(self) -> float:
        return float((self.slot[-1] - self.slot[0] + 1) * self.packets * self.period_ns) if len(self.slot) else 0.0

    @property
    def usual_ns(self) -> float:
        return float(np.median(self.level_ns)) if len(self.level_ns) else 0.0

    @property
    def spread_ns(self) -> float:
        """About one standard deviation of a packet from its level; of two modes, within the narrower one: from the
        shortest interval that holds `NARROW` of the sample."""
        if not len(self.sample):
            return 0.0
        place = np.clip(np.searchsorted(self.slot, self.sample // self.packets), 0, len(self.slot) - 1)
        apart = np.sort(self.sample_ns - self.level_ns[place])
        many = int(NARROW * len(apart))
        return float((apart[many:] - apart[: len(apart) - many]).min()) / NARROW_SIGMAS


def midmean(table: npt.NDArray[np.floating[Any]]) -> Floats:
    """Of each row the mean of its middle half."""
    size = table.shape[1]
    cut = size // 4
    found: Floats = np.sort(table, axis=1)[:, cut : size - cut].mean(axis=1, dtype=np.float64)
    return found
