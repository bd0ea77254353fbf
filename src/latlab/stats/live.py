# SPDX-License-Identifier: Apache-2.0
"""The numbers of a run that goes on, of the records that have come so far, in memory that does not grow.

A packet has a record only when its reply has come or its time-out is over (see `records`), so one that is on its way
is neither lost nor anything else yet. Quantiles come from the histogram of `quantiles`: at most 0.05 % off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latlab.stats import records as rec
from latlab.stats.quantiles import Distribution
from latlab.stats.records import Records, StreamHeader
from latlab.stats.seconds import NONE_NS, Seconds
from latlab.stats.stamps import METRICS, Direction, Timescales
from latlab.stats.summary import Counts, MetricResult, count_outcomes, summary_of
from latlab.stats.values import metric_values

ROUND_TRIP = ("round_trip",)
SHOWN = (*ROUND_TRIP, "application_to_application")
"""Metrics by their names, as the results' tables have them."""
STALE_S, STALE_PERIODS = 3, 4
"""Without an answer for longer than both, packets say nothing of the clocks any more."""


@dataclass(frozen=True)
class Exchange:
    """Of the fastest exchange of a second: the reflector's clock was ahead of the sender's by `offset_ns`, give or take
    `error_ns`, half of the time that the packet was on its way (as in NTP, RFC 5905, 8)."""

    second: int
    offset_ns: int
    error_ns: int


class LiveNumbers:
    """Takes records as they come. `timescales` as in `summary.summarise`: a metric between two clocks needs them."""

    def __init__(
        self, header: StreamHeader, direction: Direction, timescales: Timescales, shown: Sequence[str] = SHOWN
    ) -> None:
        self.header = header
        self.counts = Counts()
        self.seconds = Seconds(header.period_ns)
        self._fastest: Exchange | None = None
        self._metrics = {
            metric.key(direction): (metric, Distribution(exact_limit=0))
            for metric in METRICS
            if metric.name in shown and metric.clocks_compared(timescales)
        }

    def add(self, records: Records) -> None:
        """In the order of the stream."""
        count_outcomes(records, self.counts)
        for metric, distribution in self._metrics.values():
            distribution.add(metric_values(records, metric))
        sent = records[records["flags"] & rec.SENT != 0]
        arrived = sent["flags"] & rec.ARRIVED != 0
        timed = (sent["flags"] & rec.REPLIED != 0) & (sent["a2"] != 0) & (sent["w"] != 0)
        round_trip = np.where(timed, sent["a2"] - sent["w"], NONE_NS)
        self.seconds.add(sent["seq"].astype(np.int64), round_trip, (~arrived).astype(np.int64))
        self._compare(sent[timed])

    @property
    def fastest(self) -> Exchange | None:
        """Of the latest second that had an answer; None if that is long ago: a clock does not stand still."""
        if self._fastest is None:
            return None
        old_s = self.seconds.last - self._fastest.second
        return self._fastest if old_s <= max(STALE_S, STALE_PERIODS * self.header.period_ns / 1e9) else None

    def summaries(self) -> dict[str, MetricResult]:
        """By their keys in run.json; `NotMeasured` while no packet has given a value."""
        return {key: summary_of(distribution, with_intervals=False) for key, (_, distribution) in self._metrics.items()}

    def _compare(self, answered: Records) -> None:
        """By the application's four stamps, which every answered packet has."""
        stamped = answered[(answered["a"] != 0) & (answered["w2"] != 0)]
        if not len(stamped):
            return
        second = int(stamped["seq"][-1]) * self.header.period_ns // 1_000_000_000
        stamped = stamped[stamped["seq"].astype(np.int64) * self.header.period_ns // 1_000_000_000 == second]
        there, back = stamped["a"] - stamped["w"], stamped["a2"] - stamped["w2"]
        best = int(np.argmin(there + back))
        error_ns = int(there[best] + back[best]) // 2
        if self._fastest is None or self._fastest.second != second or error_ns < self._fastest.error_ns:
            self._fastest = Exchange(second, int(there[best] - back[best]) // 2, error_ns)
