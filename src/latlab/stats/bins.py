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

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latlab.stats import records as rec
from latlab.stats.columns import Columns, columns_of
from latlab.stats.records import Records
from latlab.stats.slopes import usual_slope
from latlab.stats.ways import ABSENT, Times, lag, ways

Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

BIN_NS = 100_000_000
MIN_PACKETS = 8
"""In a bin, of a slow flow."""
MOST_BINS = 200_000
"""In memory. A longer run has longer ones: of 0.4 s, for a day at 1 kHz."""
FEW_BINS = 16
"""A short run is cut into so many, if it has the packets; and so many tell how the clocks drift."""
MOST_DRIFT = 1e-3
"""No clock that runs drifts faster: what looks like it was a step."""
_QUARTILE = 0.25


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

    def index(self, seq: Times) -> Places:
        """The bins of packets with these numbers. The bins must not be empty."""
        if not len(seq):
            return np.empty(0, np.intp)
        # Of the many bins of a run only those of these packets are looked at.
        low, high = np.searchsorted(self.first_seq, (seq.min(), seq.max()), side="right")
        near = self.first_seq[low:high]
        if (seq[1:] >= seq[:-1]).all():
            sizes = np.diff(np.searchsorted(seq, near), prepend=0, append=len(seq))
            found = np.repeat(np.arange(low, high + 1), sizes)
        else:
            found = low + np.searchsorted(near, seq, side="right")
        bins: Places = np.clip(found - 1, 0, len(self) - 1)
        return bins


def packets_of_bin(period_ns: int, count: int = 0) -> int:
    """How many packets make a bin; `count` is the run's, 0 if it is not known."""
    packets = BIN_NS // max(1, period_ns)
    if count:
        packets = min(packets, count // FEW_BINS)
    return max(packets, MIN_PACKETS, -(-count // MOST_BINS))


def make_bins(chunks: Iterable[Records | Columns], packets: int, period_ns: int) -> Bins:
    """Reduces a run's records, in the order of the probe's stream, in one pass and in memory for the bins alone."""
    extras: Counter[int] = Counter()
    cut = _Cut(packets, period_ns)
    parts = [cut.reduced(piece) for piece in _pieces(chunks, cut, extras)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else _EMPTY
    bins = Bins(base_ns=cut.base_ns, drift=cut.drift, period_ns=float(period_ns), packets=packets, **joined)
    if extras and len(bins):
        numbers = np.fromiter(extras.keys(), np.int64, len(extras))
        np.add.at(bins.duplicated, bins.index(numbers * packets), np.fromiter(extras.values(), np.int64, len(extras)))
    return bins


@dataclass
class _Cut:
    """How a run is cut into bins; base and drift are known before the first of them is reduced."""

    packets: int
    period_ns: int
    base_ns: int = 0
    drift: float = 0.0
    known: bool = False

    def learn(self, records: Records) -> None:
        self.known = True
        self.base_ns, self.drift = _beginning(records, self.packets, self.period_ns)

    def reduced(self, piece: Columns) -> dict[str, Times]:
        return _reduce(piece, self.packets, self.period_ns, self.base_ns, self.drift)


def _pieces(chunks: Iterable[Records | Columns], cut: _Cut, extras: Counter[int]) -> Iterator[Columns]:
    """The packets' own records, cut where a bin ends. Counts the duplicates without one by their bins.

    What is held of a chunk for the next one is less than a bin; until base and drift are known, everything.
    """
    packets = cut.packets
    held = np.empty(0, rec.RECORD)
    for chunk in columns_of(chunks):
        own, more = _own(chunk)
        extras.update((more // packets).tolist())
        if not len(own):
            continue
        if not cut.known:
            held = np.concatenate([held, own.records()])
            if int(held["seq"][-1]) // packets - int(held["seq"][0]) // packets < FEW_BINS:
                continue
            cut.learn(held)
            own, held = Columns.of(held), held[:0]
        if len(held):
            head = int(np.searchsorted(own.seq, (int(held["seq"][0]) // packets + 1) * packets))
            held = np.concatenate([held, own[:head].records()])
            if head == len(own):
                continue
            yield Columns.of(held)
            own = own[head:]
        whole = int(np.searchsorted(own.seq, int(own.seq[-1]) // packets * packets))
        if whole:
            yield own[:whole]
        held = own[whole:].records()
    if len(held):
        if not cut.known:
            cut.learn(held)
        yield Columns.of(held)


def _own(chunk: Columns) -> tuple[Columns, Times]:
    """The packets' own records, and the numbers of duplicates without one."""
    extras = chunk.lacking(rec.OWN)
    again: Times = chunk.seq[extras[chunk["flags"][extras] & rec.DUPLICATED != 0]]
    return chunk.having(rec.OWN), again


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
    bins = _reduce(Columns.of(held), packets, period_ns, base, 0.0)
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


def _reduce(records: Columns, packets: int, period_ns: int, base_ns: int, drift: float) -> dict[str, Times]:
    """Of whole bins."""
    seq = records.seq
    numbers = seq // packets
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    sizes = np.diff(np.append(starts, len(seq)))
    found = ways(records)
    moved: Times | int = base_ns
    if drift:
        since = (seq - numbers * packets - packets // 2) * period_ns + lag(records)
        moved = np.round(drift * since).astype(np.int64) + base_ns
    forward_min, forward = _least_and_quartile(found.forward_ns, moved, starts, sizes)
    back_min, back = _least_and_quartile(found.back_ns, -moved, starts, sizes)
    flags = records["flags"]

    def counted(mask: int, wanted: int) -> Times:
        """Of each bin, the records whose flags in `mask` are `wanted`."""
        if records.alike is not None:
            return sizes * (records.alike & mask == wanted)
        return np.add.reduceat((flags & mask == wanted).astype(np.int64), starts)

    return {
        "first_seq": numbers[starts] * packets,
        "time_ns": found.sent_ns[starts + sizes // 2],
        "forward_min_ns": forward_min,
        "back_min_ns": back_min,
        "forward_ns": forward,
        "back_ns": back,
        "sent": counted(rec.SENT, rec.SENT),
        "lost": counted(rec.SENT | rec.ARRIVED, rec.SENT),
        "duplicated": counted(rec.DUPLICATED, rec.DUPLICATED),
        "reordered": counted(rec.REORDERED, rec.REORDERED),
    }


def _least_and_quartile(values: Times, moved: Times | int, starts: Places, sizes: Places) -> tuple[Times, Times]:
    """Of each bin the least of what is there, and its lower quartile; `ABSENT` where nothing is."""
    size, absent = int(sizes.max()), len(values) > 0 and int(values.max()) == ABSENT
    put_right = values - moved
    if absent:
        put_right[np.flatnonzero(values == ABSENT)] = ABSENT
    elif size == int(sizes.min()):
        table = put_right.reshape(-1, size)
        place = math.floor(_QUARTILE * (size - 1))
        table.partition(place, axis=1)
        return table[:, : place + 1].min(axis=1), table[:, place].copy()  # not a view that keeps the table in memory
    rows = np.repeat(np.arange(len(starts)), sizes)
    table = np.full((len(sizes), size), ABSENT, np.int64)
    table[rows, np.arange(len(values)) - starts[rows]] = put_right
    table.sort(axis=1)
    there = (table != ABSENT).sum(axis=1)
    place_of = np.floor(_QUARTILE * np.maximum(there - 1, 0)).astype(np.intp)
    return table[:, 0].copy(), table[np.arange(len(table)), place_of]


def stretches(chosen: Flags, gap: int) -> list[tuple[int, int]]:
    """First and last index of each stretch of `chosen`; those with at most `gap` others between them are one."""
    places = np.flatnonzero(chosen)
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > gap + 1)
    firsts, lasts = np.append(places[0], places[breaks + 1]), np.append(places[breaks], places[-1])
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
