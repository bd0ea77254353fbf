# SPDX-License-Identifier: Apache-2.0
"""What showing a run costs its controller: beside the disk, at each drawing, and to who comes late.

    python -m benchmarks.live_cost [--records 10000000]

One row for each rate of packets: the share of one CPU that `latlab run` spends on the live line (bytes taken, numbers
made, four lines drawn a second), over ten seconds of a made-up run; then how fast `latlab watch` reads a run that is
long under way, and its memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from latlab.live import LiveRun
from latlab.report.live import Shown
from latlab.report.live_line import line
from latlab.report.terminal import styled
from latlab.stats.live import ROUND_TRIP
from latlab.stats.records import Records
from latlab.stats.stamps import ONE_KERNEL
from latlab.store.growing import GrowingRun as Reader
from latlab.watching import Following
from tests.growing_run import GrowingRun, packets

RATES_HZ = (1_000, 10_000, 100_000)
SECONDS, LOOKS_HZ, DRAWS_HZ = 10, 5, 4
PIECE = 65_536
"""What an agent's frame brings at most."""


def cost(rate_hz: int, root: Path) -> tuple[float, float, float]:
    """Seconds of CPU for `SECONDS` of the run: to take the bytes, to look at them and draw; the longest drawing."""
    run = GrowingRun(root, count=rate_hz * SECONDS, period_ns=10**9 // rate_hz)
    live, step = LiveRun("up", ONE_KERNEL, "shared", ROUND_TRIP), rate_hz // (LOOKS_HZ * DRAWS_HZ)
    live.feed(run.header.pack())
    taken = looked = longest = 0.0
    for number, first in enumerate(range(0, run.header.count, step)):
        data = packets(first, step, period_ns=run.header.period_ns).tobytes()
        begun = time.process_time()
        for at in range(0, len(data), PIECE):
            live.feed(data[at : at + PIECE])
        taken += time.process_time() - begun
        if number % LOOKS_HZ == 0:  # four times a second
            begun = time.process_time()
            styled(line(Shown(run.run.document, live.state(), "running"), " [1/1]", "tap-bridge", 119), 119)
            looked += time.process_time() - begun
            longest = max(longest, time.process_time() - begun)
    run.run.close()
    return taken, looked, longest


def catch_up(records: int, root: Path) -> float:
    """Seconds to read so many records that were there before."""
    run = GrowingRun(root, count=records)
    run.begin()
    piece: Records = packets(0, 100_000)
    for first in range(0, records, len(piece)):
        piece["seq"] = np.arange(first, first + len(piece))
        run.append(piece.tobytes())
    begun = time.perf_counter()
    with Reader(run.path) as reader:
        shown = Following(reader).look(None)
    took_s = time.perf_counter() - begun
    assert shown.state.own == records
    run.run.close()
    return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="live-cost-") as folder:
        print("| packets/s | taking the bytes | numbers and drawing | of one CPU | longest drawing |")
        print("|---|---|---|---|---|")
        for rate_hz in RATES_HZ:
            taken, looked, longest = cost(rate_hz, Path(folder))
            print(f"| {rate_hz:,} | {taken / SECONDS * 1e3:.1f} ms/s | {looked / SECONDS * 1e3:.1f} ms/s "
                  f"| {(taken + looked) / SECONDS:.1%} | {longest * 1e3:.1f} ms |")  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        took_s = catch_up(wanted.records, Path(folder))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"\n{wanted.records:,} records read in {took_s:.1f} s: {wanted.records / took_s / 1e6:.1f} million/s; "
              f"memory grew by {grown:.0f} MiB, to {before / 1024 + grown:.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
