# SPDX-License-Identifier: Apache-2.0
"""10^8 samples to everything that run.json says of them, beside DuckDB's own quantile query on the same Parquet file.

    .venv/bin/python -m benchmarks.summary_1e8 [--records 100000000] [--rounds 3] [--directory DIR] [--json FILE]

The file is made once, by the code that stores a run, of exchanges over a made-up network between two clocks that drift
(13.6 GB of disk while it is made, 2 GB then); DIR keeps it for the next time. In each round every program is a process
of its own, in turns: latlab reads the file and fills a run's document (`store.statistics.fill`: the clocks compared,
counts, every metric's moments, quantiles and intervals, complementary distributions, anomalies, and whatever `fill` has
learned since); DuckDB gives the quantiles of the round trip; then, query by query, those of every metric that latlab
found. Both have all processors. Seconds are of the wall and of the processors, memory is the process's peak (VmHWM).
The quantiles of both are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from latlab.stats.stamps import METRICS, Direction

PIECE = 20_000
RATE = 1_000
BOUNDS = {"wall_s": 20, "peak_mb": 1_024}
_DIRECTION: Direction = "up"


def make_file(directory: Path, records: int) -> None:
    """samples.parquet of one run at 1 kHz."""
    from latlab.store.parquet import convert
    from latlab.store.samples import RAW_NAME, RawWriter
    from tests.stats.exchanges_maker import World, make

    directory.mkdir(parents=True, exist_ok=True)
    (directory / RAW_NAME).unlink(missing_ok=True)
    world = World(period_ns=10**9 // RATE, queue_ns=(60_000, 60_000), skew_ppb=30_000, drop=1e-5, seed=3)
    with RawWriter(directory / RAW_NAME) as writer:
        writer.append(replace(world, count=records).header.pack())
        for first in range(0, records, PIECE):
            part = replace(world, count=min(PIECE, records - first), first=first)
            writer.append(make(part).stream().tobytes())
    convert(directory)


def summarise(directory: Path, _keys: list[str]) -> dict[str, Any]:
    """latlab: what `latlab run` does when the packets are in, but for the conversion."""
    from latlab.stats.summary import Summary
    from latlab.store.document import BenchFacts, RunDocument
    from latlab.store.samples import open_samples
    from latlab.store.statistics import fill

    samples = open_samples(directory)
    assert samples is not None
    document = RunDocument(
        id="20261121T000000Z-x-a1b2c3", created=datetime(2026, 11, 21, tzinfo=UTC), scenario="benchmark",
        point={"flow": {"direction": _DIRECTION}}, point_id="a1b2c3", attachment="made up", load="none",
        bench=BenchFacts(kind="emulated"), timescales={"sender": "here", "reflector": "there"},
    )  # fmt: skip
    found = fill(document, samples)
    metrics = {key: result.quantiles_ns for key, result in document.metrics.items() if isinstance(result, Summary)}
    return {
        "records": samples.records,
        "metrics": metrics,
        "clocks": found.timing.method,
        "anomalies": len(found.anomalies),
        "document_bytes": len(document.to_json()),
    }


def duckdb_quantiles(directory: Path, keys: list[str]) -> dict[str, Any]:
    """DuckDB: exact quantiles of these metrics, one query each; of two clocks, without comparing them."""
    import duckdb

    from latlab.stats.stamps import STAMP
    from latlab.stats.summary import QUANTILES

    metrics, found = {metric.key(_DIRECTION): metric for metric in METRICS}, {}
    shares = [float(share) for share in QUANTILES.values()]
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for key in keys:
            end, start = STAMP[metrics[key].end].column, STAMP[metrics[key].start].column
            (values,) = connection.execute(
                f"SELECT quantile_disc({end} - {start}, {shares}) FROM read_parquet('{directory}/samples.parquet')"
            ).fetchall()[0]
            found[key] = dict(zip(QUANTILES, values, strict=True))
    return {"metrics": found}


def measured(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    wall, processors = time.perf_counter(), time.process_time()
    found = work()
    wall, processors = time.perf_counter() - wall, time.process_time() - processors
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert peak
    return {**found, "wall_s": wall, "processors_s": processors, "peak_mb": int(peak[1]) / 1024}


def in_a_process(directory: Path, what: str, keys: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.summary_1e8", "--one", what, "--directory", str(directory), *keys],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def largest_error(ours: dict[str, Any], theirs: dict[str, Any], keys: list[str]) -> float:
    """Of latlab's quantiles, as a share of DuckDB's, over those metrics."""
    pairs = [(ours[key][name], value) for key in keys for name, value in theirs[key].items()]
    return float(max(abs(one - other) / abs(other) for one, other in pairs if one is not None))


def rounds(directory: Path, count: int) -> dict[str, Any]:
    runs: dict[str, list[dict[str, Any]]] = {"latlab": [], "round trip": [], "every metric": []}
    for number in range(count):
        runs["latlab"].append(in_a_process(directory, "latlab", []))
        keys = list(runs["latlab"][-1]["metrics"])
        runs["round trip"].append(in_a_process(directory, "duckdb", ["round_trip"]))
        if number == 0:
            runs["every metric"].append(in_a_process(directory, "duckdb", keys))
    ours, theirs = runs["latlab"][0], runs["every metric"][0]
    # DuckDB does not compare clocks, so it can be held against those that need one only.
    one_clock = [metric.key(_DIRECTION) for metric in METRICS if not metric.two_clocks]
    one_clock = [key for key in one_clock if key in theirs["metrics"]]
    told: dict[str, Any] = {
        "records": ours["records"], "metrics": len(ours["metrics"]), "anomalies": ours["anomalies"],
        "document_bytes": ours["document_bytes"], "file_bytes": (directory / "samples.parquet").stat().st_size,
        "largest_error": largest_error(ours["metrics"], theirs["metrics"], one_clock), "bounds": BOUNDS,
    }  # fmt: skip
    for name, results in runs.items():
        told[name] = {key: round(median(r[key] for r in results), 2) for key in ("wall_s", "processors_s", "peak_mb")}
        told[name]["rounds_wall_s"] = [round(result["wall_s"], 2) for result in results]
    told["ratios"] = {
        f"{key}, latlab's / DuckDB's for {name}": round(told["latlab"][key] / told[name][key], 2)
        for name in ("round trip", "every metric")
        for key in ("wall_s", "processors_s", "peak_mb")
    }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="where the file is, or will be; else it is made and removed")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--one", choices=("latlab", "duckdb"), help=argparse.SUPPRESS)
    parser.add_argument("keys", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        directory = options.directory
        one = summarise if options.one == "latlab" else duckdb_quantiles
        print(json.dumps(measured(lambda: one(directory, options.keys))))
        return
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.directory or Path(temporary)
        if not (directory / "samples.parquet").exists():
            make_file(directory, options.records)
        load = os.getloadavg()[0]
        result = {"commit": commit.stdout.strip(), "load_before": round(load, 2), **rounds(directory, options.rounds)}
    for key, value in result.items():
        if isinstance(value, dict):
            print(f" {key}")
            for name, number in value.items():
                print(f"   {name:<48} {number}")
        else:
            print(f" {key:<20} {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
