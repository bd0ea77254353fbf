# SPDX-License-Identifier: Apache-2.0
"""The numbers of runs as OpenMetrics text 1.0, for Prometheus and its kin (`promtool tsdb create-blocks-from
openmetrics` takes it). Written after the specification: prometheus.io/docs/specs/om/open_metrics_spec.

Times are in seconds, as the specification asks of a base unit; each sample has the time at which its run ended.
Quantiles are gauges: an OpenMetrics summary may hold no negative ones, and a difference of two clocks can be negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from latlab.stats.summary import QUANTILES, MetricResult, Summary
from latlab.store.document import RunDocument

OUTCOMES = ("sent", "replied", "received", "lost", "late", "duplicated", "reordered", "send_failed", "late_wakeups",
            "records_dropped")  # fmt: skip
VERDICTS = ("valid", "suspect", "invalid")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Family:
    """One metric family. `samples`: suffix, labels, value, time in seconds since 1970 (UTC); all in decimal."""

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[str, Labels, str, str]]
    unit: str = ""


def openmetrics(runs: Iterable[tuple[str, RunDocument, Sequence[str]]]) -> Iterator[str]:
    """The text, line by line, of runs given as id, document and labels. A family without samples is left out."""
    for family in _families(list(runs)):
        if not family.samples:
            continue
        yield f"# TYPE {family.name} {family.kind}\n"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}\n"
        yield f"# HELP {family.name} {_escaped(family.help)}\n"
        for suffix, labels, value, time in family.samples:
            named = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
            yield f"{family.name}{suffix}{{{named}}} {value} {time}\n"
    yield "# EOF\n"


def _families(runs: Sequence[tuple[str, RunDocument, Sequence[str]]]) -> Iterator[Family]:
    known = [(("run", run_id), _seconds(document), document, labels) for run_id, document, labels in runs]
    yield Family(
        "latlab_run", "info", "What was measured, and on what.",
        [("_info", (run, *_identity(document, labels)), "1", time) for run, time, document, labels in known],
    )  # fmt: skip
    yield Family(
        "latlab_verdict", "stateset", "Whether the numbers of the run may be believed.",
        [
            ("", (run, ("latlab_verdict", value)), str(int(document.verdict.value == value)), time)
            for run, time, document, _ in known
            for value in VERDICTS
        ],
    )  # fmt: skip
    yield Family(
        "latlab_packets", "counter", "Packets by what became of them.",
        [
            ("_total", (run, ("outcome", name)), str(getattr(document.counts, name)), time)
            for run, time, document, _ in known
            for name in OUTCOMES
        ],
    )  # fmt: skip
    yield Family(
        "latlab_anomalies", "counter", "Anomalies by their verdict.",
        [
            ("_total", (run, ("verdict", verdict)), str(number), time)
            for run, time, document, _ in known
            for verdict, number in sorted(document.anomaly_counts.items())
        ],
    )  # fmt: skip
    measured = [
        ((run, ("bench", document.bench.kind), ("metric", name)), time, result)
        for run, time, document, _ in known
        for name, result in _measured(document.metrics)
    ]
    yield Family(
        "latlab_latency_samples", "gauge", "Packets that the numbers of a metric are of.",
        [("", labels, str(result.n), time) for labels, time, result in measured],
    )  # fmt: skip
    for name, field, told in (
        ("min", "min_ns", "Smallest value."),
        ("mean", "mean_ns", "Mean value."),
        ("max", "max_ns", "Largest value."),
        ("stddev", "stddev_ns", "Standard deviation, divided by n - 1."),
        ("bound", "bound_ns", "How far each value may be off because two clocks had to be compared."),
    ):
        yield Family(
            f"latlab_latency_{name}_seconds", "gauge", told,
            [
                ("", labels, _scaled(value), time)
                for labels, time, result in measured
                if (value := getattr(result, field)) is not None
            ],
            "seconds",
        )  # fmt: skip
    yield Family(
        "latlab_latency_quantile_seconds", "gauge", "Nearest-rank quantile; absent with fewer than 10 samples beyond.",
        [
            ("", (*labels, ("quantile", f"{float(QUANTILES[name]):.12g}")), _scaled(value), time)
            for labels, time, result in measured
            for name, value in result.quantiles_ns.items()
            if value is not None and name in QUANTILES
        ],
        "seconds",
    )  # fmt: skip


def _identity(document: RunDocument, labels: Sequence[str]) -> Labels:
    bench = document.bench
    values = {
        "scenario": document.scenario,
        "attachment": document.attachment,
        "load": document.load,
        "direction": document.direction,
        "bench": bench.kind,
        "bench_name": bench.name,
        "accelerator": bench.accelerator,
        "point_id": document.point_id,
        "repeat": str(document.repeat),
        "status": document.status,
        "labels": ",".join(labels),
        "kernel": document.versions.get("kernel of the hypervisor", document.versions.get("kernel", "")),
        "guest_kernel": document.versions.get("kernel of the guest", ""),
    }
    return tuple((name, value) for name, value in values.items() if value)


def _measured(metrics: Mapping[str, MetricResult]) -> Iterator[tuple[str, Summary]]:
    for name, result in metrics.items():
        if isinstance(result, Summary):
            yield name, result


def _seconds(document: RunDocument) -> str:
    moment = document.finished or document.created
    return f"{moment.timestamp():.3f}"


def _scaled(value_ns: float) -> str:
    """Exact: the integer nanoseconds survive."""
    return f"{Decimal(str(value_ns)).scaleb(-9):f}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
