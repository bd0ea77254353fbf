# SPDX-License-Identifier: Apache-2.0
"""The exchanges of a run, reduced to bins: what the comparison of the clocks and the search for anomalies work on.

A bin is a fixed number of consecutive packets, about 0.1 s of them. Of each it keeps, for both ways, the smallest
difference of stamps, which bounds the clocks, and the lower quartile, which follows the level and is not moved by a
few late packets. A run of a day at 1 kHz makes 200,000 bins: 16 MB, whatever becomes of its 86 million packets.

The differences are those of the clock of the reflector and of the sender: a way there of `forward` ns and a way back
of `back` ns, with a reflector that is ahead by `offset`, are seen as `forward + offset` and `back - offset`. Clocks
drift apart within a bin, too: all its differences are put to what they would have been in its middle, by the drift of
the run's beginning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latlab.stats import records as rec
from latlab.stats.records import Records
from latlab.stats.slopes import usual_slope

Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BIN_NS = 100_000_000
MIN_PACKETS = 8
"""In a bin, of a slow flow."""
MOST_BINS = 200_000
"""In memory. A longer run has longer ones: of 0.4 s, for a day at 1 kHz."""
FEW_BINS = 16
"""A short run is cut into so many, if it has the packets; and so many tell how the clocks drift."""
MOST_DRIFT = 1e-3
"""No clock that runs drifts faster: what looks like it was a step."""
MOST_LAG_NS = 1_000_000_000
"""A packet that left later than this was not late: the sender's clock was set."""
ABSENT = np.iinfo(np.int64).max
_QUARTILE = 0.25


@dataclass(frozen=True)
class Ways:
    """Of n exchanges, each an array of n: when they were sent (sender's clock), and both ways as the stamps have them.

    `ABSENT` where a packet has no such stamps. From the driver to the kernel's stack where those stamps were taken,
    else from the application's wake-up, or to its reading.
    """

    sent_ns: Times
    forward_ns: Times
    back_ns: Times


def ways(records: Records) -> Ways:
    """Of packets' own records (not of extras)."""
    sent, arrived = _first(records, "t", "w"), _first(records, "r", "a")
    answered, home = _first(records, "t2", "w2"), _first(records, "r2", "a2")
    forward = np.where((sent != 0) & (arrived != 0), arrived - sent, ABSENT)
    back = np.where((answered != 0) & (home != 0), home - answered, ABSENT)
    return Ways(np.where(sent != 0, sent, records["S"]), forward, back)


def lag(records: Records) -> Times:
    """How much later than scheduled each packet set out; 0 where that is not known."""
    late: Times = np.where(records["w"] != 0, records["w"] - records["S"], 0)
    return np.where((records["S"] != 0) & (late > 0) & (late < MOST_LAG_NS), late, 0)


def _first(records: Records, *fields: str) -> Times:
    found: Times = records[fields[0]]
    for field in fields[1:]:
        found = np.where(found != 0, found, records[field])
    return found


@dataclass(frozen=True)
class Bins:
    """Arrays with one entry for each bin. Differences are `base_ns` away from the stamps': `forward` is too small by
    it, `back` too large, so that they stay small numbers. `ABSENT` where no packet of the bin has the stamps.
    """

    base_ns: int
    drift: float
    """By which the differences were put to the middle of their bin: ns for each ns."""
    period_ns: float
    packets: int
    """In each bin but the last."""
    first_seq: Times
    """A multiple of `packets`, whether that packet has a record or not."""
    time_ns: Times
    """When its middle packet was sent, on the sender's clock."""
    forward_min_ns: Times
    back_min_ns: Times
    forward_ns: Times
    """Lower quartile."""
    back_ns: Times
    sent: Times
    lost: Times
    duplicated: Times
    reordered: Times

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def both(self) -> Flags:
        """Which bins have an exchange in both ways."""
        found: Flags = (self.forward_ns != ABSENT) & (self.back_ns != ABSENT)
        return found

    def index(self, seq: Times) -> npt.NDArray[np.intp]:
        """The bins of packets with these numbers. The bins must not be empty."""
        return np.clip(np.searchsorted(self.first_seq, seq, side="right") - 1, 0, len(self) - 1)


def packets_of_bin(period_ns: int, count: int = 0) -> int:
    """How many packets make a bin; `count` is the run's, 0 if it is not known."""
    packets = BIN_NS // max(1, period_ns)
    if count:
        packets = min(packets, count // FEW_BINS)
    return max(packets, MIN_PACKETS, -(-count // MOST_BINS))


def make_bins(chunks: Iterable[Records], packets: int, period_ns: int) -> Bins:
    """Reduces a run's records, in the order of the probe's stream, in one pass and in memory for the bins alone."""
    parts: list[dict[str, Times]] = []
    extras: Counter[int] = Counter()
    base, drift, primed = 0, 0.0, False
    held = np.empty(0, rec.RECORD)
    for chunk in chunks:
        own = chunk["flags"] & rec.OWN != 0
        again = chunk["seq"][~own & (chunk["flags"] & rec.DUPLICATED != 0)]
        extras.update((again // packets).tolist())
        held = np.concatenate([held, chunk[own]]) if len(held) else chunk[own]
        if not primed and len(held) and int(held["seq"][-1]) // packets - int(held["seq"][0]) // packets >= FEW_BINS:
            primed = True
            base, drift = _beginning(held, packets, period_ns)
        whole = _whole_bins(held, packets)
        if primed and whole:
            parts.append(_reduce(held[:whole], packets, period_ns, base, drift))
            held = held[whole:].copy()  # not a view that keeps the rest in memory
    if len(held):
        if not primed:
            base, drift = _beginning(held, packets, period_ns)
        parts.append(_reduce(held, packets, period_ns, base, drift))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else _EMPTY
    bins = Bins(base_ns=base, drift=drift, period_ns=float(period_ns), packets=packets, **joined)
    if extras and len(bins):
        numbers = np.fromiter(extras.keys(), np.int64, len(extras))
        np.add.at(bins.duplicated, bins.index(numbers * packets), np.fromiter(extras.values(), np.int64, len(extras)))
    return bins


_FIELDS = ("first_seq", "time_ns", "forward_min_ns", "back_min_ns", "forward_ns", "back_ns",
           "sent", "lost", "duplicated", "reordered")  # fmt: skip
_EMPTY: dict[str, Times] = {name: np.empty(0, np.int64) for name in _FIELDS}


def _beginning(held: Records, packets: int, period_ns: int) -> tuple[int, float]:
    """About how far the clocks are apart in the run's first bins, and how they drift, in ns for each ns. Of exactly so
    many records, whatever the chunks, so that these do not matter.
    """
    first = int(held["seq"][0]) // packets
    held = held[held["seq"] // packets < first + FEW_BINS]
    base = _base(held)
    bins = _reduce(held, packets, period_ns, base, 0.0)
    both = (bins["forward_ns"] != ABSENT) & (bins["back_ns"] != ABSENT)
    if both.sum() < FEW_BINS // 2:
        return base, 0.0
    middle = (bins["forward_ns"][both] - bins["back_ns"][both]) / 2
    drift = usual_slope(bins["first_seq"][both].astype(np.float64) * period_ns, middle)
    return base, drift if abs(drift) <= MOST_DRIFT else 0.0


def _base(records: Records) -> int:
    """About how far the clocks are apart, so that what is left of the differences fits into a float's 53 bits."""
    found = ways(records)
    both = (found.forward_ns != ABSENT) & (found.back_ns != ABSENT)
    if both.any():
        first = int(np.argmax(both))
        return (int(found.forward_ns[first]) - int(found.back_ns[first])) // 2
    one = found.forward_ns[found.forward_ns != ABSENT]
    return int(one[0]) if len(one) else 0


def _whole_bins(records: Records, packets: int) -> int:
    """How many of these records belong to bins that are whole: those before the last one's beginning."""
    if not len(records):
        return 0
    numbers = records["seq"] // packets
    return int(np.searchsorted(numbers, numbers[-1], side="left"))


def _reduce(records: Records, packets: int, period_ns: int, base_ns: int, drift: float) -> dict[str, Times]:
    numbers = (records["seq"] // packets).astype(np.int64)
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    sizes = np.diff(np.append(starts, len(records)))
    found = ways(records)
    rows = np.repeat(np.arange(len(starts)), sizes)
    columns = np.arange(len(records)) - starts[rows]
    since = (records["seq"].astype(np.int64) - numbers * packets - packets // 2) * period_ns + lag(records)
    moved = np.round(drift * since).astype(np.int64) + base_ns
    forward = _table(found.forward_ns, moved, rows, columns, sizes)
    back = _table(found.back_ns, -moved, rows, columns, sizes)
    flags = records["flags"]

    def counted(chosen: Flags) -> Times:
        return np.add.reduceat(chosen.astype(np.int64), starts)

    sent = flags & rec.SENT != 0
    return {
        "first_seq": numbers[starts] * packets,
        "time_ns": found.sent_ns[starts + sizes // 2],
        "forward_min_ns": forward[:, 0].copy(),  # not a view that keeps the table in memory
        "back_min_ns": back[:, 0].copy(),
        "forward_ns": _quartile(forward),
        "back_ns": _quartile(back),
        "sent": counted(sent),
        "lost": counted(sent & (flags & rec.ARRIVED == 0)),
        "duplicated": counted(flags & rec.DUPLICATED != 0),
        "reordered": counted(flags & rec.REORDERED != 0),
    }


def _table(values: Times, moved: Times, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp],
           sizes: npt.NDArray[np.intp]) -> Times:  # fmt: skip
    """One row for each bin, sorted, filled up with `ABSENT`."""
    table = np.full((len(sizes), int(sizes.max())), ABSENT, np.int64)
    table[rows, columns] = np.where(values == ABSENT, ABSENT, values - moved)
    table.sort(axis=1)
    return table


def _quartile(table: Times) -> Times:
    """The lower quartile of what is there in each row."""
    there = (table != ABSENT).sum(axis=1)
    place = np.floor(_QUARTILE * np.maximum(there - 1, 0)).astype(np.intp)
    found: Times = table[np.arange(len(table)), place]
    return found


def stretches(chosen: Flags, gap: int) -> list[tuple[int, int]]:
    """First and last index of each stretch of `chosen`; those with at most `gap` others between them are one."""
    places = np.flatnonzero(chosen)
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > gap + 1)
    firsts, lasts = np.append(places[0], places[breaks + 1]), np.append(places[breaks], places[-1])
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
