# SPDX-License-Identifier: Apache-2.0
"""The controller stays below 200 MB while it summarises and converts samples, and more samples take no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from latlab.store.samples import RawWriter
from tests.samples_maker import HEADER, exchanges

LIMIT_MB = 200
GROWTH_MB = 40
"""What the summary may add when it goes over from values to histograms, and DuckDB's memory from time to time."""

CODE = r"""
import re, sys
from pathlib import Path
from latlab.stats.stamps import ONE_KERNEL
from latlab.stats.summary import summarise
from latlab.store.parquet import convert
from latlab.store.samples import open_samples
directory = Path(sys.argv[1])
before = summarise(open_samples(directory).chunks(), "up", ONE_KERNEL, exact_limit=50_000)
convert(directory)
# Not ru_maxrss: that one remembers the process that forked us, through exec.
peak_kb = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
print(before.counts.sent, peak_kb // 1024)
"""


def peak_mb(directory: Path, count: int) -> int:
    directory.mkdir()
    with RawWriter(directory / "samples.raw") as writer:
        writer.append(HEADER.pack())
        for first in range(0, count, 50_000):
            writer.append(exchanges(50_000, first_seq=first, extra_ns=3).tobytes())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(directory)], env=environment, capture_output=True, text=True, check=True
    )
    sent, peak = done.stdout.split()
    assert int(sent) == count
    return int(peak)


def test_memory_does_not_grow_with_the_length_of_a_run(tmp_path: Path) -> None:
    short = peak_mb(tmp_path / "short", 200_000)
    long = peak_mb(tmp_path / "long", 1_000_000)
    assert long < LIMIT_MB
    assert long - short < GROWTH_MB
