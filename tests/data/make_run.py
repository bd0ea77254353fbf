# SPDX-License-Identifier: Apache-2.0
"""Makes the sample runs that every later version must still read. Each was made once, with made-up stamps.

    run-format-1         the first form of format 1: one clock, no anomalies; made before `offset_ns` was a column
    run-format-1-clocks  two clocks compared by the exchanges: timing, anomalies, numbers without suspect packets, a
                         sync log, environments, commands and labels

`python -m tests.data.make_run clocks FOLDER` makes the second one anew, beside those that are there.
"""

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
from latlab.store.labels import change_labels
from latlab.store.run_dir import RunDirectory
from latlab.store.sentences import clock_reasons
from latlab.store.statistics import fill
from latlab.store.timing_log import SyncLog, from_path
from latlab.timing.reading import Reading
from tests.samples_maker import exchanges, lose, stream
from tests.stats.exchanges_maker import Fault, World
from tests.stats.exchanges_maker import make as make_exchanges


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


def make_clocks(destination: Path) -> None:
    """Two clocks, of which the reflector's is stepped; a delay and losses on the way there."""
    faults = (
        Fault("delay", 2.0, 0.5, 3_000_000, "forward"), Fault("step", 4.0, 0, 900_000), Fault("loss", 5.0, 0.3, 0.5),
    )  # fmt: skip
    world = World(count=6_000, offset_ns=37_000_000, skew_ppb=4_000, faults=faults)
    point = Point(
        attachment=TapBridge(), flow=Flow(direction="down", count=world.count), load=None,
        guest=Guest(), instruments=(Probe(),),
    )  # fmt: skip
    run = RunDirectory.create(
        destination.parent,
        slug="tap-bridge-no-load",
        scenario="first-look",
        point=point.model_dump(mode="json", exclude={"repeat"}),
        point_id=point.identity,
        attachment="tap-bridge",
        load="none",
        bench=BenchFacts(kind="local", name="local", headline="2 machines", accelerator="kvm", cable="veth pair"),
        created=datetime(2026, 11, 21, 9, 0, 0, tzinfo=UTC),
    )
    with run.raw_writer() as writer:
        writer.append(world.header.pack())
        writer.append(make_exchanges(world).stream().tobytes())
    document = run.document
    document.timescales = {"sender": "sender", "reflector": "reflector"}
    samples = run.samples()
    assert samples is not None
    found = fill(document, samples)
    assert found.path is not None
    log = SyncLog(run.path)
    log.append(from_path(found.path))
    log.append([Reading(time_ns=samples.header.start_ns, host="reflector", source="pmc", port_state="SLAVE")])
    log.finish()
    run.convert_samples(found.clocks)
    document.status = "done"
    document.finished = datetime(2026, 11, 21, 9, 0, 20, tzinfo=UTC)
    document.verdict = Verdict(value="suspect", reasons=clock_reasons(document))
    document.versions = {"latlab": "0.1.0", "kernel of the hypervisor": "6.12.95+deb12-amd64",
                         "kernel of the guest": "6.12.95+deb12-amd64", "qemu": "10.0.2"}  # fmt: skip
    document.env = {"attachment": {"vhost": "on"}, "sender": {"scheduler": "SCHED_FIFO 80"}}
    run.env_before.write_text('{"hypervisor": {"kernel": "6.12.95"}}\n')
    run.env_after.write_text('{"hypervisor": {"kernel": "6.12.95"}}\n')
    run.commands.write_text('{"host": "hypervisor", "argv": ["ip", "link"], "exit_code": 0}\n')
    change_labels(run.path, ["good", "baseline/6.12"])
    run.save()
    run.close()
    shutil.move(run.path, destination)


if __name__ == "__main__":
    {"first": make, "clocks": make_clocks}[sys.argv[1]](Path(sys.argv[2]))
