# SPDX-License-Identifier: Apache-2.0
"""The last minutes of a run, second by second, in a ring of fixed size: the largest value, packets sent and lost.

A second is one of the schedule: packet n belongs to second n * period / 1 s, so that no clock's step moves it. When
seconds are put together the largest value stays the largest: a peak is never averaged away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latlab.stats.ways import Times

KEPT_S = 600
NONE_NS = np.iinfo(np.int64).min
"""In place of the largest value where there is none."""
STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""So many seconds are put together: lengths whose edges a reader can name."""
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Cells:
    """`max_ns`, `sent`, `lost`: int64[cells]. Cell i begins at second `start_s + i * cell_s` of the run."""

    start_s: int
    cell_s: int
    max_ns: Times
    sent: Times
    lost: Times

    @property
    def seconds(self) -> int:
        return len(self.sent) * self.cell_s


class Seconds:
    """Takes packets in the order of seq; keeps the last `KEPT_S` seconds of them."""

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._second = np.full(KEPT_S, -1, np.int64)
        self._max_ns = np.full(KEPT_S, NONE_NS, np.int64)
        self._sent = np.zeros(KEPT_S, np.int64)
        self._lost = np.zeros(KEPT_S, np.int64)
        self.last = -1
        """The latest second of which a packet is known; -1: none."""

    def add(self, seq: Times, value_ns: Times, lost: Times) -> None:
        """Of packets that were sent: their numbers, ascending; value, or `NONE_NS`; 1 where it was lost, else 0."""
        if not len(seq):
            return
        second = seq * self._period_ns // NS_PER_S
        starts = np.flatnonzero(np.diff(second, prepend=-1))
        found = second[starts]
        of_second = (
            np.maximum.reduceat(value_ns, starts),
            np.diff(np.append(starts, len(seq))),
            np.add.reduceat(lost, starts),
        )
        # Only the last ones have a place, each its own.
        recent = found > found[-1] - KEPT_S
        found, (largest, sent, missed) = found[recent], (values[recent] for values in of_second)
        place = found % KEPT_S
        begun = self._second[place] == found
        self._max_ns[place] = np.where(begun, np.maximum(self._max_ns[place], largest), largest)
        self._sent[place] = np.where(begun, self._sent[place], 0) + sent
        self._lost[place] = np.where(begun, self._lost[place], 0) + missed
        self._second[place] = found
        self.last = int(found[-1])

    def cells(self, most: int) -> Cells:
        """The last seconds in at most `most` (>= 1) cells: as many seconds as there are, or are kept, if they fit.

        A cell begins at a multiple of its length, so that a cell's content does not change as the window moves on.
        """
        first = max(0, self.last + 1 - KEPT_S)
        fitting = (step for step in STEPS_S if self.last // step - first // step < most)
        cell_s = next(fitting, STEPS_S[-1])
        last_cell = self.last // cell_s
        first_cell = max(first // cell_s, last_cell + 1 - most)
        count = max(0, last_cell + 1 - first_cell)
        seconds = np.arange(first_cell * cell_s, (first_cell + count) * cell_s)
        place = seconds % KEPT_S
        known = (self._second[place] == seconds) & (seconds >= 0)
        table = (
            np.where(known, self._max_ns[place], NONE_NS).reshape(count, cell_s),
            np.where(known, self._sent[place], 0).reshape(count, cell_s),
            np.where(known, self._lost[place], 0).reshape(count, cell_s),
        )
        return Cells(
            first_cell * cell_s,
            cell_s,
            table[0].max(axis=1, initial=NONE_NS),
            table[1].sum(axis=1),
            table[2].sum(axis=1),
        )

    def second(self, number: int) -> tuple[int | None, int, int]:
        """Largest value in ns (None: no value), packets sent, lost, in one second; nothing if it is not kept."""
        place = number % KEPT_S
        if number < 0 or self._second[place] != number:
            return None, 0, 0
        largest = int(self._max_ns[place])
        return None if largest == NONE_NS else largest, int(self._sent[place]), int(self._lost[place])
