# SPDX-License-Identifier: Apache-2.0
"""One metric of a run, reduced in one pass to what the search for shapes needs, in memory that has a limit.

- the *level*: of each slot of consecutive packets (about 0.1 s) the mean of the middle half, which no spike moves and
  which does not jump when packets take one of two times;
- the *rare*: the largest exceedances above the level of their own slot. More than twice `RARE` of them are cut to the
  `RARE` largest, and only larger ones are kept from then on;
- a random sample of all, for the shape of the distribution, and stretches of packets in a row, for what is too fast
  for slots.

A run of 10^8 packets makes 200,000 slots; all of it takes about 12 MB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latlab.stats.bins import Times, packets_of_bin
from latlab.stats.tube import Floats

RARE = 65_536
SAMPLE = 65_536
BLOCK = 16_384
"""Packets in a row."""
MOST_BLOCKS = 12
NARROW, NARROW_SIGMAS = 0.3, 0.771
"""Of a normal distribution so much lies within so many standard deviations."""
_PIECE = 262_144
"""Packets that are looked at together: what a cache holds."""


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
        found: Floats = (self.slot + 0.5) * float(self.packets * self.period_ns)
        return found

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


class Collector:
    """Give it the values of a metric in the order of their packets' numbers (`add`), then take the `series`."""

    def __init__(self, period_ns: int, count: int = 0, *, over_ns: int | None = None) -> None:
        """`count`: of the run's packets, 0 if it is not known. `over_ns`: a spike is what is above, if that is given."""
        self.period_ns, self.packets = period_ns, packets_of_bin(period_ns, count)
        self.total = 0
        self._over_ns = over_ns
        self._base: int | None = None
        self._seq, self._values = np.empty(0, np.int64), np.empty(0)
        self._slots: list[tuple[Times, Times, Floats]] = []
        self._rare: list[tuple[Times, Floats, Floats]] = []
        self._kept, self._limit = 0, 0.0
        self._rng = np.random.default_rng(1)
        self._share = min(1.0, SAMPLE / count) if count else 1.0
        self._sample: list[tuple[Times, Floats]] = []
        self._sampled = 0
        self._stride = max(BLOCK, count // MOST_BLOCKS)
        self._blocks: dict[int, list[tuple[Times, Floats]]] = {}

    def add(self, seq: Times, values_ns: Times) -> None:
        """Arrays of any length; numbers never fall."""
        for begin in range(0, len(seq), _PIECE):
            self._add(seq[begin : begin + _PIECE], values_ns[begin : begin + _PIECE])

    def _add(self, seq: Times, values_ns: Times) -> None:
        if self._base is None:
            self._base = int(values_ns[0])
        self.total += len(seq)
        values = (values_ns - self._base).astype(np.float64)
        self._take_sample(seq, values)
        self._take_blocks(seq, values)
        if len(self._seq):
            seq, values = np.concatenate([self._seq, seq]), np.concatenate([self._values, values])
        whole = int(np.searchsorted(seq, seq[-1] // self.packets * self.packets))
        self._reduce(seq[:whole], values[:whole])
        self._seq, self._values = seq[whole:].copy(), values[whole:].copy()

    def _reduce(self, seq: Times, values: Floats) -> None:
        if not len(seq):
            return
        first, last = int(seq[0]) // self.packets, int(seq[-1]) // self.packets
        if last - first <= len(seq):
            slots = np.arange(first, last + 1)
            starts = np.searchsorted(seq, slots * self.packets)
            sizes = np.diff(np.append(starts, len(seq)))
            slots, sizes = slots[sizes > 0], sizes[sizes > 0]
        else:  # a long gap
            slots, sizes = np.unique(seq // self.packets, return_counts=True)
        if len(sizes) and int(sizes.min()) == self.packets == int(sizes.max()):
            table = values.reshape(-1, self.packets)
            level = midmean(table)
            excess = (table - level[:, None]).ravel()
        else:
            level = np.empty(len(slots))
            rows = np.repeat(np.arange(len(slots)), sizes)
            for size in np.unique(sizes).tolist():
                alike = sizes == size
                level[alike] = midmean(values[alike[rows]].reshape(-1, size))
            excess = values - level[rows]
        self._slots.append((slots, sizes, level))
        if self._over_ns is None:
            chosen = np.flatnonzero(excess > self._limit)
        else:
            chosen = np.flatnonzero((values > self._over_ns - (self._base or 0)) & (excess > self._limit))
        self._rare.append((seq[chosen], excess[chosen], values[chosen]))
        self._kept += len(chosen)
        if self._kept > 2 * RARE:
            self._cut()

    def _cut(self) -> None:
        numbers, excess, values = (np.concatenate(part) for part in zip(*self._rare, strict=True))
        self._limit = float(np.partition(excess, len(excess) - RARE)[len(excess) - RARE])
        large = excess > self._limit
        self._rare, self._kept = [(numbers[large], excess[large], values[large])], int(large.sum())

    def _take_sample(self, seq: Times, values: Floats) -> None:
        if self._share >= 1:
            chosen: npt.NDArray[np.intp] = np.arange(len(seq))
        else:
            wanted = self._rng.binomial(len(seq), self._share)
            chosen = np.unique(self._rng.integers(0, len(seq), wanted))
        self._sample.append((seq[chosen], values[chosen]))
        self._sampled += len(chosen)
        if self._sampled > 2 * SAMPLE:
            numbers, kept = (np.concatenate(part) for part in zip(*self._sample, strict=True))
            half = self._rng.random(len(numbers)) < 0.5
            self._sample, self._sampled = [(numbers[half], kept[half])], int(half.sum())
            self._share /= 2

    def _take_blocks(self, seq: Times, values: Floats) -> None:
        for number in range(int(seq[0]) // self._stride, int(seq[-1]) // self._stride + 1):
            begin, end = np.searchsorted(seq, (number * self._stride, number * self._stride + BLOCK))
            if end > begin:
                self._blocks.setdefault(number, []).append((seq[begin:end].copy(), values[begin:end].copy()))
        while len(self._blocks) > 2 * MOST_BLOCKS:
            self._stride *= 2
            self._blocks = {old // 2: parts for old, parts in self._blocks.items() if old % 2 == 0}

    def series(self) -> Series:
        """What was added so far; nothing may be added afterwards."""
        self._reduce(self._seq, self._values)
        self._seq, self._values = np.empty(0, np.int64), np.empty(0)
        base = float(self._base or 0)
        none = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        slot, count, level = (np.concatenate(part) for part in zip(*(self._slots or [none]), strict=True))
        none_rare = (np.empty(0, np.int64), np.empty(0), np.empty(0))
        rare, excess, value = (np.concatenate(part) for part in zip(*(self._rare or [none_rare]), strict=True))
        sample, sampled = (np.concatenate(part) for part in zip(*(self._sample or [none_rare[:2]]), strict=True))
        blocks = [
            (np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]) + base)
            for _, parts in sorted(self._blocks.items())
        ]
        return Series(
            self.period_ns, self.packets, self.total, slot, count, level + base, rare, excess, value + base,
            sample, sampled + base, blocks,
        )  # fmt: skip


def midmean(table: Floats) -> Floats:
    """Of each row the mean of its middle half."""
    size = table.shape[1]
    cut = size // 4
    found: Floats = np.sort(table, axis=1)[:, cut : size - cut].mean(axis=1)
    return found
