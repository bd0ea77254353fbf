# SPDX-License-Identifier: Apache-2.0
"""The numbers of a run, from its samples into its document: where the store and the statistics meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from latlab.stats.analysis import Analysis, analyse
from latlab.stats.anomalies import Anomaly, totals
from latlab.stats.clocks import FromReadings
from latlab.stats.columns import Columns
from latlab.stats.quantiles import Curve
from latlab.store.document import MOST_ANOMALIES, AnomalyRecord, CurveRecord, RunDocument, ShapeRecord, Timing
from latlab.store.samples import Samples

Passing = Callable[[Iterable[Columns]], Iterable[Columns]]


def fill(
    document: RunDocument,
    samples: Samples,
    readings: FromReadings | None = None,
    said: Sequence[Anomaly] = (),
    passing: Passing = iter,
    spikes_over_ns: int | None = None,
) -> Analysis:
    """Computes everything that comes of the samples, and puts it into the document.

    `readings` and `said` are the sync log's, `spikes_over_ns` is given by a person: see `analyse`. `passing` sees each
    chunk on its way. StoreError when the
    samples cannot be read.
    """
    found = analyse(
        lambda: passing(samples.columns()),
        samples.header,
        document.direction,
        document.timescales,
        readings,
        document.timing.method,
        said,
        spikes_over_ns,
    )
    document.metrics, document.counts = found.statistics.metrics, found.statistics.counts
    document.metrics_trusted = found.trusted.metrics if found.trusted else {}
    document.curves = {key: _curve(curve) for key, curve in found.statistics.curves.items()}
    facts = asdict(found.timing) | {"words": list(found.timing.words), "start_ns": samples.header.start_ns}
    document.timing = Timing(**facts)
    document.anomalies = [record(anomaly) for anomaly in largest(found.anomalies)]
    document.anomaly_counts = {str(verdict): number for verdict, number in totals(found.anomalies).items()}
    document.shapes = [ShapeRecord(**asdict(shape)) for shape in found.shapes]
    return found


def _curve(curve: Curve) -> CurveRecord:
    shares = [float(f"{share:.6g}") for share in curve.beyond]
    return CurveRecord(
        values_ns=curve.values_ns.tolist(), beyond=shares, low_ns=curve.low_ns.tolist(), high_ns=curve.high_ns.tolist()
    )


def record(anomaly: Anomaly) -> AnomalyRecord:
    values = asdict(anomaly) | {"unit": anomaly.unit, "evidence": list(anomaly.evidence)}
    return AnomalyRecord(**values)


def largest(anomalies: Sequence[Anomaly], most: int = MOST_ANOMALIES) -> list[Anomaly]:
    """The largest of each kind, in order of time."""
    kept: list[Anomaly] = []
    for kind in dict.fromkeys(anomaly.kind for anomaly in anomalies):
        same = sorted((a for a in anomalies if a.kind == kind), key=lambda a: -abs(a.size))
        kept += same[:most]
    return sorted(kept, key=lambda anomaly: anomaly.start_ns)
