# SPDX-License-Identifier: Apache-2.0
"""One run as a data file of flent (.flent.gz, its format 4): its test `ping`, with one value in ms for each packet.

Written after flent's documentation of the format (doc/data-format.rst). flent's series have one value for each time;
the times here are those at which the packets were sent, and a packet that was lost has none. One-way latencies, where
the clocks were compared, are series beside the round trip. flent reads a file whole, so there is a largest one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from latlab.errors import StoreError
from latlab.store.disk import os_errors
from latlab.store.entry import entry_of
from latlab.store.find import with_statistics
from latlab.store.labels import read_labels
from latlab.store.run_dir import RunDirectory
from latlab.store.sql.session import FETCHED_ROWS, session

FORMAT = 4
MOST_PACKETS = 2_000_000
"""flent 2.1 takes 1.5 KB of memory for each."""
SERIES = {"round_trip_ns": "Ping (ms) UDP", "up_ns": "Ping (ms) up, one way", "down_ns": "Ping (ms) down, one way"}
"""flent's own test `ping` draws all series whose name begins with "Ping (ms)"."""


def to_flent(run: RunDirectory, path: Path) -> list[str]:
    """Write `path`; returns remarks. StoreError if the run has no packets, too many, or cannot be read."""
    samples = run.samples()
    if samples is None or not samples.records:
        raise StoreError(f"{run.path} has no packets to export")
    if samples.records > MOST_PACKETS:
        raise StoreError(
            f"{run.path} has {samples.records} packets; flent reads files whole, so {MOST_PACKETS} is the most",
            hint="-f parquet takes any number",
        )
    tai_offset_ns = samples.header.tai_offset_ns
    with session([entry_of(run)], "samples") as (connection, made), os_errors(path, "writing"):
        sent = "FROM samples WHERE flags & 1 <> 0 AND coalesce(woke_ns, scheduled_ns) IS NOT NULL"
        counted = ", ".join(f"count({name})" for name in SERIES)
        when = "coalesce(woke_ns, scheduled_ns)"
        first_ns, last_ns, packets, *counts = connection.execute(
            f"SELECT min({when}), max({when}), count(*), {counted} {sent}"
        ).fetchall()[0]
        if not any(counts):
            raise StoreError(f"{run.path} has no packet with a latency that was measured")
        names = [name for name, count in zip(SERIES, counts, strict=True) if count]
        begun_ns = int(first_ns) - tai_offset_ns  # flent's times are UTC

        def values(columns: str) -> Iterator[tuple[Any, ...]]:
            found = connection.execute(f"SELECT {columns} {sent} ORDER BY {when}, seq")
            while rows := found.fetchmany(FETCHED_ROWS):
                yield from rows

        def point(row: tuple[Any, ...]) -> str:
            value = "null" if row[0] is None else _number(row[0] / 1e6)
            return f'{{"t": {(row[1] - tai_offset_ns) / 1e9:.6f}, "val": {value}, "seq": {row[2]}}}'

        with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as file:
            metadata = _metadata(run, begun_ns, (int(last_ns) - int(first_ns)) / 1e9, samples.header.period_ns, names)
            file.write(f'{{"version": {FORMAT}, "metadata": {json.dumps(metadata)},\n"x_values": ')
            _array(file, (_number((row[0] - first_ns) / 1e9) for row in values(when)))
            file.write(',\n"results": {')
            for number, name in enumerate(names):
                file.write(f"{',' if number else ''}\n{json.dumps(SERIES[name])}: ")
                _array(file, ("null" if row[0] is None else _number(row[0] / 1e6) for row in values(name)))
            file.write('},\n"raw_values": {')
            for number, name in enumerate(names):
                file.write(f"{',' if number else ''}\n{json.dumps(SERIES[name])}: ")
                _array(file, map(point, values(f"{name}, {when}, seq")))
            file.write("}}\n")
    return [f"{packets} packets; series {', '.join(SERIES[name] for name in names)}", *made.remarks]


def _array(file: IO[str], texts: Iterator[str]) -> None:
    file.write("[")
    for number, text in enumerate(texts):
        file.write(f"{', ' if number else ''}{text}")
    file.write("]")


def _number(value: float) -> str:
    return f"{value:.6f}"


def _metadata(run: RunDirectory, begun_ns: int, seconds: float, period_ns: int, names: list[str]) -> dict[str, Any]:
    document = with_statistics(run)
    begun = datetime.fromtimestamp(begun_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    load = "no load" if document.load == "none" else document.load
    kind = "" if document.bench.kind == "boards" else f" ({document.bench.kind})"
    verdict = document.verdict
    return {
        "NAME": "ping",
        "TITLE": f"{document.attachment}, {load}, flow {document.direction}{kind}",
        "TIME": begun,
        "T0": begun,
        "LENGTH": round(seconds),
        "TOTAL_LENGTH": seconds,
        "STEP_SIZE": period_ns / 1e9,
        "HOST": document.bench.name or document.bench.kind,
        "HOSTS": [document.bench.name or document.bench.kind],
        "LOCAL_HOST": "guest" if document.direction == "up" else "peer",
        "IP_VERSION": None,
        "FLENT_VERSION": None,
        "TEST_PARAMETERS": {},
        "KERNEL_NAME": "Linux",
        "KERNEL_RELEASE": document.versions.get("kernel of the hypervisor", document.versions.get("kernel")),
        "NOTE": "; ".join([f"latlab {run.id}: {verdict.value}", *verdict.reasons, *read_labels(run.path)]),
        "DATA_FILENAME": f"{run.id}.flent.gz",
        "SERIES_META": {SERIES[name]: {"UNITS": "ms"} for name in names},
    }
