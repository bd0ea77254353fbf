# SPDX-License-Identifier: Apache-2.0
"""The shapes of a whole run: its round trip, both one-way times if the clocks were compared, and its losses.

As a run is read, `look` at each chunk (in any order, by any thread) and `join` what that gives in the chunks' order;
then `found`. Packets that were measured while a clock was not to be trusted have no one-way time here. Their round trip
is one clock's, and has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latlab.stats import records as rec
from latlab.stats.anomalies import Anomaly
from latlab.stats.bins import Flags
from latlab.stats.clocks import SHARED, Clocks
from latlab.stats.columns import Columns, without
from latlab.stats.records import Records, StreamHeader
from latlab.stats.shapes import Shape
from latlab.stats.shapes.blame import Judge, blamed
from latlab.stats.shapes.collector import Collector, Part
from latlab.stats.shapes.finding import find_shapes
from latlab.stats.shapes.losses import LossCollector
from latlab.stats.shapes.telling import losses_shape
from latlab.stats.stamps import CLAIMED, METRICS, Direction, Metric, Timescales
from latlab.stats.values import metric_values, no_samples
from latlab.stats.ways import Times

EVERY = 512
"""Of one packet in so many it is kept when it set out."""
_NONE = np.empty(0, np.int64)
WHOLE_WAYS = ("round_trip", "application_to_application")


@dataclass(frozen=True)
class Looked:
    """What one chunk of records tells."""

    parts: dict[str, Part | None]
    sent: int
    lost: Times
    seq: Times
    """Of some packets; when they set out, on the sender's clock, is `time_ns`."""
    time_ns: Times


class RunShapes:
    def __init__(
        self, header: StreamHeader, direction: Direction, timescales: Timescales, clocks: Clocks,
        over_ns: int | None = None,
    ) -> None:  # fmt: skip
        """`over_ns`: a spike is what takes longer; without it, what the tail of the rest does not explain."""
        self._start_ns, self._period_ns = header.start_ns, max(1, header.period_ns)
        self._clocks, self._over_ns = clocks, over_ns
        self._claimed = timescales.get("sender") == CLAIMED and not clocks.compared
        self._metrics = {m.key(direction): m for m in METRICS if m.name in WHOLE_WAYS and m.clocks_compared(timescales)}
        self._collectors = {key: Collector(self._period_ns, header.count, over_ns=over_ns) for key in self._metrics}
        self._losses = LossCollector()
        self._known: list[tuple[Times, Times]] = []

    def look(self, records: Records | Columns, offset_ns: Times, suspect: Flags) -> Looked:
        """`offset_ns`: of each record, by how much the reflector's clock is ahead. `suspect`: whose clocks are not to
        be trusted. Changes nothing here."""
        columns = Columns.of(records)
        away = columns.lacking(rec.ARRIVED)
        lost = columns.seq[away[columns["flags"][away] & rec.SENT != 0]]
        trusted = None if self._clocks.method == SHARED or not suspect.any() else ~suspect
        parts = {}
        for key, metric in self._metrics.items():
            seq, values = _values(columns, metric, offset_ns, trusted if metric.between_machines else None)
            parts[key] = self._collectors[key].look(seq, values)
        sent = columns.having(rec.SENT)
        some = (sent if sent.whole("S") else sent[sent["S"] != 0])[::EVERY]
        # Copies: not views that keep the chunk in memory.
        return Looked(parts, len(sent), lost, some.seq.copy(), some["S"].copy())

    def join(self, looked: Looked) -> None:
        for key, part in looked.parts.items():
            self._collectors[key].join(part)
        self._losses.add_numbers(looked.sent, looked.lost)
        self._known.append((looked.seq, looked.time_ns))

    def add(self, records: Records | Columns, offset_ns: Times, suspect: Flags) -> None:
        self.join(self.look(records, offset_ns, suspect))

    def found(self, anomalies: list[Anomaly]) -> list[Shape]:
        """All shapes, the round trip's first. `anomalies`: what is known of the run's, which says whose fault a spike
        was."""
        start, period = self._start_ns, self._period_ns
        seq, time_ns = (np.concatenate([known[place] for known in self._known] or [_NONE]) for place in (0, 1))
        judge = Judge(anomalies, seq, time_ns)
        shapes: list[Shape] = []
        for key, collector in self._collectors.items():
            if collector.total:
                shapes += find_shapes(collector.series(), key, start, self._over_ns, judge)
        bursts = self._losses.bursts()
        if bursts is not None:
            shapes.append(losses_shape(bursts, start, period))
        return blamed(shapes, self._clocks, claimed=self._claimed)


def _values(columns: Columns, metric: Metric, offset_ns: Times, trusted: Flags | None) -> tuple[Times, Times]:
    """Numbers and values of the samples of this metric."""
    if trusted is not None:
        columns, offset_ns = columns[trusted], offset_ns[trusted]
    values = metric_values(columns, metric, offset_ns)
    return (without(columns.seq, no_samples(columns, metric)) if len(values) else columns.seq[:0]), values
