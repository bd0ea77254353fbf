# SPDX-License-Identifier: Apache-2.0
"""Import and export take no more memory for a log of many packets than for one of few."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from latlab.isochron.dat import RECEIVED, SENT, Settings, Writer
from tests.isochron.logs import ADVANCE_NS, CYCLE_NS, START_NS

LIMIT_MB = 200
GROWTH_MB = 40
"""What DuckDB keeps of a longer samples.parquet, within its own limit."""
PIECE = 50_000

START = r"""
import re, sys
from pathlib import Path
from latlab.isochron.exporting import export_log, report_text
from latlab.isochron.importing import import_log
from latlab.isochron.letters import parse_report
from latlab.store.find import find_run
folder = Path(sys.argv[1])
"""
IMPORT = "import_log(folder / 'in.dat', folder / 'runs', 'up')"
EXPORT = r"""
run = find_run(folder / "runs", "latest")
export_log(run, "forward", folder / "out.dat")
report = parse_report(r"%u %T\n", "qR")
assert sum(text.count("\n") for text in report_text(run, "forward", report)) == int(sys.argv[2])
"""
# Not ru_maxrss: that one remembers the process that forked us, through exec.
END = r"""
print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def peaks_mb(folder: Path, count: int) -> tuple[int, int]:
    """Of the import of so many packets; of their export and printing."""
    folder.mkdir()
    with Writer(folder / "in.dat", count, Settings(128, 2, 0, ADVANCE_NS, 0, CYCLE_NS, 0)).writing() as writer:
        for first in range(0, count, PIECE):
            number = np.arange(first + 1, first + PIECE + 1)
            sent, received = np.zeros(PIECE, SENT), np.zeros(PIECE, RECEIVED)
            sent["seqid"] = received["seqid"] = number
            for place, field in enumerate(("scheduled", "wakeup", "sched_ts", "swts", "hwts")):
                sent[field] = START_NS + number * CYCLE_NS + place * 1_000 + number * 7_919 % 977
            for place, field in enumerate(("hwts", "swts", "arrival"), 5):
                received[field] = START_NS + number * CYCLE_NS + place * 1_000 + number * 7_919 % 9_973
            writer.put(first, sent, received)
    imported, exported = (_peak_mb(folder, count, code) for code in (IMPORT, EXPORT))
    assert (folder / "out.dat").read_bytes() == (folder / "in.dat").read_bytes()
    return imported, exported


def _peak_mb(folder: Path, count: int, code: str) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", START + code + END, str(folder), str(count)]
    return int(subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout)


def test_memory_does_not_grow_with_the_length_of_a_log(tmp_path: Path) -> None:
    short, long = peaks_mb(tmp_path / "short", 300_000), peaks_mb(tmp_path / "long", 900_000)
    assert long[0] < LIMIT_MB
    assert max(new - old for old, new in zip(short, long, strict=True)) < GROWTH_MB
