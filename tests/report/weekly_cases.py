# SPDX-License-Identifier: Apache-2.0
"""Runs, a journal and a state made up for the weekly report's golden tests; LATLAB_GOLDEN=write writes those anew."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from latlab.report.journal import for_report, parse_journal
from latlab.report.weekly import RunFacts, Weekly, weekly
from latlab.stats.summary import Summary
from latlab.store.document import BenchFacts, Evidence, InstrumentResult, LoadResult, RunDocument, Verdict
from tests.report.cases import EMULATED, run

GOLDEN = Path(__file__).parent / "golden-weekly"
TODAY = date(2026, 11, 20)
BOARDS = BenchFacts(kind="boards", name="macchiatobin", accelerator="kvm", nic="enp1s0", cable="i225 <-> i225")

JOURNAL = """\
# Journal

## 2026-11-13
### Patches
- [sent] igb: take stamps of all packets <https://lore.example/r/1>
- [draft] vhost: let the thread's priority be set
### Issues
- [open] a spike each 60 s, on tap-bridge only
- [closed] netserver does not come up

## 2026-11-20
### Topics
- tap-bridge against macvtap, with vhost
### Progress
- measured again with vhost in SCHED_FIFO; the long runs of five and of fifteen minutes are on their way, and the next
  report has them
  - and with two queues
```
latlab run study-2022 --set attachment.vhost=on
```
The switch is gone: the boards are cabled back to back.
### Patches
- [merged] igb: take stamps of all packets <https://lore.example/r/1>
### Questions
- Which CPU has the **interrupt** of `eth1`?
### Absences
- 2026-12-24 to 2026-12-31: holidays
### References
- [the study](https://example.org/study)
"""


def document(
    attachment: str, load: str = "none", *, bench: BenchFacts = EMULATED, point: str = "", day: int = 19,
    scale: float = 1.0, bound_ns: int = 0, count: int = 1_200, kernel: str = "6.12.95", compared: bool = True,
) -> RunDocument:  # fmt: skip
    """A finished, valid run; all its times are `scale` times those of `cases.run`."""
    made = run(attachment, load, bench=bench, count=count, compared=compared)
    made.point_id = point or f"{attachment}-{load}"
    made.created = datetime(2026, 11, day, 14, 3, 11, tzinfo=UTC)
    made.id = f"202611{day:02}T140311Z-{attachment}-{made.point_id[:6]}"
    made.versions = {"kernel of the hypervisor": kernel}
    made.metrics = {
        key: Summary(
            result.n,
            round(result.min_ns * scale),
            result.mean_ns * scale,
            round(result.max_ns * scale),
            None if result.stddev_ns is None else result.stddev_ns * scale,
            {name: None if value is None else round(value * scale) for name, value in result.quantiles_ns.items()},
            bound_ns=bound_ns if key in ("up", "down") else 0,
        )
        if isinstance(result, Summary)
        else result
        for key, result in made.metrics.items()
    }
    return made


def facts() -> list[RunFacts]:
    """Old and new rows, several runs of one point, every verdict, two benches, bounds, instruments and a load."""
    old = document("tap-bridge", day=12)
    again = [document("tap-bridge", scale=scale) for scale in (1.1, 0.9, 1.3)]
    bounded = document("macvtap", bound_ns=9_000)
    suspect = document("tap-bridge", "3 udp same", scale=4, bound_ns=2_000)
    suspect.verdict = Verdict(value="suspect", reasons=["3 late wake-ups of the sender"])
    suspect.load_achieved = LoadResult(streams=3, achieved_bps=14_950_000)
    invalid = document("ovs")
    invalid.verdict = Verdict(value="invalid", reasons=["the packets went round the bridge"])
    invalid.evidence = [Evidence(what="bridge ports", rule="holds tap0", ok=False)]
    failed = document("sriov", day=12)
    failed.status, failed.metrics = "failed", {}
    failed.verdict = Verdict(value="invalid", reasons=["guest: QEMU ended with exit code 1"])
    few = document("vfio", count=40, compared=False)
    real = document("vfio", bench=BOARDS)
    real.instruments = {
        "netperf TCP_RR": InstrumentResult(
            n=1_000, min_ns=79_000, mean_ns=101_000, max_ns=320_000, stddev_ns=19_000, transactions_per_s=9_900
        )
    }
    for one in again:
        one.instruments = {"ping": InstrumentResult(n=10, lost=1, min_ns=400_000, mean_ns=500_000, max_ns=900_000)}
        one.evidence = [Evidence(what="tap0 rx", before=1, after=9, rule="grows by 8 or more", ok=True)]
    made = [(old, False), *((one, True) for one in again), (bounded, False), (suspect, True), (invalid, True),
            (failed, False), (few, True), (real, True)]  # fmt: skip
    return [RunFacts(one, new) for one, new in made]


def report() -> Weekly:
    journal = for_report(parse_journal(JOURNAL, "journal.md"), date(2026, 11, 13), TODAY)
    broken = ["20261119T000000Z-user-0a1b2c: run.json is cut off or damaged"]
    return weekly(facts(), 3, TODAY, "report 2 (2026-11-13)", journal, broken)


def first_report() -> Weekly:
    """Without a last report, a journal or what is odd."""
    return weekly([RunFacts(document("tap-bridge")), RunFacts(document("macvtap"))], 1, TODAY)
