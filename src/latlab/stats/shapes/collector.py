# SPDX-License-Identifier: Apache-2.0
"""Fills the series of a metric in one pass over its values, in memory that has a limit.

More than twice `RARE` exceedances are cut to the `RARE` largest, and only larger ones are kept from then on. A run of
10^8 packets makes 200,000 slots; all that is kept of it takes about 12 MB. What has to be done with a chunk alone
(`look`) may be done by several threads, `join` in the chunks' order: the result does not depend on the threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latlab.stats.bins import packets_of_bin
from latlab.stats.shapes.series import BLOCK, Series, midmean
from latlab.stats.tube import Floats
from latlab.stats.ways import Times

RARE = 65_536
SAMPLE = 65_536
MOST_BLOCKS = 12
HELD = 20
"""Times the median distance from the median a slot's level is, and it is no level any more: its packets were held."""
AROUND = 16
"""Slots on either side of such a one say what its level would have been; of fewer, nobody can say."""
PIECE = 65_536
"""Packets that are looked at together: what a cache holds."""

_Slots = tuple[Times, Times, Floats]
_Rare = tuple[Times, Floats, Floats]
_NO_SLOTS: _Slots = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
_NO_RARE: _Rare = (np.empty(0, np.int64), np.empty(0), np.empty(0))


@dataclass(frozen=True)
class Part:
    """What a chunk tells by itself. `head` and `tail`: packets of slots that may have others in the chunks beside."""

    total: int
    head: tuple[Times, Times]
    slots: _Slots
    rare: _Rare
    tail: tuple[Times, Times]
    share: float
    sample: tuple[Times, Times]
    stride: int
    blocks: dict[int, tuple[Times, Times]]


class Collector:
    """Give it the values of a metric in the order of their packets' numbers (`add`), then take the `series`."""

    def __init__(self, period_ns: int, count: int = 0, *, over_ns: int | None = None) -> None:
        """`count`: of the run's packets, 0 if it is not known. `over_ns`: a spike is what takes longer, if given."""
        self.period_ns, self.packets = period_ns, packets_of_bin(period_ns, count)
        self.total = 0
        self._over_ns = over_ns
        self._held: list[tuple[Times, Times]] = []
        self._slots: list[_Slots] = []
        self._rare: list[_Rare] = []
        self._kept, self._limit = 0, 0.0
        self._rng = np.random.default_rng(1)
        self._share = min(1.0, SAMPLE / count) if count else 1.0
        self._sample: list[tuple[Times, Times]] = []
        self._sampled = 0
        self._stride = max(BLOCK, count // MOST_BLOCKS)
        self._blocks: dict[int, list[tuple[Times, Times]]] = {}

    def add(self, seq: Times, values_ns: Times) -> None:
        """Arrays of any length; numbers rise."""
        for begin in range(0, len(seq), PIECE):
            self.join(self.look(seq[begin : begin + PIECE], values_ns[begin : begin + PIECE]))

    def look(self, seq: Times, values_ns: Times) -> Part | None:
        """Changes nothing here; of at most some `PIECE` packets. None: there are none."""
        if not len(seq):
            return None
        first, last = int(seq[0]), int(seq[-1])
        begin, end = np.searchsorted(
            seq, (-(-first // self.packets) * self.packets, last // self.packets * self.packets)
        )
        end = max(begin, end)
        slots, rare = self._reduce(seq[begin:end], values_ns[begin:end])
        share, stride = self._share, self._stride
        if share >= 1:
            chosen: npt.NDArray[np.intp] | slice = slice(None)
        else:
            rng = np.random.default_rng([first, len(seq)])
            chosen = np.unique(rng.integers(0, len(seq), rng.binomial(len(seq), share)))
        blocks = {}
        gap = (last - first) // stride > len(seq)  # a long one
        for number in np.unique(seq // stride).tolist() if gap else range(first // stride, last // stride + 1):
            low, high = np.searchsorted(seq, (number * stride, number * stride + BLOCK))
            if high > low:
                blocks[number] = (seq[low:high].copy(), values_ns[low:high].copy())
        # Copies: not views that keep the chunk in memory.
        return Part(
            len(seq), (seq[:begin].copy(), values_ns[:begin].copy()), slots, rare,
            (seq[end:].copy(), values_ns[end:].copy()), share, (seq[chosen].copy(), values_ns[chosen].copy()),
            stride, blocks,
        )  # fmt: skip

    def join(self, part: Part | None) -> None:
        if part is None:
            return
        self.total += part.total
        whole = len(part.slots[0]) > 0
        for edge in (part.head, part.tail):
            if len(edge[0]):
                if self._held and self._held[-1][0][-1] // self.packets != edge[0][0] // self.packets:
                    self._close()
                self._held.append(edge)
            if whole:
                self._close()
                self._keep(part.slots, part.rare)
                whole = False
        share, (numbers, values) = self._share, part.sample
        if share < part.share:
            thinned = self._rng.random(len(numbers)) < share / part.share
            numbers, values = numbers[thinned], values[thinned]
        self._sample.append((numbers, values))
        self._sampled += len(numbers)
        if self._sampled > 2 * SAMPLE:
            self._halve()
        for number, block in part.blocks.items():
            if number * part.stride % self._stride == 0:
                self._blocks.setdefault(number * part.stride // self._stride, []).append(block)
        while len(self._blocks) > 2 * MOST_BLOCKS:
            self._stride *= 2
            self._blocks = {old // 2: parts for old, parts in self._blocks.items() if old % 2 == 0}

    def _close(self) -> None:
        """The slot that is held has ended; or slots: an edge may have more than one of them."""
        if self._held:
            seq, values = (np.concatenate(edge) for edge in zip(*self._held, strict=True))
            self._held = []
            self._keep(*self._reduce(seq, values))

    def _keep(self, slots: _Slots, rare: _Rare) -> None:
        self._slots.append(slots)
        if rare[1].min(initial=np.inf) <= self._limit:
            large = rare[1] > self._limit
            rare = (rare[0][large], rare[1][large], rare[2][large])
        self._rare.append(rare)
        self._kept += len(rare[0])
        if self._kept > 2 * RARE:
            numbers, excess, values = (np.concatenate(column) for column in zip(*self._rare, strict=True))
            self._limit = float(np.partition(excess, len(excess) - RARE)[len(excess) - RARE])
            large = excess > self._limit
            self._rare, self._kept = [(numbers[large], excess[large], values[large])], int(large.sum())

    def _halve(self) -> None:
        numbers, values = (np.concatenate(column) for column in zip(*self._sample, strict=True))
        half = self._rng.random(len(numbers)) < 0.5
        self._sample, self._sampled = [(numbers[half], values[half])], int(half.sum())
        self._share /= 2

    def _reduce(self, seq: Times, values_ns: Times) -> tuple[_Slots, _Rare]:
        """Of whole slots: their levels, and what is far above."""
        if not len(seq):
            return _NO_SLOTS, _NO_RARE
        # Sorting takes most of the time, and half as much for half as many bytes. What 24 bits cannot hold of values
        # this near to each other is less than a clock's nanosecond.
        base = int(np.median(values_ns[:: max(1, len(seq) // 9)]))
        values = (values_ns - base).astype(np.float32)
        first, last = int(seq[0]) // self.packets, int(seq[-1]) // self.packets
        if last - first <= len(seq):
            slots = np.arange(first, last + 1)
            starts = np.searchsorted(seq, slots * self.packets)
            sizes = np.diff(np.append(starts, len(seq)))
            slots, sizes = slots[sizes > 0], sizes[sizes > 0]
        else:  # a long gap
            slots, sizes = np.unique(seq // self.packets, return_counts=True)
        if int(sizes.min()) == int(sizes.max()):
            table = values.reshape(len(slots), -1)
            level = midmean(table)
            excess = (table - level[:, None].astype(np.float32)).ravel()
        else:
            level = np.empty(len(slots))
            rows = np.repeat(np.arange(len(slots)), sizes)
            for size in np.unique(sizes).tolist():
                alike = sizes == size
                level[alike] = midmean(values[alike[rows]].reshape(-1, size))
            excess = values - level[rows].astype(np.float32)
        # All packets of a slot may be held together: it is no measure of how far.
        held = level > float(np.median(level)) + HELD * max(float(np.median(np.abs(level - np.median(level)))), 1.0)
        if len(slots) > 2 * AROUND and held.any():
            usual = np.where(held, np.median(level), level)
            excess = values - np.repeat(usual, sizes).astype(np.float32)
        chosen = np.flatnonzero(excess > self._limit)
        if self._over_ns is not None:
            chosen = chosen[values_ns[chosen] > self._over_ns]
        found = values_ns[chosen].astype(np.float64)
        return (slots, sizes.astype(np.int64), level + base), (seq[chosen], excess[chosen].astype(np.float64), found)

    def series(self) -> Series:
        """Of all that was added. Nothing may be added afterwards."""
        self._close()
        slot, count, level = (np.concatenate(column) for column in zip(*(self._slots or [_NO_SLOTS]), strict=True))
        rare, _, value = (np.concatenate(column) for column in zip(*(self._rare or [_NO_RARE]), strict=True))
        excess = value - _usual(level)[np.searchsorted(slot, rare // self.packets)]
        sample, sampled = (np.concatenate(column) for column in zip(*(self._sample or [_NO_SLOTS[:2]]), strict=True))
        blocks = [
            (
                np.concatenate([seq for seq, _ in parts]),
                np.concatenate([values for _, values in parts]).astype(np.float64),
            )
            for _, parts in sorted(self._blocks.items())
        ]
        return Series(
            self.period_ns, self.packets, self.total, slot, count, level, rare, excess, value,
            sample, sampled.astype(np.float64), blocks,
        )  # fmt: skip


def _usual(level: Floats) -> Floats:
    """The levels, but for slots whose packets were held: for those, that of the slots around them."""
    if len(level) <= 2 * AROUND:
        return level
    padded = np.pad(level, AROUND, mode="reflect")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1), axis=1)
    above = level - around
    found: Floats = np.where(above > HELD * max(float(np.median(np.abs(above))), 1.0), around, level)
    return found
