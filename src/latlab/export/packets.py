# SPDX-License-Identifier: Apache-2.0
"""The packets of runs as CSV, Parquet or JSON: the rows of the table `samples` of SQL, in the order of the runs.

CSV and Parquet have a row for each packet, with its run. JSON has an object for each run: its run.json, the columns
with their units, and the packets as lists.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import duckdb

from latlab.errors import StoreError
from latlab.report.rows import plain
from latlab.report.show import show_json
from latlab.store.disk import os_errors
from latlab.store.entry import entry_of
from latlab.store.parquet import UNREADABLE, quoted, translated
from latlab.store.run_dir import RunDirectory
from latlab.store.sql.columns import SAMPLES
from latlab.store.sql.session import FETCHED_ROWS, session

UNITS = {column.name: column.unit for column in SAMPLES}
_OPTIONS = {"csv": "FORMAT csv, HEADER true", "parquet": "FORMAT parquet, COMPRESSION zstd"}


def to_table(runs: Sequence[RunDirectory], path: Path, kind: str) -> list[str]:
    """Write `path` as "csv" or "parquet"; returns remarks. StoreError if the runs cannot be read or `path` written."""
    options = _OPTIONS[kind]
    if kind == "parquet":
        options += f", KV_METADATA {{latlab_units: {quoted(json.dumps(UNITS))}}}"
    with session([entry_of(run) for run in runs], "samples") as (connection, made):
        count = _count(connection)
        try:
            connection.execute(f"COPY (FROM samples) TO {quoted(path)} ({options})")
        except UNREADABLE as error:
            raise (
                StoreError(damaged[0]) if (damaged := made.damaged()) else translated(error, path, "writing")
            ) from error
        return [f"{count} packets of {len(runs)} runs", *made.remarks]


def to_json(runs: Sequence[RunDirectory], path: Path) -> list[str]:
    """Write `path` as one JSON object, run by run; returns remarks. StoreError as `to_table`."""
    remarks: list[str] = []
    packets = 0
    with os_errors(path, "writing"), path.open("w", encoding="utf-8") as file:
        file.write('{"units":' + json.dumps(UNITS) + ',\n"runs":[')
        for number, run in enumerate(runs):
            file.write(",\n" if number else "\n")
            packets += _json_run(run, file, remarks)
        file.write("]}\n")
    return [f"{packets} packets of {len(runs)} runs", *remarks]


def _json_run(run: RunDirectory, file: IO[str], remarks: list[str]) -> int:
    """One run's object; packets as lists, without the columns that all of them lack."""
    head = json.dumps(show_json(run))
    with session([entry_of(run)], "samples") as (connection, made):
        remarks += made.remarks
        counted = ", ".join(f"count({column.name})" for column in SAMPLES)
        try:
            counts = connection.execute(f"SELECT {counted} FROM samples").fetchall()[0]
            names = [column.name for column, n in zip(SAMPLES, counts, strict=True) if n and column.name != "run"]
            file.write(f'{head[:-1]}, "columns": {json.dumps(names)}, "packets": [')
            found = connection.execute(f"SELECT {', '.join(names) or 'run'} FROM samples")
            packets = 0
            while rows := found.fetchmany(FETCHED_ROWS):
                text = ",\n".join(json.dumps([plain(value) for value in row]) for row in rows)
                file.write(f"{',' if packets else ''}\n{text}")
                packets += len(rows)
        except UNREADABLE as error:
            damaged = made.damaged()
            raise StoreError(damaged[0] if damaged else f"reading {run.path} failed: {error}") from error
        file.write("]}")
        return packets


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    found: tuple[Any, ...] | None = connection.execute("SELECT count(*) FROM samples").fetchone()
    return int(found[0]) if found else 0
