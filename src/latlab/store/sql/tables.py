# SPDX-License-Identifier: Apache-2.0
"""The tables that a query may name: `runs`, `metrics`, `anomalies`, `shapes`, `samples`, `timing`.

Each is made if it is named. `samples` and `timing` are views of the runs' own Parquet files. Samples that still are
samples.raw are turned into a temporary Parquet file, up to their last whole record. What cannot be read is left out,
and told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from latlab.errors import StoreError
from latlab.stats.stamps import CLOCKS, STAMPS, Clock, Direction
from latlab.store.entry import Entry, compared
from latlab.store.parquet import UNREADABLE, damage, quoted, readable, whole, write_parquet
from latlab.store.run_dir import DOCUMENT_NAME, open_run
from latlab.store.samples import PARQUET_NAME, RAW_NAME, RawReader
from latlab.store.sql.columns import (
    ANOMALIES,
    COUNTS,
    LOST_SQL,
    METRIC_COLUMNS,
    METRIC_ROWS,
    QUANTILE_COLUMNS,
    RUNS,
    SHAPES,
    Column,
    metrics_sql,
)
from latlab.store.statistics import fill
from latlab.store.timing_log import COLUMNS as TIMING_COLUMNS
from latlab.store.timing_log import TIMING_NAME

NAMES = ("runs", "metrics", "anomalies", "shapes", "samples", "timing")
_ABOUT_TABLES = ("show", "tables", "information_schema", "duckdb_", "pg_", "sqlite_")
_STORED = {"seq": "UBIGINT", "flags": "UINTEGER", **{stamp.column: "BIGINT" for stamp in STAMPS},
           "offset_ns": "BIGINT", "error_ns": "BIGINT", "method": "VARCHAR"}  # fmt: skip
_RUN = "parse_filename(parse_dirpath(filename)) AS run"


_Way = tuple[str, Direction, tuple[tuple[Clock, str], ...]]
"""Bench, direction and compared clocks of runs whose samples are read alike."""


@dataclass
class Made:
    """`files`: what the views read. `remarks`: what was left out, and why."""

    files: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def damaged(self) -> list[str]:
        """What is wrong with those of the files that cannot be read."""
        return [f"{path} is damaged {where}" for path in self.files if (where := damage(path))]


def make(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], names: str, folder: Path) -> Made:
    """Make the tables whose names occur in `names`, of these runs; `folder` is for what is only needed until then."""
    made, wanted = Made(), names.lower()
    if any(word in wanted for word in _ABOUT_TABLES):
        wanted = " ".join(NAMES)
    if "runs" in wanted:
        _table(connection, "runs", RUNS, (_run_row(entry) for entry in entries), folder)
    if "metrics" in wanted:
        _table(connection, "metrics", METRIC_ROWS, _metric_rows(entries), folder)
    if "anomalies" in wanted:
        with_some = [entry for entry in entries if entry.anomaly_counts]
        _table(connection, "anomalies", ANOMALIES, _listed(with_some, "anomalies", ANOMALIES), folder)
    if "shapes" in wanted:
        _table(connection, "shapes", SHAPES, _listed(entries, "shapes", SHAPES), folder)
    if "samples" in wanted:
        _samples(connection, entries, folder, made)
    if "timing" in wanted:
        _timing(connection, entries, folder, made)
    return made


def _timing(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], folder: Path, made: Made) -> None:
    template = _template(connection, "timing", TIMING_COLUMNS, folder)

    def view(files: Collection[Path]) -> str:
        source = _reader([template, *(path for path in paths if path in files)])
        return f"CREATE VIEW timing AS SELECT {_RUN}, {', '.join(TIMING_COLUMNS)} FROM {source}"

    paths = [path for entry in entries if (path := entry.path / TIMING_NAME).exists()]
    made.files.append(template)
    _create(connection, view, paths, made)


def _samples(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], folder: Path, made: Made) -> None:
    """The view `samples`: one read of the files for each way to compute the metrics."""
    template = _template(connection, "samples", _STORED, folder)
    groups: dict[_Way, list[Path]] = {("", "down", ()): []}
    paths = []
    for entry, path in _sample_files(entries, folder, made):
        direction: Direction = "up" if entry.direction == "up" else "down"
        scales = tuple((clock, entry.timescales[clock]) for clock in CLOCKS if clock in entry.timescales)
        groups.setdefault(((entry.bench or {}).get("kind", ""), direction, scales), []).append(path)
        paths.append(path)

    def view(files: Collection[Path]) -> str:
        selects = []
        for (bench, direction, timescales), members in groups.items():
            metrics = metrics_sql(direction, dict(timescales))
            named = ", ".join(f"{metrics[column.name]} AS {column.name}" for column in METRIC_COLUMNS)
            source = _reader([template, *(path for path in members if path in files)])
            columns = f"{quoted(bench)} AS bench, {', '.join(_STORED)}, {LOST_SQL} AS lost, {named}"
            selects.append(f"SELECT {_RUN}, {columns} FROM {source}")
        return f"CREATE VIEW samples AS {' UNION ALL '.join(selects)}"

    made.files.append(template)
    _create(connection, view, paths, made)


def _create(
    connection: duckdb.DuckDBPyConnection,
    view: Callable[[Collection[Path]], str],
    paths: Sequence[Path],
    made: Made,
) -> None:
    """Create a view of those of these Parquet files that can be read; a remark for each that cannot."""
    good = {path for path in paths if whole(path)}
    made.remarks += [f"left out: {path} is damaged {damage(path)}" for path in paths if path not in good]
    try:
        connection.execute(view(good))
    except UNREADABLE:  # a footer that cannot be read; which one, is only found by looking at each
        broken = {path: where for path in good if (where := damage(path))}
        if not broken:
            raise
        made.remarks += [f"left out: {path} is damaged {where}" for path, where in broken.items()]
        good -= set(broken)
        connection.execute(view(good))
    made.files += good


def _sample_files(entries: Sequence[Entry], folder: Path, made: Made) -> Iterator[tuple[Entry, Path]]:
    """Each run that has samples, and the Parquet file that they are in, or are put in now. Of a run that did not get so
    far, the clocks are compared now, too."""
    for entry in entries:
        if (entry.path / PARQUET_NAME).exists():
            yield entry, entry.path / PARQUET_NAME
        elif (entry.path / RAW_NAME).exists():
            if entry.broken:
                made.remarks.append(f"left out: {entry.path / RAW_NAME}: {entry.reasons[0]}")
                continue
            try:
                raw, document = RawReader(entry.path / RAW_NAME), open_run(entry.path).document
                clocks = fill(document, raw).clocks
                path = folder / "raw" / entry.id / PARQUET_NAME
                path.parent.mkdir(parents=True)
                write_parquet(raw, path, clocks)
            except StoreError as error:
                made.remarks.append(f"left out: {error.message}")
                continue
            state = "still being measured" if entry.status == "running" else entry.status
            cut = f", and {raw.cut_bytes} bytes of one that is not whole" if raw.cut_bytes else ""
            made.remarks.append(f"{entry.id}: {state}: {raw.records} whole records{cut}")
            yield replace(entry, timescales=compared(document)), path


def _template(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], folder: Path) -> Path:
    """A Parquet file with all columns and no rows: older files lack some of them, and there may be no file at all."""
    path = folder / f"{name}-columns.parquet"
    empty = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
    connection.execute(f"COPY (SELECT {empty} WHERE false) TO {quoted(path)} (FORMAT parquet)")
    return path


def _reader(paths: Sequence[Path]) -> str:
    listed = ", ".join(readable(path) for path in paths)
    return f"read_parquet([{listed}], union_by_name = true, filename = true, hive_partitioning = false)"


def _table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Sequence[Column],
    rows: Iterable[dict[str, Any]],
    folder: Path,
) -> None:
    """A table of rows, by way of a file of JSON lines: as fast for 10,000 rows as inserting is for a hundred."""
    path = folder / f"{name}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    kinds = ", ".join(f"{quoted(column.name)}: {quoted(column.type)}" for column in columns)
    read = f"read_json({readable(path)}, format = 'newline_delimited', columns = {{{kinds}}})"
    connection.execute(f"CREATE TABLE {name} AS FROM {read}")


def _run_row(entry: Entry) -> dict[str, Any]:
    bench, counts = entry.bench or {}, entry.counts or {}
    host = entry.kernels.get("hypervisor", entry.kernels.get(""))
    numbers = _numbers(entry.round_trip or {})
    return {
        "run": entry.id,
        "path": str(entry.path),
        "created": _timestamp(entry.created),
        "finished": _timestamp(entry.finished),
        "bench": bench.get("kind"),
        "bench_name": bench.get("name"),
        **{key: bench.get(key) for key in ("accelerator", "nic", "cable")},
        **{key: getattr(entry, key) for key in ("scenario", "attachment", "load", "direction", "point_id", "repeat",
                                                "labels", "status", "verdict", "reasons")},
        "kernel": host,
        "guest_kernel": entry.kernels.get("guest"),
        **{name: counts.get(name) for name in COUNTS},
        **{f"anomalies_{verdict}": entry.anomaly_counts.get(verdict, 0)
           for verdict in ("network", "clock", "sender", "unknown")},
        **numbers,
    }  # fmt: skip


def _timestamp(text: str | None) -> str | None:
    """As read_json knows it, without a zone: all of these are UTC."""
    return None if text is None else text.removesuffix("Z").removesuffix("+00:00")


def _numbers(summary: Mapping[str, Any]) -> dict[str, Any]:
    quantiles = summary.get("quantiles_ns", {})
    return {
        **{key: summary.get(key) for key in ("n", "min_ns", "mean_ns", "max_ns", "stddev_ns")},
        **{column: quantiles.get(name) for name, column in QUANTILE_COLUMNS.items()},
    }


def _metric_rows(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    for run, document in _documents(entries):
        for metric, found in document.get("metrics", {}).items():
            extra = {key: found.get(key) for key in ("bound_ns", "not_measured")}
            bench = document.get("bench", {}).get("kind")
            yield {"run": run, "bench": bench, "metric": metric, **_numbers(found), **extra}


def _listed(entries: Iterable[Entry], part: str, columns: Sequence[Column]) -> Iterator[dict[str, Any]]:
    """The objects in a list of run.json."""
    names = [column.name for column in columns[1:]]
    for run, document in _documents(entries):
        for found in document.get(part, []):
            yield {"run": run, **{name: found.get(name) for name in names}}


def _documents(entries: Iterable[Entry]) -> Iterator[tuple[str, dict[str, Any]]]:
    """run.json as it is: it was checked when the entry was made."""
    for entry in entries:
        if not entry.broken:
            yield entry.id, json.loads((entry.path / DOCUMENT_NAME).read_bytes())
