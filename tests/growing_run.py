# SPDX-License-Identifier: Apache-2.0
"""A run directory that grows, as `latlab run` would write it, without a machine: for tests of what watches one.

As a program: python -m tests.growing_run FOLDER [SECONDS] [PERIOD_MS] writes one in real time, with a spike each
20 s and a loss now and then, and finishes it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from latlab.scenario.attachments import TapBridge
from latlab.scenario.model import Flow, Guest, Point, Probe
from latlab.stats import records as rec
from latlab.stats.records import Records, StreamHeader
from latlab.stats.stamps import ONE_KERNEL, Timescales
from latlab.stats.summary import summarise
from latlab.store.document import BenchFacts, Verdict, now
from latlab.store.run_dir import RunDirectory
from latlab.store.timing_log import LINES_NAME
from latlab.timing.reading import Reading
from tests.samples_maker import START_NS, exchanges, lose

TWO_CLOCKS: Timescales = {"sender": "one", "reflector": "another"}


class GrowingRun:
    """Writes a run; its process holds the lock until `close`."""

    def __init__(self, root: Path, *, count: int = 1_000, period_ns: int = 1_000_000, method: str = "shared",
                 timescales: Timescales = ONE_KERNEL, kind: Any = "emulated") -> None:  # fmt: skip
        flow = Flow(direction="up", count=count, period_ns=period_ns)
        point = Point(attachment=TapBridge(), flow=flow, load=None, guest=Guest(), instruments=(Probe(),))
        self.run = RunDirectory.create(
            root,
            slug="tap-bridge-none",
            scenario="first-look",
            point=point.model_dump(mode="json", exclude={"repeat"}),
            point_id=point.identity,
            attachment="tap-bridge",
            load="none",
            bench=BenchFacts(kind=kind, name=kind, headline="1 machine"),
        )
        self.run.document.timescales = dict(timescales)
        self.run.document.timing.method = method
        self.run.save()
        self.header = StreamHeader(
            clock="tai",
            tai_offset_ns=37_000_000_000,
            period_ns=period_ns,
            count=count,
            size_bytes=128,
            start_ns=START_NS,
        )
        self.written: list[Records] = []

    @property
    def path(self) -> Path:
        return self.run.path

    @property
    def raw(self) -> Path:
        return self.path / "samples.raw"

    def append(self, data: bytes) -> None:
        with self.raw.open("ab") as file:
            file.write(data)

    def begin(self) -> None:
        self.append(self.header.pack())

    def add(self, records: Records) -> None:
        self.written.append(records)
        self.append(records.tobytes())

    def hear(self, *readings: Reading) -> None:
        with (self.path / LINES_NAME).open("a") as file:
            file.writelines(json.dumps(asdict(reading)) + "\n" for reading in readings)

    def finish(self, status: Any = "done") -> None:
        """As run._statistics does: samples.parquet comes, samples.raw goes, the document is written last."""
        document = self.run.document
        if self.written:
            self.run.convert_samples()
            found = summarise(self.written, "up", document.timescales)
            document.metrics, document.counts = found.metrics, found.counts
        document.verdict = Verdict(value="valid")
        document.status, document.finished = status, now()
        self.run.save()
        self.run.close()


def packets(first: int, count: int, *, round_trip_ns: int = 400_000, peaks: dict[int, int] | None = None,
            lost: tuple[int, ...] = (), period_ns: int = 1_000_000, seed: int = 1) -> Records:  # fmt: skip
    """Exchanges of about that round trip; `peaks` has that of single packets; `lost` have no reply."""
    records = exchanges(count, first_seq=first)
    moved = (np.arange(first, first + count) * (period_ns - 1_000_000)).astype(np.int64)
    for name in rec.RECORD.names or ():
        if name not in ("seq", "flags", "reserved"):
            records[name] = np.where(records[name] != 0, records[name] + moved, 0)
    noise = np.random.default_rng(seed + first).exponential(round_trip_ns / 20, count).astype(np.int64)
    records["a2"] = records["w"] + round_trip_ns + noise
    for seq, value in (peaks or {}).items():
        records["a2"][seq - first] = records["w"][seq - first] + value
    for seq in lost:
        lose(records, seq - first)
    return records


def main(root: Path, seconds: int, period_ms: float) -> None:
    period_ns = int(period_ms * 1e6)
    step = max(1, round(0.1e9 / period_ns))
    run = GrowingRun(
        root, count=int(seconds * 1e9 / period_ns), period_ns=period_ns, method="ptp", timescales=TWO_CLOCKS
    )
    sys.stdout.write(f"{run.path}\n")
    sys.stdout.flush()
    time.sleep(1)
    run.begin()
    started = time.monotonic()
    for first in range(0, run.header.count, step):
        time.sleep(max(0, started + first * period_ns / 1e9 - time.monotonic()))
        second = first * period_ns // 10**9
        count = min(step, run.header.count - first)
        peaks = {first: 3_000_000} if second % 20 == 19 and first * period_ns % 10**9 == 0 else {}
        lost = (first + count - 1,) if second % 13 == 12 and first * period_ns % 10**9 == 0 else ()
        run.add(packets(first, count, peaks=peaks, lost=lost, period_ns=period_ns))
        when = START_NS + first * period_ns
        run.hear(
            Reading(when, "reflector", "ptp4l", "master", offset_ns=120, path_delay_ns=4_000, servo_state="s2"),
            Reading(when, "reflector", "ptp4l", "sender", 120, 4_100),
        )
    run.finish()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int((sys.argv[2:] or ["60"])[0]), float((sys.argv[3:] or ["1"])[0]))
