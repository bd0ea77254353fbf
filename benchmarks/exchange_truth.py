# SPDX-License-Identifier: Apache-2.0
"""The method `exchange` against the truth: one clock is compared with itself by the packets alone.

    .venv/bin/python benchmarks/exchange_truth.py [--exchanges 100000] [--json FILE]

On the emulated bench of one machine both ends of a flow read one kernel's clock, so the true offset is 0 at every
packet. What `exchange` says of each packet, offset and bound, is held against that. Needs no root;
QEMU and a built latlab.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import duckdb

from latlab.attached import Standing
from latlab.bench.opening import open_bench
from latlab.hosts.commands import CommandLog
from latlab.report.progress import TerminalProgress
from latlab.run import run_point
from latlab.scenario.attachments import Baseline
from latlab.scenario.bench_model import EmulatedBench
from latlab.scenario.model import Flow, Guest, Point, Probe
from latlab.scenario.plan import PlannedPoint
from latlab.scenario.timing import Exchange
from latlab.store.run_dir import RunDirectory

PERIOD_NS = 2_000_000

QUERY = """
SELECT count(*), count(*) FILTER (abs(offset_ns) > error_ns), median(abs(offset_ns)), median(error_ns),
       max(abs(offset_ns)), max(abs(offset_ns) / error_ns), median(return_read_ns - woke_ns)
FROM '{}' WHERE offset_ns IS NOT NULL AND flags & 3 = 3
"""
"""Of the packets that were answered; times in ns."""


def measured(exchanges: int, root: Path) -> RunDirectory:
    """One run on a bench of its own."""
    point = Point(
        attachment=Baseline(), flow=Flow(period_ns=PERIOD_NS, count=exchanges), load=None, guest=Guest(),
        instruments=(Probe(),), timing=Exchange(),
    )  # fmt: skip
    log = CommandLog()
    with open_bench("truth", EmulatedBench(), log) as site:
        planned = PlannedPoint(1, point, "one clock", "truth", exchanges * PERIOD_NS / 1e9)
        return run_point(planned, "truth", site, log, root, TerminalProgress(), Standing())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = measured(options.exchanges, Path(folder))
        (row,) = duckdb.connect().execute(QUERY.format(run.path / "samples.parquet")).fetchall()
        words = run.document.timing.words
    packets, violated, offset, bound, worst, share, round_trip = row
    print(f"\n {packets} exchanges; the true offset is 0; the bound was violated {violated} times")
    print(f" offset: median {offset / 1000:.1f} us, worst {worst / 1000:.1f} us, at most {share:.0%} of its bound")
    print(f" bound:  median {bound / 1000:.1f} us; median round trip {round_trip / 1000:.1f} us")
    print(" said:  ", "; ".join(words))
    if options.json:
        names = ("packets", "violated", "median_offset_ns", "median_bound_ns", "worst_offset_ns", "worst_share",
                 "median_round_trip_ns")  # fmt: skip
        options.json.write_text(json.dumps(dict(zip(names, row, strict=True)), indent=1) + "\n")


if __name__ == "__main__":
    main()
