# SPDX-License-Identifier: Apache-2.0
"""The controller: its memory over a long run, and how soon `latlab --help` answers.

    sudo .venv/bin/python benchmarks/controller.py [--counts 100000 2000000] [--json FILE]

Each run is a baseline on the local bench at one packet each 20 us; the controller's peak resident memory (VmHWM) is
read while it runs, so it includes the summary and the conversion to Parquet. `--help` is the median of 20 starts.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LATLAB = [sys.executable, "-m", "latlab"]
PERIOD_US = 20


def peak_kb(pid: int) -> int:
    """0 when the process has ended."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def long_run(count: int, folder: Path) -> dict[str, Any]:
    flow = ["--set", f"flow.period={PERIOD_US}us", "--set", f"flow.count={count}", "--set", "instruments=[probe]"]
    command = [*LATLAB, "run", "minimal", "--bench", "local", "--set", "attachment=baseline", *flow]
    started = time.monotonic()
    run = subprocess.Popen([*command, "--runs", str(folder), "--json"], stdout=subprocess.PIPE, text=True)
    peak = 0
    while run.poll() is None:
        peak = max(peak, peak_kb(run.pid))
        time.sleep(0.05)
    assert run.stdout
    (found,) = json.loads(run.stdout.read())
    return {
        "count": count, "peak_mb": round(peak / 1024, 1), "seconds": round(time.monotonic() - started, 1),
        "sent": found["counts"]["sent"], "lost": found["lost"], "verdict": found["verdict"],
    }  # fmt: skip


def help_seconds(times: int = 20) -> list[float]:
    taken = []
    for _ in range(times):
        started = time.monotonic()
        subprocess.run([*LATLAB, "--help"], stdout=subprocess.DEVNULL, check=True)
        taken.append(time.monotonic() - started)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 2_000_000])
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [long_run(count, Path(folder)) for count in options.counts]
    started = help_seconds()
    help_s = {"median": statistics.median(started), "max": max(started)}
    result = {"runs": runs, "help_s": help_s}
    for row in runs:
        print(f" {row['count']:>9} packets   controller {row['peak_mb']:>6} MB   lost {row['lost']}   {row['verdict']}")
    print(f" --help    median {help_s['median'] * 1000:.0f} ms, max {help_s['max'] * 1000:.0f} ms")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
