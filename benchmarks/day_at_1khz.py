# SPDX-License-Identifier: Apache-2.0
"""A day at 1 kHz through the analysis: the controller's memory, its speed, and whether every verdict is still given.

    .venv/bin/python -m benchmarks.day_at_1khz [--hours 24] [--json FILE]

86.4 million records (11.75 GB) are made on the fly, the same in each pass, with a fault of each kind now and then; the
time that making them takes is counted apart. Memory is the process's peak (VmHWM), the making of records included.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from latlab.stats.analysis import analyse
from latlab.stats.records import Records
from tests.stats.exchanges_maker import START_NS, Fault, World, make

PIECE = 20_000
RATE = 1_000
EVERY_S = 600
"""Between two faults."""
FAULTS = (
    (Fault("step", 0, 0, 2e6), ("clock", "step", "clock")),
    (Fault("delay", 0, 5, 1e6, "forward"), ("network", "delay", "forward")),
    (Fault("stall", 0, 0, 1.6e8, "sender"), ("sender", "sender-stall", "sender")),
    (Fault("ramp", 0, 20, 1e6), ("clock", "ramp", "clock")),
    (Fault("stall", 0, 0, 2e7, "receiver"), ("network", "stall", "receiver")),
    (Fault("loss", 0, 3, 0.05), ("network", "loss", "")),
    (Fault("delay", 0, 5, 1e6, "back"), ("network", "delay", "back")),
    (Fault("stall", 0, 0, 2e7, "forward"), ("network", "stall", "forward")),
    (Fault("duplication", 0, 3, 0.05), ("network", "duplication", "")),
    (Fault("reordering", 0, 3, 0.05), ("network", "reordering", "")),
)
NETWORK = World(period_ns=10**9 // RATE, queue_ns=(60_000, 60_000), skew_ppb=30_000, drop=1e-5, seed=3)


def injected(hours: float) -> list[tuple[Fault, tuple[str, str, str]]]:
    """In turns, `EVERY_S` apart."""
    found = []
    for number in range(int(hours * 3_600 / EVERY_S)):
        fault, named = FAULTS[number % len(FAULTS)]
        found.append((replace(fault, at_s=EVERY_S * (number + 0.5)), named))
    return found


class Day:
    """Records of so many hours, piece by piece; `made_s` is how long making them took."""

    def __init__(self, hours: float) -> None:
        self.count = int(hours * 3_600 * RATE)
        self.faults = [fault for fault, _ in injected(hours)]
        self.made_s = 0.0
        self.records = 0

    def chunks(self) -> Iterator[Records]:
        for first in range(0, self.count, PIECE):
            started = time.process_time()
            begin, end = first / RATE, (first + PIECE) / RATE
            # A step stays, and so does what a ramp has added up to; anything else matters only while it lasts.
            lasting = [
                fault
                for fault in self.faults
                if fault.at_s < end + 1 and (fault.kind in ("step", "ramp") or fault.at_s + fault.for_s + 1 > begin)
            ]
            world = replace(NETWORK, count=min(PIECE, self.count - first), first=first, faults=tuple(lasting))
            stream = make(world).stream()
            self.records += len(stream)
            self.made_s += time.process_time() - started
            yield stream


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    day = Day(options.hours)
    header = replace(NETWORK, count=day.count).header
    started = time.process_time()
    found = analyse(day.chunks, header, "up", {"sender": "here", "reflector": "there"})
    taken_s = time.process_time() - started
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert peak
    named: Counter[str] = Counter()
    wanted = injected(options.hours)
    for fault, verdict in wanted:
        at = START_NS + fault.at_s * 1e9
        near = {
            (a.verdict, a.kind, a.place)
            for a in found.anomalies
            if a.start_ns <= at + 1e9 * (fault.for_s + 1) and a.end_ns >= at - 1e9
        }
        named["right" if verdict in near else "missed"] += 1
    # Each pass makes the records anew: what is analysed is the packets, so often as they were.
    result = {
        "commit": commit.stdout.strip(),
        "hours": options.hours,
        "packets": day.count,
        "passes": round(day.records / day.count, 2),
        "peak_mb": round(int(peak[1]) / 1024, 1),
        "analysis_s": round(taken_s - day.made_s, 1),
        "making_s": round(day.made_s, 1),
        "packets_per_s": round(day.count / (taken_s - day.made_s)),
        "injected": len(wanted),
        "named": dict(named),
        "anomalies": {"/".join(key): n for key, n in Counter((a.verdict, a.kind) for a in found.anomalies).items()},
        "timing": list(found.timing.words),
        "suspect": found.timing.suspect,
    }
    for key, value in result.items():
        print(f" {key:<14} {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
