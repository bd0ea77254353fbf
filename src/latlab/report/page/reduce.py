# SPDX-License-Identifier: Apache-2.0
"""A run's samples -> what the page draws of them, in one pass, in memory that does not grow with the run.

The time axis is the packets' numbers, cut into at most `MOST_BINS` bins: the sender's clock may have been set. Of each
bin the smallest and the largest value are kept, so that no packet that was late is averaged away; of the whole run the
distribution; and the histogram over time, in `ROWS_PER_OCTAVE` rows for each doubling of the latency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from latlab.stats import records as rec
from latlab.stats.columns import Columns, without
from latlab.stats.intervals import interval_ranks
from latlab.stats.quantiles import Distribution
from latlab.stats.stamps import METRICS, STAMP, Direction, Metric
from latlab.stats.values import metric_values, no_samples
from latlab.stats.ways import ABSENT, Times

WAYS = ("round_trip", "up", "down")
MOST_BINS = 1_920
MOST_COLUMNS = 240
"""Of the histogram over time; bins are a multiple of it."""
ROWS_PER_OCTAVE = 8
ROWS = ROWS_PER_OCTAVE * 45
"""Up to 2**45 ns; what is below 1 ns is in the first row."""
NONE_LOW, NONE_HIGH = ABSENT, -ABSENT


@dataclass(frozen=True)
class Tail:
    """The complementary distribution out to the last sample: a share 10 ** (-i / per_decade) of the samples is larger
    than `values_ns[i]`.

    `low_ns` and `high_ns` bound it with 95 % confidence (`stats.intervals`). They are `ABSENT` where so few samples lie
    beyond that none of them can be the bound: unlike `stats.quantiles.Curve`, this one goes on there, since what is
    drawn is what occurred.
    """

    per_decade: int
    values_ns: Times
    low_ns: Times
    high_ns: Times


@dataclass
class Way:
    """One metric of a run. `low_ns` and `high_ns` are of each bin: NONE_LOW and NONE_HIGH where it has no sample."""

    metric: Metric
    low_ns: Times
    high_ns: Times
    heat: npt.NDArray[np.int64]
    """Samples by column and row."""
    distribution: Distribution


@dataclass
class Course:
    """What happened in a run, bin by bin. Without clocks that were compared, `offset_low_ns` is NONE_LOW throughout.

    The offset is the reflector's clock - the sender's, less the offset of the first packet and the run's mean rate.
    """

    period_ns: int
    packets: int
    """From the first to the last one that has a record."""
    bins: int
    per_column: int
    ways: dict[str, Way]
    lost: Times
    suspect: Times
    offset_low_ns: Times
    offset_high_ns: Times
    error_ns: Times

    @property
    def columns(self) -> int:
        return -(-self.bins // self.per_column)

    @property
    def seconds(self) -> float:
        return self.packets * self.period_ns / 1e9


def fields_of(metrics: Sequence[Metric]) -> list[str]:
    """The fields of a record that `Reducer` needs."""
    stamps = {STAMP[letter].field for metric in metrics for letter in (metric.start, metric.end)}
    return ["seq", "flags", *sorted(stamps)]


def metrics_of(direction: Direction, keys: Sequence[str]) -> list[Metric]:
    return [metric for metric in METRICS if metric.key(direction) in keys]


class Reducer:
    """`add` takes the records in their order. `packets`: how many there will be at the most."""

    def __init__(
        self, metrics: Sequence[Metric], direction: Direction, packets: int, period_ns: int,
        offset_ns: int = 0, rate_ppb: float = 0.0,
    ) -> None:  # fmt: skip
        bins = max(1, min(MOST_BINS, packets))
        per_column = -(-bins // MOST_COLUMNS)
        self._offset_ns, self._rate_ppb = offset_ns, rate_ppb
        columns = -(-bins // per_column)

        def filled(value: int) -> Times:
            return np.full(bins, value, np.int64)

        ways = {
            m.key(direction): Way(
                m, filled(NONE_LOW), filled(NONE_HIGH), np.zeros((columns, ROWS), np.int64), Distribution()
            )
            for m in metrics
        }
        self.course = Course(
            period_ns, packets, bins, per_column, ways, filled(0), filled(0), filled(NONE_LOW), filled(NONE_HIGH),
            filled(0),
        )  # fmt: skip

    def add(self, chunk: Columns, offset_ns: Times, error_ns: Times) -> None:
        course = self.course
        number = chunk.seq
        bins = np.minimum(number * course.bins // max(1, course.packets), course.bins - 1)
        sent = chunk["flags"] & rec.SENT != 0
        course.lost += np.bincount(bins[sent & (chunk["flags"] & rec.ARRIVED == 0)], minlength=course.bins)
        course.suspect += np.bincount(bins[sent & (chunk["flags"] & rec.CLOCK_SUSPECT != 0)], minlength=course.bins)
        self._clocks(number, bins, sent & (error_ns != 0), offset_ns, error_ns)
        for way in course.ways.values():
            values = metric_values(chunk, way.metric, offset_ns)
            if not len(values):
                continue
            where = without(bins, no_samples(chunk, way.metric))
            envelope(values, where, way.low_ns, way.high_ns)
            rows = np.clip(ROWS_PER_OCTAVE * np.log2(np.maximum(values, 1)), 0, ROWS - 1).astype(np.int64)
            cells = (where // course.per_column) * ROWS + rows
            way.heat += np.bincount(cells, minlength=way.heat.size).reshape(way.heat.shape)
            way.distribution.add(values)

    def _clocks(
        self, number: Times, bins: Times, known: npt.NDArray[np.bool_], offset_ns: Times, error_ns: Times
    ) -> None:
        if known.any():
            expected = self._offset_ns + np.rint(number * (self.course.period_ns * self._rate_ppb / 1e9))
            moved = (offset_ns - expected.astype(np.int64))[known]
            envelope(moved, bins[known], self.course.offset_low_ns, self.course.offset_high_ns)
            envelope(error_ns[known], bins[known], None, self.course.error_ns)


def envelope(values: Times, bins: Times, low: Times | None, high: Times) -> None:
    """Widen low[b] and high[b] to hold the values whose bin is b. Fast where one bin's values stand together."""
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    if low is not None:
        np.minimum.at(low, bins[starts], np.minimum.reduceat(values, starts))
    np.maximum.at(high, bins[starts], np.maximum.reduceat(values, starts))


def reduced(
    chunks: Iterable[tuple[Columns, Times, Times]], metrics: Sequence[Metric], direction: Direction, packets: int,
    period_ns: int, offset_ns: int = 0, rate_ppb: float = 0.0,
) -> Course:  # fmt: skip
    """Of records with `offset_ns` and `error_ns` of each, as `Samples.with_clocks` gives them."""
    reducer = Reducer(metrics, direction, packets, period_ns, offset_ns, rate_ppb)
    for chunk, offset, error in chunks:
        reducer.add(chunk, offset, error)
    return reducer.course


def tail(distribution: Distribution, per_decade: int) -> Tail:
    """Of a distribution that is not empty."""
    n = distribution.n
    last = int(np.floor(per_decade * np.log10(n) + 1e-9))
    beyond = 10.0 ** (-np.arange(last + 1) / per_decade)
    ranks = np.clip(np.ceil(n * (1 - beyond)), 1, n).astype(np.int64)
    bounds = interval_ranks(n, [Fraction(1 - share).limit_denominator(10**12) for share in beyond.tolist()])
    known = np.array([pair is not None for pair in bounds])
    low, high = np.array([pair or (1, n) for pair in bounds], np.int64).T
    values, lows, highs = np.split(np.array(distribution.ranked(np.concatenate([ranks, low, high]).tolist())), 3)
    return Tail(per_decade, values, np.where(known, lows, ABSENT), np.where(known, highs, ABSENT))
