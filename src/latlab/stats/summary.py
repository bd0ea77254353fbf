# SPDX-License-Identifier: Apache-2.0
"""Records -> one summary for each metric, and the counted outcomes. One pass, chunk by chunk, in bounded memory.

A metric is summarised over the packets that carry both its stamps. Packets that were lost, came late or were not
stamped are no samples: they are counted outcomes, and stand beside the quantiles. A metric that no packet can give
is `NotMeasured`, with the reason. A quantile that fewer than `MIN_BEYOND` samples lie beyond is None: there is no
such number yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from latlab.stats import records as rec
from latlab.stats.clocks import ONE_CLOCK, Clocks
from latlab.stats.columns import Columns, columns_of, without
from latlab.stats.quantiles import EXACT_LIMIT, HISTOGRAM_RELATIVE_ERROR, MIN_BEYOND, Curve, Distribution, rank
from latlab.stats.records import Records
from latlab.stats.stamps import METRICS, STAMP, STAMPS, Direction, Metric, Stamp, Timescales
from latlab.stats.values import OF_ARRIVAL, OF_SENDING, due_flags, metric_values
from latlab.stats.ways import Times

QUANTILES: dict[str, Fraction] = {
    "p50": Fraction(1, 2),
    "p90": Fraction(9, 10),
    "p99": Fraction(99, 100),
    "p99.9": Fraction(999, 1_000),
    "p99.99": Fraction(9_999, 10_000),
    "p99.999": Fraction(99_999, 100_000),
    "p99.9999": Fraction(999_999, 1_000_000),
}
BOUND_QUANTILE = Fraction(99, 100)
CLOCKS_NOT_COMPARED = "clocks not compared"
ONE_WAY = "measured one way only"

WHOLE_WAYS = ("round_trip", "application_to_application")
"""Metrics whose complementary distribution is kept, too."""


@dataclass(frozen=True)
class Summary:
    """One metric over a run. A quantile is None when fewer than `MIN_BEYOND` samples lie beyond it."""

    n: int
    min_ns: int
    mean_ns: float
    max_ns: int
    stddev_ns: float | None
    quantiles_ns: dict[str, int | None]
    quantile_relative_error: float = 0.0
    unit: str = "ns"
    bound_ns: int = 0
    """How far each of these may be off because two clocks had to be compared: the bound of 99 % of the packets."""
    intervals_ns: dict[str, list[int] | None] = field(default_factory=dict)
    """Lower and upper end of each quantile's 95 % interval, within this run (`stats.intervals`); {} in older runs."""


@dataclass(frozen=True)
class NotMeasured:
    """Why a run has no number for a metric."""

    not_measured: str


MetricResult = Summary | NotMeasured


@dataclass
class Counts:
    """Outcomes of the packets of a run. `late` packets are lost ones too: their replies came after the timeout.

    `received` packets arrived without a reply, in a measurement that goes one way only; a packet is `lost` that was
    neither replied nor received.

    `duplicated` and `reordered` count records that say so, late replies included. `records_dropped` are packets without
    a record, up to the last one that has one: the probe's writer could not keep up. `missing` counts, for a stamp that
    some packets carry, the packets that should carry it and do not.
    """

    sent: int = 0
    replied: int = 0
    lost: int = 0
    late: int = 0
    duplicated: int = 0
    reordered: int = 0
    send_failed: int = 0
    late_wakeups: int = 0
    records_dropped: int = 0
    received: int = 0
    missing: dict[str, int] = field(default_factory=dict)

    def merge(self, other: Counts) -> None:
        """Adds the other's; those in `missing` belong to each by itself."""
        for name, number in vars(other).items():
            if name != "missing":
                setattr(self, name, getattr(self, name) + number)


@dataclass(frozen=True)
class RunStatistics:
    """`metrics` by their keys in run.json (`round_trip`, `up`, `down`, `up_send_path`, ...); `curves` of those of the
    whole ways: `round_trip`, `up`, `down`."""

    metrics: dict[str, MetricResult]
    counts: Counts
    curves: dict[str, Curve] = field(default_factory=dict)


def summarise(
    chunks: Iterable[Records | Columns],
    direction: Direction,
    timescales: Timescales,
    clocks: Clocks = ONE_CLOCK,
    *,
    exact_limit: int = EXACT_LIMIT,
) -> RunStatistics:
    """Statistics of a whole stream of records, given in any sizes.

    `direction` is the flow's; `timescales` says which clocks were compared, `clocks` how far sender and reflector were
    apart. Quantiles are exact up to `exact_limit` values of a metric; beyond, their relative error is at most
    `quantile_relative_error`.
    """
    total = Tally(timescales, clocks, exact_limit)
    for chunk in columns_of(chunks):
        total.add(chunk, *clocks.of(chunk))
    return total.statistics(direction)


class Tally:
    """What is added up over the records of a run. Two of them make the one of both, if the second's come after."""

    def __init__(self, timescales: Timescales, clocks: Clocks, exact_limit: int = EXACT_LIMIT) -> None:
        self._arguments = (timescales, clocks, exact_limit)
        self.counts = Counts()
        self._compared = clocks.comparison is not None
        self._taken = dict.fromkeys(STAMP, 0)
        self._missing = dict.fromkeys(STAMP, 0)
        self._distributions = {m: Distribution(exact_limit) for m in METRICS if m.clocks_compared(timescales)}
        self._errors: Counter[int] = Counter()
        self._packets = self._last_seq = 0

    def empty(self) -> Tally:
        """Another one for the same run. It goes over to histograms at once where this one has: they are smaller."""
        timescales, clocks, exact_limit = self._arguments
        found = Tally(timescales, clocks, exact_limit)
        for metric, own in self._distributions.items():
            if not own.exact:
                found._distributions[metric] = Distribution(0)
        return found

    def copy(self) -> Tally:
        found = self.empty()
        found.merge(self)
        return found

    def add(self, chunk: Columns, offset_ns: Times, error_ns: Times) -> None:
        """`offset_ns`: of each record, by how much the reflector's clock is ahead of the sender's, to `error_ns`."""
        count_outcomes(chunk, self.counts)
        own = chunk.having(rec.OWN)
        self._packets += len(own)
        self._last_seq = max(self._last_seq, own.edges("seq")[1])
        first = chunk.having(rec.SENT)
        if first is not chunk:
            extras = chunk.lacking(rec.SENT)
            offset_ns, error_ns = without(offset_ns, extras), without(error_ns, extras)
        for stamp in STAMPS:
            self._count_stamp(first, stamp)
        if self._compared:
            self._errors.update(_counted(error_ns))
        for metric, distribution in self._distributions.items():
            distribution.add(metric_values(first, metric, offset_ns))

    def _count_stamp(self, first: Columns, stamp: Stamp) -> None:
        if first.none(stamp.field):
            flags, absent = first["flags"], len(first)
        else:
            places = first.absent(stamp.field)
            flags, absent = first["flags"][places], len(places)
        self._taken[stamp.letter] += len(first) - absent
        if absent:
            due = np.ones(absent, bool)
            for mask in due_flags(stamp):
                due &= flags & mask != 0
            self._missing[stamp.letter] += int(np.count_nonzero(due))

    def merge(self, other: Tally) -> None:
        self.counts.merge(other.counts)
        for letter in STAMP:
            self._taken[letter] += other._taken[letter]
            self._missing[letter] += other._missing[letter]
        for metric, distribution in self._distributions.items():
            distribution.merge(other._distributions[metric])
        self._errors.update(other._errors)
        self._packets += other._packets
        self._last_seq = max(self._last_seq, other._last_seq)

    def statistics(self, direction: Direction) -> RunStatistics:
        counts, taken = self.counts, self._taken
        counts.records_dropped = max(0, self._last_seq + 1 - self._packets) if self._packets else 0
        counts.missing = {letter: n for letter, n in self._missing.items() if n > 0 and taken[letter] > 0}
        results = {m.key(direction): _result(m, self._distributions.get(m), taken, counts) for m in METRICS}
        if self._compared and self._errors:
            bound = _quantile(self._errors, BOUND_QUANTILE)
            results |= {
                m.key(direction): replace(result, bound_ns=bound)
                for m in METRICS
                if m.between_machines and isinstance(result := results[m.key(direction)], Summary)
            }
        curves = {
            m.key(direction): self._distributions[m].curve()
            for m in METRICS
            if m.name in WHOLE_WAYS and isinstance(results[m.key(direction)], Summary)
        }
        return RunStatistics(results, counts, curves)


def _counted(values: Times) -> dict[int, int]:
    """How often each value occurs, of values that mostly are that of the packet before: a bin has one bound."""
    starts = np.flatnonzero(np.diff(values, prepend=values[:1] - 1))
    found: dict[int, int] = {}
    for value, times in zip(values[starts].tolist(), np.diff(np.append(starts, len(values))).tolist(), strict=True):
        found[value] = found.get(value, 0) + times
    return found


def _quantile(counts: Counter[int], q: Fraction) -> int:
    """The nearest-rank quantile of values that were counted."""
    left = rank(counts.total(), q)
    for value, times in sorted(counts.items()):
        left -= times
        if left <= 0:
            return value
    raise ValueError("a quantile of no values")


def count_outcomes(records: Records | Columns, counts: Counts) -> None:
    """Adds the outcomes of these packets to `counts`; not `records_dropped` and `missing`, which need a whole run."""
    chunk = Columns.of(records)
    flags = chunk["flags"] if chunk.alike is None else chunk["flags"][:1]
    times = 1 if chunk.alike is None else len(chunk)
    sent = flags & rec.SENT != 0

    def having(mask: int) -> int:
        return times * int(np.count_nonzero(flags & mask))

    def having_sent(mask: int) -> int:
        return times * int(np.count_nonzero(sent & (flags & mask != 0)))

    packets = having(rec.SENT)
    counts.sent += packets
    counts.replied += having_sent(rec.REPLIED)
    counts.received += having_sent(rec.RECEIVED)
    counts.lost += packets - having_sent(rec.ARRIVED)
    counts.late += having(rec.LATE)
    counts.duplicated += having(rec.DUPLICATED)
    counts.reordered += having(rec.REORDERED)
    counts.send_failed += having(rec.SEND_FAILED)
    counts.late_wakeups += having(rec.LATE_WAKEUP)


def _result(metric: Metric, distribution: Distribution | None, taken: dict[str, int], counts: Counts) -> MetricResult:
    if counts.sent == 0:
        return NotMeasured("nothing was sent")
    for letter in (metric.start, metric.end):
        if counts.replied == 0 and letter not in OF_SENDING:
            if counts.received == 0:
                return NotMeasured("no replies")
            if letter not in OF_ARRIVAL:
                return NotMeasured(ONE_WAY)
        if taken[letter] == 0:
            return NotMeasured(STAMP[letter].when_absent)
    if distribution is None:
        return NotMeasured(CLOCKS_NOT_COMPARED)
    return summary_of(distribution)


def summary_of(distribution: Distribution, *, with_intervals: bool = True) -> MetricResult:
    """Summary of the values added to `distribution`; `NotMeasured` if there are none. Intervals take scipy, which takes
    a fifth of a second to load."""
    moments = distribution.moments
    if moments.n == 0:
        return NotMeasured("no packet carries both stamps")
    supported = {name: q for name, q in QUANTILES.items() if moments.n - rank(moments.n, q) >= MIN_BEYOND}
    wanted = list(supported.values())
    found = dict(zip(supported, distribution.quantiles(wanted), strict=True))
    intervals = dict(zip(supported, distribution.intervals(wanted), strict=True)) if with_intervals else {}
    return Summary(
        n=moments.n,
        min_ns=moments.min,
        mean_ns=round(moments.mean, 1),
        max_ns=moments.max,
        stddev_ns=None if moments.stddev is None else round(moments.stddev, 1),
        quantiles_ns={name: found.get(name) for name in QUANTILES},
        quantile_relative_error=0.0 if distribution.exact else HISTOGRAM_RELATIVE_ERROR,
        intervals_ns={name: list(pair) if (pair := intervals.get(name)) else None for name in QUANTILES},
    )
