# SPDX-License-Identifier: Apache-2.0
"""The page: how long 10^7 samples take to become one, its size, the memory, and when the browser first paints it.

    .venv/bin/python -m benchmarks.page [--samples 10000000] [--json FILE] [--keep FOLDER]

One run of so many round trips, with all ways, on disk as a run is; then a matrix of 10 attachments x 3 loads with
20,000 packets each. First paint is the browser's own mark (Paint Timing), of headless Chromium from Debian, the median
of five loads. Limits: 10 s, 1 MB, 1 s.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import duckdb
from playwright.sync_api import sync_playwright

from latlab.stats.stamps import ONE_KERNEL, STAMPS
from latlab.store.run_dir import open_run
from latlab.store.statistics import fill
from tests.matrix_maker import make_matrix, make_run
from tests.samples_maker import HEADER
from tests.stats.exchanges_maker import World

LOADS = 5
LIMITS = {"seconds": 10.0, "bytes": 1_000_000, "first_paint_ms": 1_000.0}


def large_run(root: Path, samples: int) -> Path:
    """A run whose samples.parquet DuckDB makes at once: the probe's stream of 10^7 records would be 1.4 GB."""
    run = make_run(root, World(count=1_000), timescales=ONE_KERNEL)
    header = replace(HEADER, count=samples)
    start, period = header.start_ns, header.period_ns
    stamps = ", ".join(
        f"NULL::BIGINT AS {stamp.column}" if stamp.clock.endswith("-nic")
        else f"({start} + i * {period} + {place} * 30000 + (wait * {place} * 2000)::BIGINT) AS {stamp.column}"
        for place, stamp in enumerate(STAMPS)
    )  # fmt: skip
    described = json.dumps({**header.as_dict(), "cut_bytes": 0})
    duckdb.execute(
        f"COPY (SELECT i::UBIGINT AS seq, 3::UINTEGER AS flags, {stamps}, 0::BIGINT AS offset_ns, "
        f"0::BIGINT AS error_ns, 'shared' AS method FROM (SELECT i, -ln(random()) AS wait FROM range({samples}) t(i))) "
        f"TO '{run.path / 'samples.parquet'}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440, "
        f"KV_METADATA {{latlab: '{described}'}})"
    )
    opened = open_run(run.path)
    found = opened.samples()
    assert found is not None
    fill(opened.document, found)
    opened.save()
    return run.path


def measured(runs: Path, page: Path) -> dict[str, float | int]:
    """`latlab report` as a process of its own: its time, its peak of memory, the page's size and first paint."""
    command = [sys.executable, "-m", "latlab", "report", str(runs), "-o", str(page), "--budget", "500us"]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit("latlab report failed")
    return {
        "seconds": round(seconds, 2),
        "peak_mb": round(used.ru_maxrss / 1024),
        "bytes": page.stat().st_size,
        "first_paint_ms": first_paint_ms(page),
    }


def first_paint_ms(page: Path) -> float:
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for _ in range(LOADS):
            tab = browser.new_page(viewport={"width": 1240, "height": 900})
            tab.goto(page.as_uri())
            tab.wait_for_selector("#reproduce pre")
            paints = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            found.append(float(tab.evaluate(paints)))
            tab.close()
        browser.close()
    return round(statistics.median(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--keep", type=Path, help="leave runs and pages in this folder")
    options = parser.parse_args()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    with tempfile.TemporaryDirectory(prefix="latlab-page-") as temporary:
        folder = options.keep or Path(temporary)
        large_run(folder / "large", options.samples)
        make_matrix(folder / "matrix")
        results = {
            f"{options.samples:.0e} samples": measured(folder / "large", folder / "large.html"),
            "10 x 3 runs": measured(folder / "matrix", folder / "matrix.html"),
        }
    print(f" {commit.stdout.strip():<18} {'s':>8} {'MB peak':>9} {'bytes':>9} {'first paint, ms':>16}")
    for name, row in results.items():
        print(f" {name:<18} {row['seconds']:>8} {row['peak_mb']:>9} {row['bytes']:>9} {row['first_paint_ms']:>16}")
    over = [f"{name}: {key}" for name, row in results.items() for key, limit in LIMITS.items() if row[key] > limit]
    if options.json:
        options.json.write_text(json.dumps({"commit": commit.stdout.strip(), "results": results}, indent=1) + "\n")
    if over:
        sys.exit(f"over the limit: {', '.join(over)}")


if __name__ == "__main__":
    main()
