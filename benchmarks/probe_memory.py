# SPDX-License-Identifier: Apache-2.0
"""The probe's memory after 10^5 and after 10^7 packets: the same, and under 20 MB.

    sudo .venv/bin/python benchmarks/probe_memory.py [--counts 100000 10000000] [--json FILE]

The sender's peak resident memory (VmHWM) is read while it runs, with all of it locked, which is the most it can be.
(The reflector keeps nothing per packet.) 10^7 packets take some four minutes.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from link import HEADER_BYTES, RECORD, check_probe, default_probe, probe_pair, veth_pair


def peak_kb(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if not found:
        raise SystemExit(f"process {pid} has no VmHWM: it has ended already")
    return int(found[1])


def measure(probe: str, output: Path, count: int) -> dict[str, int]:
    """Sends `count` packets as fast as both ends can without loss."""
    send = ["--period", "20us", "--count", str(count), "--fifo", "50", "--cpu", "0", "--tx-stamps", "100"]
    with probe_pair(probe, [*send, "--output", str(output)], ["--fifo", "50", "--cpu", "1"]) as near:
        peak = 0
        while near.poll() is None:
            status = Path(f"/proc/{near.pid}/status")
            try:
                peak = max(peak, peak_kb(near.pid)) if status.exists() else peak
            except (SystemExit, ProcessLookupError, FileNotFoundError):
                break  # it ended between the look and the reading
            try:
                near.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        assert near.stderr is not None
        summary = json.loads(near.stderr.read().splitlines()[-1])
    records = (output.stat().st_size - HEADER_BYTES) // RECORD.itemsize
    return {"count": count, "peak_kb": peak, "sent": summary["sent"], "lost": summary["lost"], "records": records}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--probe", default=default_probe())
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 10_000_000])
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    check_probe(options.probe)

    with tempfile.TemporaryDirectory() as folder, veth_pair():
        rows = [measure(options.probe, Path(folder) / "records", count) for count in options.counts]
    for row in rows:
        sys.stdout.write(
            f"{row['count']:10} packets: sender {row['peak_kb'] / 1024:.1f} MB at most, lost {row['lost']}, "
            f"records {row['records']}\n"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
