# SPDX-License-Identifier: Apache-2.0
"""Runs made up for the golden tests, and what is printed of them. `python -m tests.report.cases` rewrites golden/."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from latlab.doctor import Diagnosis
from latlab.doctor.benches import AttachmentState, BenchState
from latlab.doctor.finding import Finding
from latlab.needs import Missing
from latlab.report.doctor import doctor_text
from latlab.report.listing import list_text
from latlab.report.show import show_text
from latlab.report.table import results
from latlab.stats.stamps import ONE_KERNEL
from latlab.stats.summary import summarise
from latlab.store.document import BenchFacts, InstrumentResult, LoadResult, RunDocument, Verdict
from latlab.store.entry import entry_of
from latlab.store.run_dir import BrokenRun, RunDirectory, open_run
from tests.samples_maker import exchanges, lose

GOLDEN = Path(__file__).parent / "golden"
FORMAT_1 = Path(__file__).parent.parent / "data" / "run-format-1"
EMULATED = BenchFacts(kind="emulated", name="emulated")
LOCAL = BenchFacts(kind="local", name="local")


def run(
    attachment: str, load: str, *, bench: BenchFacts = EMULATED, count: int = 1_200, compared: bool = True
) -> RunDocument:
    """A finished, valid run whose round trips rise evenly from 13 us."""
    records = exchanges(count, extra_ns=317)
    lose(records, 5)
    statistics = summarise([records], "down", ONE_KERNEL if compared else {})
    return RunDocument(
        id="20261120T140311Z-x-a1b2c3",
        created=datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC),
        scenario="first-look",
        point={"flow": {"direction": "down", "period_ns": 2_000_000}},
        point_id="a1b2c3d4e5f6",
        attachment=attachment,
        load=load,
        bench=bench,
        status="done",
        verdict=Verdict(value="valid", reasons=[]),
        timescales=dict(ONE_KERNEL) if compared else {},
        metrics=statistics.metrics,
        counts=statistics.counts,
    )


def matrix() -> list[RunDocument]:
    """Every kind of row: plain, few samples, suspect, invalid, failed, clocks not compared, repeated, other bench."""
    plain = run("baseline", "none", count=11_000)
    few = run("user", "none", count=50, compared=False)
    suspect = run("tap-bridge", "3 udp same", compared=False)
    suspect.verdict = Verdict(value="suspect", reasons=["3 late wake-ups of the sender", "the clock was slewed"])
    invalid = run("tap-bridge vhost=off", "3 tcp opposite 5M from hypervisor by netperf", compared=False)
    invalid.verdict = Verdict(value="invalid", reasons=["the load did not run: netserver does not answer"])
    failed = run("macvtap", "none")
    failed.status, failed.metrics = "failed", {}
    failed.verdict = Verdict(value="invalid", reasons=["guest: QEMU ended with exit code 1"])
    again = run("macvtap", "none", compared=False)
    for document, mean_ns in ((plain, 54_000), (few, 412_000), (suspect, 1_655_000)):
        document.instruments = {
            "netperf TCP_RR": InstrumentResult(
                n=200, min_ns=mean_ns / 2, mean_ns=mean_ns, max_ns=mean_ns * 9, stddev_ns=mean_ns / 7,
                transactions_per_s=1e9 / mean_ns,
            ),
            "ping": InstrumentResult(not_measured="ping is not installed: apt install iputils-ping"),
        }  # fmt: skip
    suspect.load_achieved = LoadResult(streams=3, achieved_bps=14_950_000)
    invalid.load_achieved = LoadResult(streams=3, achieved_bps=6_000_000, shortfall="achieved 6 of 15 Mbit/s")
    return [plain, few, suspect, invalid, failed, again, again.model_copy()]


def one_line() -> list[RunDocument]:
    """Emulated runs whose clocks were never compared, beside runs of another bench and of two periods."""
    local = [run("tap-bridge", "none", bench=LOCAL), run("tap-bridge", "none", bench=LOCAL)]
    local[1].point = {"flow": {"direction": "down", "period_ns": 503_000}}
    return [run("tap-bridge", "none", compared=False), run("macvtap", "none", compared=False), *local]


def accelerators() -> list[RunDocument]:
    """Guests under KVM and under TCG, a veth pair and a real cable, and runs of an older latlab."""
    kvm = BenchFacts(kind="local", name="local", accelerator="kvm", nic="llnic0 (veth)", cable="veth pair")
    tcg = kvm.model_copy(update={"accelerator": "tcg"})
    real = kvm.model_copy(update={"nic": "enp1s0 (igb)", "cable": "cable"})
    return [
        run(attachment, "none", bench=bench, compared=attachment == "baseline")
        for bench in (kvm, tcg, real, BenchFacts(kind="local"))
        for attachment in ("baseline", "macvtap")
    ]


def listed_accelerators() -> list[RunDirectory | BrokenRun]:
    return [
        RunDirectory(Path("runs") / f"20261120T14{minute:02}11Z-x-a1b2c3", document)
        for minute, document in enumerate(accelerators())
    ]


def listed() -> list[RunDirectory | BrokenRun]:
    names = [f"20261120T14{minute:02}11Z-x-a1b2c3" for minute in (1, 2, 3, 4, 5, 6)]
    found: list[RunDirectory | BrokenRun] = []
    for name, document in zip(names, matrix(), strict=False):
        found.append(RunDirectory(Path("runs") / name, document))
    broken = Path("runs/20261120T141511Z-x-a1b2c3")
    found.append(BrokenRun(broken, f"{broken}/run.json is cut off or damaged", "its samples can still be read: 9"))
    return found


def diagnosis() -> Diagnosis:
    """A bench that does everything, one that lacks things, and a machine of which some can be helped."""
    emulated = "latlab run SCENARIO --bench emulated"
    vhost = Missing("/dev/vhost-net", "kernel 6.12.1 was built without CONFIG_VHOST_NET", emulated)
    lacking = (
        Missing(
            "a PCI NIC", "the bench's NIC is a veth; a bench file may name two cabled NICs (nic:, peer-nic:)", emulated
        ),
        Missing("IOMMU", "the firmware reports none: VT-d or AMD-Vi is off there", emulated),
        Missing("module vfio_pci", "kernel 6.12.1 was built without CONFIG_VFIO_PCI", emulated),
    )
    bpftool = Missing("program bpftool", "not installed", "sudo apt install --no-install-recommends bpftool")
    able = tuple(AttachmentState(kind, (), ()) for kind in ("baseline", "tap-bridge", "vfio"))
    states = (able[0], AttachmentState("tap-bridge", (), (("vhost: on", vhost),)), AttachmentState("vfio", lacking, ()))
    no_xdp = AttachmentState("xdp", (bpftool,), ())
    return Diagnosis(
        benches=(
            BenchState("emulated", "emulated", "1 machine (tcg) · 82576 <-> 82576", (*able, no_xdp)),
            BenchState("local", "local", "this machine · veth pair · guests under tcg", (*states, no_xdp)),
        ),
        machine=(
            Finding("AF_XDP", "yes"),
            Finding(
                "sleep states", "enabled: POLL 0 us, C6 133 us",
                "a packet for a CPU that sleeps waits up to 133 us until it is awake", "sudo cpupower idle-set -D 9",
            ),
            Finding("PHC", "none"),
        ),
        headline="kernel 6.12.1 · x86_64 · 4 CPUs",
    )  # fmt: skip


def cases() -> dict[str, Text]:
    return {
        "matrix": results(matrix()),
        "two-benches": results(one_line()),
        "accelerators": results(accelerators()),
        "list-accelerators": list_text(map(entry_of, listed_accelerators()), Path("runs")),
        "list": list_text(map(entry_of, listed()), Path("runs")),
        "list-empty": list_text([], Path("runs")),
        "doctor": doctor_text(diagnosis()),
        "show": show_text(open_run(FORMAT_1.relative_to(Path.cwd()))),
    }


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, text in cases().items():
        (GOLDEN / f"{name}.txt").write_text(text.plain)
