# SPDX-License-Identifier: Apache-2.0
"""THE table of what SQL, exports and data frames have of runs and packets: columns, DuckDB's types, units, meanings."""

from __future__ import annotations

from dataclasses import dataclass

from latlab.stats.records import ARRIVED, REPLIED, SENT
from latlab.stats.stamps import METRICS, STAMP, STAMPS, Direction, Metric, Timescales
from latlab.stats.summary import QUANTILES
from latlab.stats.values import OF_ARRIVAL, OF_SENDING

QUANTILE_COLUMNS = {name: f"{name.replace('.', '_')}_ns" for name in QUANTILES}
"""p99.9 -> p99_9_ns: SQL takes a point for the name of a table."""


@dataclass(frozen=True)
class Column:
    """`unit` is "" for what has none. A time of a clock is "ns TAI": since 1970, leap seconds included."""

    name: str
    type: str
    unit: str
    meaning: str


def _metric_columns() -> tuple[Column, ...]:
    found: dict[str, Column] = {}
    for metric in METRICS:
        for direction in ("up", "down"):
            name = f"{metric.key(direction)}_ns"
            found[name] = Column(name, "BIGINT", "ns", metric.label)
    return tuple(found[name] for name in sorted(found, key=_order))


def _order(name: str) -> tuple[bool, bool, str]:
    """Round trip first, then the whole ways, then their stages."""
    return name != "round_trip_ns", name not in ("up_ns", "down_ns"), name


METRIC_COLUMNS = _metric_columns()

SAMPLES: tuple[Column, ...] = (
    Column("run", "VARCHAR", "", "the run's id"),
    Column("bench", "VARCHAR", "", "emulated, local, boards, imported"),
    Column("seq", "UBIGINT", "", "the packet's number, from 0"),
    Column("flags", "UINTEGER", "", "see docs/run-directory.md"),
    *(Column(stamp.column, "BIGINT", "ns TAI", f"{stamp.letter}: {stamp.meaning}") for stamp in STAMPS),
    Column("offset_ns", "BIGINT", "ns", "the reflector's clock - the sender's"),
    Column("error_ns", "BIGINT", "ns", "how far offset_ns may be off"),
    Column("method", "VARCHAR", "", "how the clocks were compared"),
    Column("lost", "BOOLEAN", "", "sent, and no reply came within the timeout"),
    *METRIC_COLUMNS,
)

_NUMBERS = (
    Column("n", "BIGINT", "", "samples"),
    Column("min_ns", "BIGINT", "ns", ""),
    Column("mean_ns", "DOUBLE", "ns", ""),
    Column("max_ns", "BIGINT", "ns", ""),
    Column("stddev_ns", "DOUBLE", "ns", "divided by n - 1"),
    *(
        Column(column, "BIGINT", "ns", f"{name}; null with fewer than 10 samples beyond it")
        for name, column in QUANTILE_COLUMNS.items()
    ),
)

COUNTS = ("sent", "replied", "received", "lost", "late", "duplicated", "reordered", "send_failed", "late_wakeups",
          "records_dropped")  # fmt: skip

RUNS: tuple[Column, ...] = (
    Column("run", "VARCHAR", "", "the run's id"),
    Column("path", "VARCHAR", "", "its directory"),
    Column("created", "TIMESTAMP", "UTC", "when it began"),
    Column("finished", "TIMESTAMP", "UTC", "when it ended"),
    Column("scenario", "VARCHAR", "", ""),
    Column("bench", "VARCHAR", "", "emulated, local, boards, imported"),
    Column("bench_name", "VARCHAR", "", ""),
    Column("accelerator", "VARCHAR", "", "kvm or tcg, of the guests"),
    Column("nic", "VARCHAR", "", ""),
    Column("cable", "VARCHAR", "", ""),
    Column("attachment", "VARCHAR", "", ""),
    Column("load", "VARCHAR", "", ""),
    Column("direction", "VARCHAR", "", "of the flow: up is out of the guest"),
    Column("point_id", "VARCHAR", "", "runs with the same one repeat each other"),
    Column("repeat", "INTEGER", "", ""),
    Column("kernel", "VARCHAR", "", "of the hypervisor, or of the only machine"),
    Column("guest_kernel", "VARCHAR", "", ""),
    Column("labels", "VARCHAR[]", "", ""),
    Column("status", "VARCHAR", "", "done, failed, interrupted, running, broken"),
    Column("verdict", "VARCHAR", "", "valid, suspect, invalid"),
    Column("reasons", "VARCHAR[]", "", "of the verdict"),
    *(Column(name, "BIGINT", "packets", "") for name in COUNTS),
    *(Column(f"anomalies_{verdict}", "BIGINT", "", f"whose verdict is {verdict}")
      for verdict in ("network", "clock", "sender", "unknown")),
    *_NUMBERS,
)  # fmt: skip
"""n and the times are the round trip's; the other metrics are in `METRIC_ROWS`."""

METRIC_ROWS: tuple[Column, ...] = (
    Column("run", "VARCHAR", "", "the run's id"),
    Column("bench", "VARCHAR", "", "emulated, local, boards, imported"),
    Column("metric", "VARCHAR", "", "round_trip, up, down, up_send_path, ..."),
    *_NUMBERS,
    Column("bound_ns", "BIGINT", "ns", "how far each may be off because two clocks were compared"),
    Column("not_measured", "VARCHAR", "", "why there are no numbers"),
)

ANOMALIES: tuple[Column, ...] = (
    Column("run", "VARCHAR", "", "the run's id"),
    Column("verdict", "VARCHAR", "", "network, clock, sender, unknown"),
    Column("kind", "VARCHAR", "", ""),
    Column("place", "VARCHAR", "", ""),
    Column("start_ns", "BIGINT", "ns TAI", "on the sender's clock"),
    Column("end_ns", "BIGINT", "ns TAI", "on the sender's clock"),
    Column("packets", "BIGINT", "packets", ""),
    Column("size", "DOUBLE", "see unit", ""),
    Column("unit", "VARCHAR", "", "of size and bound: ns, ppb, packets"),
    Column("bound", "DOUBLE", "see unit", "the true size is within it"),
    Column("evidence", "VARCHAR[]", "", "what it is concluded from"),
)

SHAPES: tuple[Column, ...] = (
    Column("run", "VARCHAR", "", "the run's id"),
    Column("kind", "VARCHAR", "", "spikes, periodic, drift, ripple, two modes, loss bursts"),
    Column("metric", "VARCHAR", "", "whose shape it is"),
    Column("verdict", "VARCHAR", "", "network, clock, sender, unknown"),
    Column("value", "DOUBLE", "see unit", ""),
    Column("unit", "VARCHAR", "", "of value and bound"),
    Column("bound", "DOUBLE", "see unit", "the true value is within it"),
    Column("confidence", "DOUBLE", "", "0 to 1"),
    Column("start_ns", "BIGINT", "ns TAI", "on the sender's clock"),
    Column("end_ns", "BIGINT", "ns TAI", "on the sender's clock"),
    Column("packets", "BIGINT", "packets", "that belong to it"),
    Column("sentence", "VARCHAR", "", "all that in words"),
)


LOST_SQL = f"flags & {SENT} <> 0 AND flags & {ARRIVED} = 0"


def metric_sql(metric: Metric, timescales: Timescales) -> str:
    """`metric` of a row of samples, as `stats.summary.metric_values` has it: NULL where it is no sample, has not both
    stamps, or where its clocks were not compared."""
    if not metric.clocks_compared(timescales):
        return "NULL::BIGINT"
    end, start = STAMP[metric.end], STAMP[metric.start]
    needed = [f"flags & {SENT} <> 0"]
    needed += [
        f"flags & {ARRIVED if letter in OF_ARRIVAL else REPLIED} <> 0"
        for letter in (metric.end, metric.start)
        if letter not in OF_SENDING
    ]
    shift = ""
    if metric.between_machines:
        shift = f" {'-' if end.clock == 'reflector' else '+'} coalesce(offset_ns, 0)"
    conditions = " AND ".join(dict.fromkeys(needed))
    return f"CASE WHEN {conditions} THEN {end.column} - {start.column}{shift} END"


def metrics_sql(direction: Direction, timescales: Timescales) -> dict[str, str]:
    """All metrics' columns -> how they are computed, for runs with this direction and these compared clocks."""
    found = {column.name: "NULL::BIGINT" for column in METRIC_COLUMNS}
    return found | {f"{metric.key(direction)}_ns": metric_sql(metric, timescales) for metric in METRICS}
