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
from scipy.special import bdtrik

from latlab.stats import records as rec
from latlab.stats.bins import ABSENT, Times
from latlab.stats.quantiles import Distribution
from latlab.stats.stamps import METRICS, STAMP, Direction, Metric
from latlab.stats.summary import metric_of
from latlab.store.samples import Columns

WAYS = ("round_trip", "up", "down")
MOST_BINS = 1_920
MOST_COLUMNS = 240
"""Of the histogram over time; bins are a multiple of it."""
ROWS_PER_OCTAVE = 8
ROWS = ROWS_PER_OCTAVE * 45
"""Up to 2**45 ns; what is below 1 ns is in the first row."""
CONFIDENCE = 0.95
NONE_LOW, NONE_HIGH = ABSENT, -ABSENT


@dataclass(frozen=True)
class Curve:
    """The complementary distribution: `values_ns[i]` is exceeded by the share 10 ** (-i / per_decade) of the samples.

    `low_ns` and `high_ns` bound it with 95 % confidence, by order statistics: between two samples whose ranks lie so
    that the true quantile is among them (David & Nagaraja 2003, 7.1). That holds for samples that do not depend on
    each other. Where so few samples lie beyond that none can bound it, `high_ns` is `ABSENT`.
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

    def add(self, chunk: Columns) -> None:
        course, flags = self.course, chunk["flags"]
        number = chunk["seq"].astype(np.int64)
        bins = np.minimum(number * course.bins // max(1, course.packets), course.bins - 1)
        sent = flags & rec.SENT != 0
        course.lost += np.bincount(bins[sent & (flags & rec.ARRIVED == 0)], minlength=course.bins)
        course.suspect += np.bincount(bins[sent & (flags & rec.CLOCK_SUSPECT != 0)], minlength=course.bins)
        self._clocks(chunk, number, bins, sent)
        for way in course.ways.values():
            values, sample = metric_of(chunk, way.metric, chunk["offset_ns"])
            where = bins
            if not sample.all():
                values, where = values[sample], bins[sample]
            if not len(values):
                continue
            envelope(values, where, way.low_ns, way.high_ns)
            rows = np.clip(ROWS_PER_OCTAVE * np.log2(np.maximum(values, 1)), 0, ROWS - 1).astype(np.int64)
            cells = (where // course.per_column) * ROWS + rows
            way.heat += np.bincount(cells, minlength=way.heat.size).reshape(way.heat.shape)
            way.distribution.add(values)

    def _clocks(self, chunk: Columns, number: Times, bins: Times, sent: npt.NDArray[np.bool_]) -> None:
        offset, error = chunk["offset_ns"], chunk["error_ns"]
        known = sent & (error != 0)
        if known.any():
            expected = self._offset_ns + np.rint(number * (self.course.period_ns * self._rate_ppb / 1e9))
            moved = (offset - expected.astype(np.int64))[known]
            envelope(moved, bins[known], self.course.offset_low_ns, self.course.offset_high_ns)
            envelope(error[known], bins[known], None, self.course.error_ns)


def envelope(values: Times, bins: Times, low: Times | None, high: Times) -> None:
    """Widen low[b] and high[b] to hold the values whose bin is b. Fast where one bin's values stand together."""
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    if low is not None:
        np.minimum.at(low, bins[starts], np.minimum.reduceat(values, starts))
    np.maximum.at(high, bins[starts], np.maximum.reduceat(values, starts))


def reduced(
    chunks: Iterable[Columns], metrics: Sequence[Metric], direction: Direction, packets: int, period_ns: int,
    offset_ns: int = 0, rate_ppb: float = 0.0,
) -> Course:  # fmt: skip
    reducer = Reducer(metrics, direction, packets, period_ns, offset_ns, rate_ppb)
    for chunk in chunks:
        reducer.add(chunk)
    return reducer.course


def curve(distribution: Distribution, per_decade: int) -> Curve:
    """Of a distribution that is not empty."""
    n = distribution.moments.n
    shares = 10.0 ** (-np.arange(int(np.floor(per_decade * np.log10(n) + 1e-9)) + 1) / per_decade)
    ranks = np.clip(np.ceil(n * (1 - shares)), 1, n)
    low, high = _bounds(n, 1 - shares)
    known = high <= n
    wanted = np.concatenate([ranks, np.maximum(low, 1), np.minimum(high, n)]).astype(int)
    distinct, places = np.unique(wanted, return_inverse=True)
    found = np.array(distribution.quantiles([Fraction(rank, n) for rank in distinct.tolist()]), np.int64)[places]
    values, lows, highs = np.split(found, 3)
    return Curve(per_decade, values, lows, np.where(known, highs, ABSENT))


def interval(distribution: Distribution, q: Fraction) -> tuple[int, int] | None:
    """The same bounds of one quantile; None where no sample bounds it from above."""
    n = distribution.moments.n
    low, high = (int(rank[0]) for rank in _bounds(n, np.array([float(q)])))
    if low < 1 or high > n:
        return None
    first, last = distribution.quantiles([Fraction(low, n), Fraction(high, n)])
    return first, last


def _bounds(n: int, shares: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Ranks between which the quantiles of these shares lie; 0 and n + 1 stand for "unbounded"."""
    inside = np.clip(shares, 1e-12, 1 - 1e-12)
    # Not scipy.stats: bdtrik is all that its binom.ppf calls, and loads in a tenth of the time.
    low = np.ceil(bdtrik((1 - CONFIDENCE) / 2, n, inside))
    high = np.ceil(bdtrik((1 + CONFIDENCE) / 2, n, inside)) + 1
    return np.where(np.isnan(low), 0, low), np.where(np.isnan(high), n + 1, high)
