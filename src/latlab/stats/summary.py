# SPDX-License-Identifier: Apache-2.0
"""Records -> one summary for each metric, and the counted outcomes. One pass, chunk by chunk, in bounded memory.

A metric is summarised over the packets that carry both its stamps. Packets that were lost, came late or were not
stamped are no samples: they are counted outcomes, and stand beside the quantiles. A metric that no packet can give
is `NotMeasured`, with the reason. A quantile that fewer than `MIN_BEYOND` samples lie beyond is None: there is no
such number yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from latlab.stats import records as rec
from latlab.stats.bins import Times
from latlab.stats.clocks import ONE_CLOCK, Clocks
from latlab.stats.quantiles import EXACT_LIMIT, HISTOGRAM_RELATIVE_ERROR, Distribution, rank
from latlab.stats.records import Records
from latlab.stats.stamps import METRICS, STAMP, STAMPS, Direction, Metric, Timescales

QUANTILES: dict[str, Fraction] = {
    "p50": Fraction(1, 2),
    "p90": Fraction(9, 10),
    "p99": Fraction(99, 100),
    "p99.9": Fraction(999, 1_000),
    "p99.99": Fraction(9_999, 10_000),
    "p99.999": Fraction(99_999, 100_000),
    "p99.9999": Fraction(999_999, 1_000_000),
}
MIN_BEYOND = 10
BOUND_QUANTILE = Fraction(99, 100)
CLOCKS_NOT_COMPARED = "clocks not compared"
ONE_WAY = "measured one way only"

_OF_SENDING = ("S", "w", "s", "t", "T")
_OF_ARRIVAL = ("R", "r", "a")


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


@dataclass(frozen=True)
class RunStatistics:
    """`metrics` by their keys in run.json (`round_trip`, `up`, `down`, `up_send_path`, ...)."""

    metrics: dict[str, MetricResult]
    counts: Counts


def summarise(
    chunks: Iterable[Records],
    direction: Direction,
    timescales: Timescales,
    clocks: Clocks = ONE_CLOCK,
    *,
    exact_limit: int = EXACT_LIMIT,
) -> RunStatistics:
    """Statistics of a whole stream of records, given as arrays of dtype `RECORD` in any sizes.

    `direction` is the flow's; `timescales` says which clocks were compared, `clocks` how far sender and reflector were
    apart. Quantiles are exact up to `exact_limit`
    values of a metric; beyond, their relative error is at most `quantile_relative_error`.
    """
    counts = Counts()
    taken = dict.fromkeys(STAMP, 0)
    missing = dict.fromkeys(STAMP, 0)
    distributions = {m: Distribution(exact_limit) for m in METRICS if m.clocks_compared(timescales)}
    errors = Distribution(exact_limit)
    packets = last_seq = 0
    for chunk in chunks:
        count_outcomes(chunk, counts)
        own = chunk["seq"][chunk["flags"] & rec.OWN != 0]
        packets += len(own)
        last_seq = max(last_seq, int(own.max())) if len(own) else last_seq
        first = chunk[chunk["flags"] & rec.SENT != 0]
        for stamp in STAMPS:
            due = _due(first["flags"], stamp.letter)
            if stamp.needs_tx_request:
                due = due & (first["flags"] & rec.TX_STAMPS_REQUESTED != 0)
            absent = first[stamp.field] == 0
            missing[stamp.letter] += int((due & absent).sum())
            taken[stamp.letter] += int((~absent).sum())
        offset, error = clocks.of(first)
        if clocks.comparison is not None:
            errors.add(error)
        for metric, distribution in distributions.items():
            distribution.add(metric_values(first, metric, offset))
    counts.records_dropped = max(0, last_seq + 1 - packets) if packets else 0
    counts.missing = {letter: n for letter, n in missing.items() if n > 0 and taken[letter] > 0}
    results = {m.key(direction): _result(m, distributions.get(m), taken, counts) for m in METRICS}
    if clocks.comparison is not None and errors.moments.n:
        (bound,) = errors.quantiles([BOUND_QUANTILE])
        results |= {
            m.key(direction): replace(result, bound_ns=bound)
            for m in METRICS
            if m.between_machines and isinstance(result := results[m.key(direction)], Summary)
        }
    return RunStatistics(results, counts)


def metric_values(records: Records, metric: Metric, offset_ns: Times | int = 0) -> Times:
    """Values in ns of `metric`, in the records' order, of those records that are samples and carry both stamps.

    `offset_ns`: of each record, by how much the reflector's clock is ahead of the sender's.
    """
    end, start = records[STAMP[metric.end].field], records[STAMP[metric.start].field]
    sample = (records["flags"] & rec.SENT != 0) & (end != 0) & (start != 0)
    sample &= _due(records["flags"], metric.end) & _due(records["flags"], metric.start)
    values: Times = end - start
    if metric.between_machines:
        values = values - offset_ns if STAMP[metric.end].clock == "reflector" else values + offset_ns
    found: Times = values[sample]
    return found


def _due(flags: npt.NDArray[np.uint32], letter: str) -> npt.NDArray[np.bool_]:
    """Which packets with these flags can carry the stamp: any, if it is the sender's own of the request; that of the
    request's arrival, those that are known to have arrived; all others come home with the reply."""
    if of_sending(letter):
        return np.ones(len(flags), bool)
    due: npt.NDArray[np.bool_] = flags & (rec.ARRIVED if of_arrival(letter) else rec.REPLIED) != 0
    return due


def of_sending(letter: str) -> bool:
    """Whether the stamp is the sender's own of the request: a packet may carry it whatever became of it."""
    return letter in _OF_SENDING


def of_arrival(letter: str) -> bool:
    """Whether the stamp is that of the request's arrival."""
    return letter in _OF_ARRIVAL


def count_outcomes(chunk: Records, counts: Counts) -> None:
    """Adds the outcomes of these packets to `counts`; not `records_dropped` and `missing`, which need a whole run."""
    flags = chunk["flags"]

    def having(mask: int) -> int:
        return int(np.count_nonzero(flags & mask))

    sent = flags & rec.SENT != 0

    def having_sent(mask: int) -> int:
        return int(np.count_nonzero(sent & (flags & mask != 0)))

    counts.sent += int(sent.sum())
    counts.replied += having_sent(rec.REPLIED)
    counts.received += having_sent(rec.RECEIVED)
    counts.lost += int(sent.sum()) - having_sent(rec.ARRIVED)
    counts.late += having(rec.LATE)
    counts.duplicated += having(rec.DUPLICATED)
    counts.reordered += having(rec.REORDERED)
    counts.send_failed += having(rec.SEND_FAILED)
    counts.late_wakeups += having(rec.LATE_WAKEUP)


def _result(metric: Metric, distribution: Distribution | None, taken: dict[str, int], counts: Counts) -> MetricResult:
    if counts.sent == 0:
        return NotMeasured("nothing was sent")
    for letter in (metric.start, metric.end):
        if counts.replied == 0 and letter not in _OF_SENDING:
            if counts.received == 0:
                return NotMeasured("no replies")
            if letter not in _OF_ARRIVAL:
                return NotMeasured(ONE_WAY)
        if taken[letter] == 0:
            return NotMeasured(STAMP[letter].when_absent)
    if distribution is None:
        return NotMeasured(CLOCKS_NOT_COMPARED)
    return summary_of(distribution)


def summary_of(distribution: Distribution) -> MetricResult:
    """Summary of the values added to `distribution`; `NotMeasured` if there are none."""
    moments = distribution.moments
    if moments.n == 0:
        return NotMeasured("no packet carries both stamps")
    supported = [name for name, q in QUANTILES.items() if moments.n - rank(moments.n, q) >= MIN_BEYOND]
    found = dict(zip(supported, distribution.quantiles([QUANTILES[name] for name in supported]), strict=True))
    return Summary(
        n=moments.n,
        min_ns=moments.min,
        mean_ns=round(moments.mean, 1),
        max_ns=moments.max,
        stddev_ns=None if moments.stddev is None else round(moments.stddev, 1),
        quantiles_ns={name: found.get(name) for name in QUANTILES},
        quantile_relative_error=0.0 if distribution.exact else HISTOGRAM_RELATIVE_ERROR,
    )
