# SPDX-License-Identifier: Apache-2.0
"""How far the clocks of a flow's two ends were apart, packet by packet, and how far that may be off.

shared     both ends read one kernel's clock: 0, and nothing can be off
exchange   from the measured packets themselves (`stats.clock_path`)
others     a timing method's own readings (`timing`), put between the packets; exchange checks them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from latlab.stats import records as rec
from latlab.stats.bins import Flags
from latlab.stats.clock_path import ClockPath
from latlab.stats.columns import Columns
from latlab.stats.records import Records
from latlab.stats.ways import Times, first_of, lag

UNKNOWN, SHARED, EXCHANGE = "none", "shared", "exchange"
FAR_ERROR = 3
"""A packet's clocks are suspect when their bound is so many times the run's median."""


class Comparison(Protocol):
    """What `Clocks` asks of a way to compare clocks."""

    def of(self, records: Records | Columns) -> tuple[Times, Times]:
        """Of each record: the reflector's clock - the sender's, and the bound of that, in ns."""


@dataclass(frozen=True)
class FromExchanges:
    path: ClockPath

    def of(self, records: Records | Columns) -> tuple[Times, Times]:
        return self.path.at(records["seq"].astype(np.int64), lag(records))


@dataclass(frozen=True)
class FromReadings:
    """Readings of a timing method, in order of time: `time_ns` (sender's clock), `offset_ns`, `error_ns`.

    Between two readings the offset is interpolated, and its bound is the larger one of both and of how far they differ.
    """

    time_ns: Times
    offset_ns: Times
    error_ns: Times

    def of(self, records: Records | Columns) -> tuple[Times, Times]:
        when = np.where(records["w"] != 0, records["w"], records["S"])
        base, start = int(self.offset_ns[0]), int(self.time_ns[0])
        relative = (self.offset_ns - base).astype(np.float64)
        offset = np.interp((when - start).astype(np.float64), (self.time_ns - start).astype(np.float64), relative)
        after = np.clip(np.searchsorted(self.time_ns, when), 1, max(1, len(self.time_ns) - 1))
        before = after - 1
        after = np.minimum(after, len(self.time_ns) - 1)
        moved = np.abs(relative[after] - relative[before]).astype(np.int64)
        error = np.maximum(self.error_ns[before], self.error_ns[after]) + moved
        return offset.round().astype(np.int64) + base, error


@dataclass(frozen=True)
class Clocks:
    """When a clock was not to be trusted: `intervals` are first and last times of the sender's clock, `numbers` first
    and last packets, which hold when the sender's own clock was set.
    """

    method: str = UNKNOWN
    comparison: Comparison | None = None
    intervals: Sequence[tuple[int, int]] = ()
    numbers: Sequence[tuple[int, int]] = ()
    usual_error_ns: int = 0

    @property
    def compared(self) -> bool:
        return self.method != UNKNOWN

    def of(self, records: Records | Columns) -> tuple[Times, Times]:
        """Offset and bound of each record. Zeros where both ends have one clock, and where nothing is known."""
        if self.comparison is None or not len(records):
            zeros = np.zeros(len(records), np.int64)
            return zeros, zeros
        return self.comparison.of(records)

    def suspect(self, records: Records | Columns, error_ns: Times) -> Flags:
        """Which of these packets were measured while a clock was not to be trusted."""
        found: Flags = error_ns > FAR_ERROR * max(self.usual_error_ns, 1)
        if self.method in (UNKNOWN, SHARED, EXCHANGE):
            # What widens the bound of the exchanges is load: its packets must not go, or the network looks better.
            found = np.zeros(len(records), bool)
        if not len(records):
            return found
        columns = Columns.of(records)
        if self.intervals:
            when = first_of(columns, "w", "S")
            for start, end in self.intervals:
                found |= (when >= start) & (when <= end)
        least, most = columns.edges("seq")
        for first, last in self.numbers:
            if first <= most and last >= least:
                found |= (columns.seq >= first) & (columns.seq <= last)
        if found.any():
            found &= columns["flags"] & rec.OWN != 0
        return found


ONE_CLOCK = Clocks(SHARED)
NOT_COMPARED = Clocks()
