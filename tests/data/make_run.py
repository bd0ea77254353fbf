# SPDX-License-Identifier: Apache-2.0
"""Makes run-format-1/, the sample run that every later version must still read. Made once, with made-up stamps."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from latlab.scenario.attachments import TapBridge
from latlab.scenario.model import Flow, Guest, Load, Ping, Point, Probe
from latlab.stats.stamps import ONE_KERNEL
from latlab.stats.summary import summarise
from latlab.store.document import BenchFacts, Evidence, InstrumentResult, LoadResult, Verdict
from latlab.store.run_dir import RunDirectory
from tests.samples_maker import exchanges, lose, stream


def make(destination: Path) -> None:
    records = exchanges(120, extra_ns=250)
    lose(records, 60)
    point = Point(
        attachment=TapBridge(),
        flow=Flow(direction="up", count=120),
        load=Load(),
        guest=Guest(),
        instruments=(Probe(), Ping()),
    )
    run = RunDirectory.create(
        destination.parent,
        slug="tap-bridge-3-udp-same",
        scenario="first-look",
        point=point.model_dump(mode="json", exclude={"repeat"}),
        point_id=point.identity,
        attachment="tap-bridge",
        load="3 udp same",
        bench=BenchFacts(kind="emulated", name="emulated", headline="1 machine · 2 CPUs · kernel 6.12"),
        created=datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC),
    )
    with run.raw_writer() as writer:
        writer.append(stream(records))
    run.convert_samples()
    document = run.document
    document.timescales = dict(ONE_KERNEL)
    statistics = summarise([records], "up", ONE_KERNEL)
    document.metrics, document.counts = statistics.metrics, statistics.counts
    document.status = "done"
    document.finished = datetime(2026, 11, 20, 14, 3, 40, tzinfo=UTC)
    document.verdict = Verdict(value="suspect", reasons=["1 of 120 packets was lost"])
    document.instruments = {
        "netperf TCP_RR": InstrumentResult(not_measured="netperf is not installed: apt install netperf"),
        "ping": InstrumentResult(n=10, lost=0, min_ns=412_000, mean_ns=655_300, max_ns=1_204_000, stddev_ns=201_500),
    }
    document.load_achieved = LoadResult(streams=3, achieved_bps=14_950_000)
    document.evidence = [
        Evidence(what="tap0 rx packets", before=4, after=125, rule="grows by at least 120", ok=True),
        Evidence(what="bridge ports", before=["tap0", "eth0"], after=["tap0", "eth0"], rule="holds tap0", ok=True),
    ]
    document.versions = {"latlab": "0.1.0", "kernel": "6.12.95", "qemu": "10.0.2"}
    document.env = {"cpus": 2}
    run.save()
    run.close()
    shutil.move(run.path, destination)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
