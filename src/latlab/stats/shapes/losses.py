# SPDX-License-Identifier: Apache-2.0
"""Bursts of loss: packets that were lost together, when single ones are lost at all times.

Lost packets with fewer than 16 others between them belong together, as in RFC 3611; where many are lost anyway, with
fewer. They are a burst when so many together would not happen by chance at the rate of the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latlab.stats.ways import Times

GAP = 16
CHANCE = 0.003
"""That a run which loses packets evenly has a burst."""
LEAST = 3
"""Packets, in a burst."""
MOST_RUNS = 200_000
_NEAR = 0.2
"""Of the time between two losses a gap is, at the most."""


@dataclass(frozen=True)
class Bursts:
    """Arrays with one entry for each burst: first and last lost packet, and how many were lost. `others`: lost singly;
    `chance` that losses look like this without bursts."""

    first: Times
    last: Times
    lost: Times
    others: int
    chance: float


class LossCollector:
    """Give it the numbers of a run's lost packets in order (`add_numbers`), then ask for the `bursts`. It keeps
    about `MOST_RUNS` losses in a row."""

    def __init__(self) -> None:
        self.sent = self.lost = 0
        self._first, self._length = np.empty(0, np.int64), np.empty(0, np.int64)
        self._parts: list[Times] = []
        self._least = 1

    def add_numbers(self, sent: int, lost: Times) -> None:
        """So many were sent, and these of them lost."""
        self.sent += sent
        self.lost += len(lost)
        if not len(lost):
            return
        self._parts.append(lost)
        if sum(map(len, self._parts)) > MOST_RUNS:
            self._join()

    def _join(self) -> None:
        """Losses in a row as one entry. If they are too many, the shorter half of them goes."""
        numbers = np.concatenate(self._parts) if self._parts else np.empty(0, np.int64)
        self._parts = []
        if not len(numbers):
            return
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) != 1)
        first, length = numbers[starts], np.diff(np.append(starts, len(numbers)))
        if len(self._first) and self._first[-1] + self._length[-1] == first[0]:
            self._length[-1] += length[0]
            first, length = first[1:], length[1:]
        self._first, self._length = np.concatenate([self._first, first]), np.concatenate([self._length, length])
        while len(self._first) > MOST_RUNS:
            self._least += 1
            keep = self._length >= self._least
            keep[-1] = True  # it may go on
            self._first, self._length = self._first[keep], self._length[keep]

    def bursts(self) -> Bursts | None:
        """The bursts, or None if losses came evenly."""
        self._join()
        if self.lost < LEAST:
            return None
        first, length = self._first, self._length
        usual, chosen = self.lost / self.sent, np.zeros(0, bool)
        for _ in range(20):
            gap = int(min(GAP, max(1.0, _NEAR / max(usual, 1e-12))))
            if self._least > 1:  # only long ones were kept, so only those can be judged
                gap = 0
            ends = first + length
            starts = np.flatnonzero(np.append(True, first[1:] - ends[:-1] > gap))
            number = np.add.reduceat(length, starts)
            last = ends[np.append(starts[1:] - 1, len(ends) - 1)] - 1
            # How many such groups, or larger ones, the others make by chance.
            follow = -np.expm1((gap + 1) * np.log1p(-min(usual, 0.999)))
            expected = self.sent * usual * follow ** (number - 1.0)
            chosen = (expected < CHANCE) & (number >= max(LEAST, self._least))
            rate = (self.lost - int(number[chosen].sum())) / self.sent
            if rate >= usual * 0.999:
                break
            usual = max(rate, 0.5 / self.sent)
        if not chosen.any():
            return None
        chance = float(expected[chosen].min())
        return Bursts(
            first[starts][chosen], last[chosen], number[chosen], self.lost - int(number[chosen].sum()), min(1.0, chance)
        )
