# SPDX-License-Identifier: Apache-2.0
"""Many runs in one folder: how long `latlab list` and `latlab sql` take, with the index and without.

    .venv/bin/python benchmarks/many_runs.py [--runs 10000] [--json FILE]

The runs are copies of one with two clocks (tests/data/run-format-1-clocks: 12 kB of run.json, 6,000 packets). Each
command is started anew; the times are those of the whole process, wall clock and CPU, medians of three: on a machine
that does other things at the same time, the second is the one to believe. `sql samples` reads one column of
all packets, `sql samples of one run` one run of all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "tests" / "data" / "run-format-1-clocks"
LATLAB = [sys.executable, "-m", "latlab"]
ATTACHMENTS = ("tap-bridge", "macvtap", "vfio", "ovs", "xdp")
LONG_AGO_S = 10 * 86_400


def fill(root: Path, runs: int) -> None:
    """Runs that began seven minutes after each other; samples are links to one file, which takes no place."""
    values = json.loads((SAMPLE / "run.json").read_bytes())
    begun = time.time() - LONG_AGO_S - runs * 420
    shutil.copy(SAMPLE / "samples.parquet", root / "samples.parquet")
    for number in range(runs):
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun + number * 420))
        attachment = ATTACHMENTS[number % len(ATTACHMENTS)]
        path = root / f"{moment.replace('-', '').replace(':', '')}-{attachment}-no-load-{number:06x}"
        path.mkdir()
        changed = {"id": path.name, "created": moment, "attachment": attachment}
        (path / "run.json").write_text(json.dumps(values | changed, indent=1))
        os.link(root / "samples.parquet", path / "samples.parquet")


def seconds(arguments: Sequence[str | Path], times: int = 3, before: Path | None = None) -> tuple[float, float]:
    """Wall clock and CPU, medians of some starts; `before` each, this file is removed."""
    found = []
    for _ in range(times):
        if before is not None:
            before.unlink(missing_ok=True)
        started, used = time.monotonic(), cpu_seconds()
        subprocess.run([*LATLAB, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
        found.append((time.monotonic() - started, cpu_seconds() - used))
    return statistics.median(wall for wall, _ in found), statistics.median(cpu for _, cpu in found)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="latlab-many-") as folder:
        root = Path(folder)
        fill(root, asked.runs)
        time.sleep(4)  # the index keeps nothing that was changed a moment ago
        index, place = root / ".latlab-index", ["--runs", str(root)]
        one = sorted(path.name for path in root.iterdir() if path.is_dir())[asked.runs // 2]
        found = {
            "list, no index": seconds(["list", *place], before=index),
            "list": seconds(["list", *place]),
            "list, filtered": seconds(["list", "--attachment", "ovs", "--since", "11d", "--sort", "-p99", *place]),
            "list --json": seconds(["list", "--json", *place]),
            "sql runs": seconds(["sql", "SELECT attachment, median(p99_ns) FROM runs GROUP BY ALL", *place]),
            "sql samples": seconds(["sql", "SELECT max(round_trip_ns) FROM samples", *place], 1),
            "sql samples of one run": seconds(
                ["sql", f"SELECT max(round_trip_ns) FROM samples WHERE run = '{one}'", *place], 1
            ),
            "show latest": seconds(["show", *place]),
            "latlab --version": seconds(["--version"]),
        }
        size = index.stat().st_size
    print(f"{asked.runs} runs; the index has {size / 1e6:.1f} MB")
    for name, (wall, cpu) in found.items():
        print(f"  {name:<24} {wall:7.2f} s   {cpu:7.2f} s of CPU")
    if asked.json:
        asked.json.write_text(
            json.dumps({"runs": asked.runs, "index_bytes": size, "wall_and_cpu_seconds": found}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
