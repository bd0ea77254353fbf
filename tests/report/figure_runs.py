# SPDX-License-Identifier: Apache-2.0
"""Runs on disk with known latencies, for the figures' tests. `python -m tests.report.figure_runs FOLDER` makes some."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latlab.stats.records import Records
from latlab.stats.stamps import ONE_KERNEL
from latlab.store.document import BenchFacts, Verdict
from latlab.store.run_dir import RunDirectory, open_run
from latlab.store.statistics import fill
from tests.samples_maker import HEADER, START_NS, exchanges, lose

CREATED = datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC)
EMULATED = BenchFacts(
    kind="emulated", name="emulated", accelerator="kvm", cable="82576 <-> 82576 under tcg", nic="eth0"
)
BOARDS = BenchFacts(kind="boards", name="bench", accelerator="kvm", cable="i225 <-> i225", nic="enp1s0")
SHORTEST_NS = 13_000
"""Of an exchange of `samples_maker`, with no more than its own steps."""

Times = npt.NDArray[np.int64]


def records(way_back_ns: Times, lost: tuple[int, ...] = (), *, clock_ppm: float = 0.0, clock_ns: int = 0) -> Records:
    """Exchanges whose way back takes so much longer; the reflector's clock is `clock_ns` ahead of the sender's, and
    `clock_ppm` faster."""
    made = exchanges(len(way_back_ns))
    for field in ("R2", "r2", "a2"):
        made[field] += np.where(made[field] != 0, way_back_ns, 0)
    if clock_ppm or clock_ns:
        for field in ("r", "a", "w2", "s2", "t2"):
            made[field] += ((made[field] - START_NS) * clock_ppm / 1e6).astype(np.int64) + clock_ns
    for packet in lost:
        lose(made, packet)
    return made


def kept(
    root: Path, attachment: str, made: Records, *, load: str = "none", bench: BenchFacts = EMULATED, minutes: int = 0,
    verdict: str = "valid", one_clock: bool = True, **values: Any,
) -> RunDirectory:  # fmt: skip
    """A finished run of these records."""
    header = replace(HEADER, count=len(made))
    point = {"attachment": {"kind": attachment}, "flow": {"direction": "down"}}
    with RunDirectory.create(
        root, slug=attachment, scenario="figures", point=point,
        point_id=f"{attachment}-{load}".encode().hex()[-12:], attachment=attachment, load=load, bench=bench,
        created=CREATED + timedelta(minutes=minutes),
    ) as run:  # fmt: skip
        with run.raw_writer() as writer:
            writer.append(header.pack() + made.tobytes())
        document, samples = run.document, run.samples()
        assert samples is not None
        document.timescales = dict(ONE_KERNEL) if one_clock else {}
        found = fill(document, samples)
        run.convert_samples(found.clocks)
        document.status, document.finished = "done", CREATED + timedelta(minutes=minutes + 1)
        document.verdict = Verdict.model_validate({"value": verdict, "reasons": [] if verdict == "valid" else ["so"]})
        for name, value in values.items():
            setattr(document, name, value)
        run.save()
        return open_run(run.path)


def lognormal(count: int, seed: int, scale_ns: float, sigma: float = 0.5) -> Times:
    rng = np.random.default_rng(seed)
    found: Times = (scale_ns * np.exp(sigma * rng.standard_normal(count))).astype(np.int64)
    return found


def sample_runs(root: Path, count: int = 20_000) -> list[RunDirectory]:
    """Four of one bench, as a study has them: quiet, loaded, with spikes, and with two clocks."""
    spiky = lognormal(count, 3, 60_000)
    spiky[:: count // 8] += 3_000_000
    return [
        kept(root, "baseline", records(lognormal(count, 1, 20_000)), minutes=0),
        kept(root, "tap-bridge", records(lognormal(count, 2, 60_000), lost=(500, 501, 4_000)), minutes=1),
        kept(root, "tap-bridge", records(spiky), load="3 udp same", minutes=2, verdict="suspect"),
        kept(root, "macvtap", records(lognormal(count, 4, 50_000), clock_ppm=8), minutes=3, one_clock=False),
    ]


if __name__ == "__main__":
    sample_runs(Path(sys.argv[1]))
