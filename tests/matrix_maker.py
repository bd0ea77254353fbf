# SPDX-License-Identifier: Apache-2.0
"""Run directories made up for tests, pages and benchmarks: a whole matrix of attachments and loads, with faults of
known kind. `python -m tests.matrix_maker FOLDER [PACKETS]` makes one to look at.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from latlab.scenario.attachments import Attachment
from latlab.scenario.fields import kinds_of
from latlab.scenario.model import Flow, Guest, Load, Netperf, Ping, Point, Probe
from latlab.scenario.points import attachment_label, load_label
from latlab.stats.records import RECORD
from latlab.stats.stamps import ONE_KERNEL, Timescales
from latlab.store.document import BenchFacts, Evidence, InstrumentResult, LoadResult, Verdict
from latlab.store.run_dir import RunDirectory
from latlab.store.statistics import fill
from latlab.store.timing_log import SyncLog, from_path
from tests.stats.exchanges_maker import Fault, World, make

KINDS = ("baseline", "user", "tap-bridge", "macvtap", "vfio", "sriov", "ovs", "ovs-afxdp", "ovs-dpdk", "xdp")
FLOORS_US = (30, 140, 92, 71, 44, 47, 101, 68, 58, 63)
"""Of each way, in the order of `KINDS`."""
EMULATED = BenchFacts(kind="emulated", name="emulated", headline="1 machine · kernel 6.12.95", accelerator="kvm",
                      nic="eth0 (igb)", cable="82576 <-> 82576")  # fmt: skip
LOADS: tuple[Load | None, ...] = (None, Load(rate_bps=1_000_000), Load(rate_bps=1_000_000, direction="opposite"))
TWO_CLOCKS: Timescales = {"sender": "peer", "reflector": "guest"}
CREATED = datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC)
FAULTS = (
    (),
    (Fault("step", 4.2, 0, 4e6), Fault("delay", 9.0, 1.5, 8e5, "forward")),
    (Fault("stall", 6.1, 0, 3e6, "receiver"), Fault("loss", 12.0, 1.0, 0.2)),
    (Fault("ramp", 3.0, 6.0, 1.5e6), Fault("stall", 11.7, 0, 4e6, "sender")),
    tuple(Fault("stall", second, 0, 2.8e6, "forward") for second in (2.5, 7.5, 12.5, 17.5)),
)


def make_run(
    root: Path, world: World, *, attachment: str = "tap-bridge", load: Load | None = None, bench: BenchFacts = EMULATED,
    timescales: Timescales = TWO_CLOCKS, direction: str = "down", minutes: int = 0, repeat: int = 1,
    verdict: Verdict | None = None, scenario: str = "attachments", texts: str = "", finish: bool = True,
) -> RunDirectory:  # fmt: skip
    """A run whose packets are `world`'s; `texts` goes into every text that a run may have."""
    kinds: dict[str, Any] = kinds_of(Attachment)
    flow = Flow.model_validate({"direction": direction, "period_ns": world.period_ns, "count": world.count})
    point = Point(
        attachment=kinds[attachment](), flow=flow, load=load, guest=Guest(),
        instruments=(Probe(), Netperf(), Ping()), repeat=repeat,
    )  # fmt: skip
    run = RunDirectory.create(
        root, slug=f"{attachment}-{load_label(load)}", scenario=scenario, point=point.stable() | {"repeat": repeat},
        point_id=point.identity, attachment=attachment_label(point.attachment) + texts, load=load_label(load) + texts,
        bench=bench, repeat=repeat, created=CREATED + timedelta(minutes=minutes),
    )  # fmt: skip
    made = make(world)
    with run.raw_writer() as writer:
        writer.append(made.world.header.pack())
        for chunk in made.chunks():
            writer.append(chunk.astype(RECORD).tobytes())
    document = run.document
    document.timescales = dict(timescales)
    if not finish:
        run.save()
        run.close()
        return run
    samples = run.samples()
    assert samples is not None
    found = fill(document, samples)
    log = SyncLog(run.path)
    if found.path is not None:
        log.append(from_path(found.path))
    run.convert_samples(found.clocks)
    log.finish()
    document.status, document.finished = "done", document.created + timedelta(seconds=world.seconds)
    document.verdict = verdict or _verdict(document.counts.lost, document.timing.suspect, texts)
    round_trip = document.metrics["round_trip"]
    mean = getattr(round_trip, "mean_ns", 400_000.0)
    document.instruments = {
        f"netperf TCP_RR{texts}": InstrumentResult(n=1_000, min_ns=mean * 0.7, mean_ns=mean * 1.1, max_ns=mean * 9,
                                                   stddev_ns=mean / 8, transactions_per_s=1e9 / mean),
        "ping": InstrumentResult(not_measured=f"ping is not installed: apt install iputils-ping{texts}"),
    }  # fmt: skip
    if load is not None:
        document.load_achieved = LoadResult(streams=3, achieved_bps=3 * (load.rate_bps or 5_000_000) * 1.004)
    document.evidence = [
        Evidence(what=f"tap0 rx packets{texts}", before=4, after=world.count + 5, rule="grows by 1 or more", ok=True),
        Evidence(what=f"bridge br0 holds tap0{texts}", rule=f"a port of it{texts}", ok=True),
    ]
    document.versions = {"latlab": "0.1.0", "kernel": f"6.12.95{texts}", "qemu": "10.0.2"}
    document.env = {"attachment": {"vhost": "on", f"note{texts}": texts or "none"}, "cpus": 2}
    _machines(run, attachment, texts)
    run.save()
    run.close()
    return run


def _verdict(lost: int, suspect: int, texts: str) -> Verdict:
    reasons = [f"{lost} packets were lost{texts}"] if lost else []
    reasons += [f"{suspect} packets were measured while a clock was not right{texts}"] if suspect else []
    return Verdict(value="suspect" if suspect else "valid", reasons=reasons if suspect else [])


def _machines(run: RunDirectory, attachment: str, texts: str) -> None:
    facts = {
        "hypervisor": {
            "kernel": "6.12.95", "cpus": 2, "command_line": f"console=ttyS0 isolcpus=1{texts}",
            "sysctls": {"kernel.sched_rt_runtime_us": "950000"},
            "interfaces": [{"ifname": f"eth0{texts}", "mtu": 1500, "operstate": "UP", "master": "llbr0"}],
            "qdiscs": [{"dev": "eth0", "kind": f"mq{texts}", "root": True}],
        },
        f"peer{texts}": {"kernel": "6.12.95", "cpus": 2},
    }  # fmt: skip
    run.env_before.write_text(json.dumps(facts))
    commands = [
        ("hypervisor", ["ip", "link", "add", "name", "llbr0", "type", "bridge"], 0),
        ("hypervisor", ["ip", "link", "set", "dev", "eth0", "master", "llbr0"], 0),
        ("peer", ["ip", "netns", "exec", "latlab-peer", "sh", "-c", f"echo '{attachment}' $HOME{texts}"], 1),
        (f"guest{texts}", ["/bin/latlab-probe", "reflect", "--bind", "198.18.77.3:7701"], None),
    ]  # fmt: skip
    lines: list[dict[str, Any]] = [
        {"host": host, "argv": argv, "started_ns": 0, "duration_ns": 1, "exit_code": code, "stdout": texts,
         "stderr": "", "files": {}, "background": code is None}
        for host, argv, code in commands
    ]  # fmt: skip
    run.commands.write_text("".join(json.dumps(line) + "\n" for line in lines))


def make_matrix(
    root: Path, packets: int = 20_000, kinds: Sequence[str] = KINDS, loads: Sequence[Load | None] = LOADS
) -> list[RunDirectory]:
    """Each attachment beside each load; load makes queues, some runs have faults, one cannot be believed."""
    runs: list[RunDirectory] = []
    for place, kind in enumerate(kinds):
        floor = FLOORS_US[KINDS.index(kind)] * 1_000
        for column, load in enumerate(loads):
            queue = (2_000 + floor // 8) * (1, 9, 4)[column % 3]
            world = World(
                count=packets, floor_ns=(floor, floor + 9_000), queue_ns=(queue, queue), heavy=0.002 * (1 + 2 * column),
                bursts=column > 0, drop=1e-4 if column else 0, seed=100 * place + column, host_ns=4_000,
                faults=FAULTS[(place + 2 * column) % len(FAULTS)],
            )  # fmt: skip
            shared = kind == "baseline"
            if shared:
                of_network = tuple(fault for fault in world.faults if fault.kind not in ("step", "ramp"))
                world = replace(world, faults=of_network)
            else:
                world = replace(world, offset_ns=1_234_567, skew_ppb=12_300)
            verdict = None
            if kind == "user" and column == 2:
                verdict = Verdict(value="invalid", reasons=["the load did not run: iperf3 ended with exit code 1"])
            runs.append(make_run(root, world, attachment=kind, load=load, minutes=len(runs), verdict=verdict,
                                 timescales=ONE_KERNEL if shared else TWO_CLOCKS))  # fmt: skip
    return runs


if __name__ == "__main__":
    make_matrix(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
