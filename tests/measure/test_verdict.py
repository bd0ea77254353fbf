# SPDX-License-Identifier: Apache-2.0
"""The verdict's rules, one line each, and what in a kernel's messages is trouble."""

from __future__ import annotations

from typing import Any

import pytest

from latlab.attachment.wiring import Finding
from latlab.measure.verdict import Outcome, judge_run, kernel_trouble, said_since
from latlab.scenario.model import Flow
from latlab.stats.summary import Counts

FINE: dict[str, Any] = {
    "sent": 1000, "replied": 1000, "send_failed": 0, "records_dropped": 0, "late_wakeups": 0,
    "scheduler": "SCHED_FIFO 80",
}  # fmt: skip
COUNTER = Finding("tap rx packets", 5, 7, "grows by 1000 or more", False)
FACT = Finding("the bridge knows the guest", None, False, "holds", False)
HOLDS = Finding("the bridge knows the guest", None, True, "holds", True)

RULES: list[tuple[dict[str, Any], dict[str, Any], str, list[str]]] = [
    # the probe's summary differs by, other arguments, the verdict, its reasons (their beginnings)
    ({}, {}, "valid", []),
    ({}, {"findings": [HOLDS]}, "valid", []),
    ({"replied": 1}, {}, "valid", []),
    ({"replied": 0}, {}, "invalid", ["no packet was answered"]),
    ({"records_dropped": 3}, {"counts": Counts(sent=997)}, "invalid", ["3 records were lost on their way to disk"]),
    ({}, {"counts": Counts(sent=999)}, "invalid", ["1 of 1000 records did not arrive here"]),
    ({"sent": 990, "send_failed": 10}, {"counts": Counts(sent=990, send_failed=10)}, "valid", []),
    ({"sent": 990, "send_failed": 11}, {"counts": Counts(sent=990, send_failed=10)}, "invalid", ["1 of 990 records"]),
    ({"given_up_early": 4}, {}, "invalid", ["4 packets were given up before their time-out"]),
    ({"warnings": ["CPU 7 refused"]}, {}, "suspect", ["sender: CPU 7 refused"]),
    ({}, {"reflector": {"scheduler": "SCHED_OTHER"}}, "suspect", ["SCHED_FIFO was refused: the reflector ran under"]),
    ({}, {"reflector": {"warnings": ["not locked"]}}, "suspect", ["reflector: not locked"]),
    ({}, {"warm": False}, "suspect", ["not all packets of the warm-up were answered"]),
    ({}, {"load_shortfall": "1 of 6 Mbit/s"}, "suspect", ["the load fell short: 1 of 6 Mbit/s"]),
    ({"late_wakeups": 10}, {}, "valid", []),
    ({"late_wakeups": 11}, {}, "suspect", ["11 of 1000 packets were sent a whole period late"]),
    ({"scheduler": "SCHED_OTHER"}, {}, "suspect", ["SCHED_FIFO was refused: the sender ran under SCHED_OTHER"]),
    ({"scheduler": "SCHED_OTHER"}, {"fifo": None}, "valid", []),
    ({}, {"trouble": ["kernel: BUG: x"]}, "suspect", ["kernel: BUG: x"]),
    ({}, {"load_failure": "no iperf3"}, "invalid", ["the load did not run: no iperf3"]),
    ({}, {"findings": [COUNTER]}, "invalid", ["evidence: tap rx packets went from 5 to 7, but grows by 1000 or more"]),
    ({}, {"findings": [FACT, HOLDS]}, "invalid", ["evidence: the bridge knows the guest: not so"]),
    (
        {"replied": 0, "scheduler": "SCHED_OTHER"},
        {"load_failure": "no iperf3", "trouble": ["kernel: BUG: x"]},
        "invalid",
        ["no packet was answered", "the load did not run", "SCHED_FIFO was refused", "kernel: BUG"],
    ),
]


@pytest.mark.parametrize(("probe", "others", "value", "reasons"), RULES)
def test_rules(probe: dict[str, Any], others: dict[str, Any], value: str, reasons: list[str]) -> None:
    given = {"counts": Counts(sent=1000), **others}
    flow = Flow(fifo=given.pop("fifo", 80))
    verdict = judge_run(flow, Outcome(sender=FINE | probe, **given))
    assert verdict.value == value
    assert len(verdict.reasons) == len(reasons)
    for found, begins in zip(verdict.reasons, reasons, strict=True):
        assert found.startswith(begins)


def test_without_the_probe_its_rules_do_not_count() -> None:
    assert judge_run(Flow(), Outcome(others={"ping": None})).value == "valid"
    assert judge_run(Flow(), Outcome(others={"ping": None}, load_failure="x")).value == "invalid"


def test_a_run_without_any_number_is_invalid() -> None:
    nothing = judge_run(Flow(), Outcome(others={"netperf TCP_RR": "netperf is not installed"}))
    assert (nothing.value, nothing.reasons) == ("invalid", ["netperf TCP_RR: netperf is not installed"])
    assert judge_run(Flow(), Outcome()).value == "invalid"


@pytest.mark.parametrize(
    "line",
    [
        "[   12.3] WARNING: CPU: 0 PID: 17 at net/core/dev.c:1 dev_x+0x1/0x2",
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [kworker/0:1:17]",
        "Oops: 0000 [#1] PREEMPT SMP",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "NETDEV WATCHDOG: eth0 (igb): transmit queue 0 timed out",
        "Out of memory: Killed process 99 (netserver)",
        "general protection fault: 0000 [#1]",
        "clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable because the skew is large:",
        "INFO: task ip:99 blocked for more than 120 seconds.",
        "Kernel panic - not syncing: Fatal exception",
        "sched: RT throttling activated",
    ],
)
def test_trouble_is_seen(line: str) -> None:
    assert kernel_trouble(f"all is well\n{line}\n") == [line.strip()]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Linux version 6.12.1 (debian-kernel@lists.debian.org)",
        "8021q: 802.1Q VLAN Support v1.8",
        "clocksource: Switched to clocksource tsc",
        "rcu: \tRCU restricting CPUs from NR_CPUS=8192 to nr_cpu_ids=1.",
        "spectre: WARNING: see https://www.kernel.org",
        "debug: a word with BUG in it",
    ],
)
def test_what_is_no_trouble(line: str) -> None:
    assert kernel_trouble(line) == []


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ("", "a\nb\n", "a\nb\n"),
        ("a\nb\n", "a\nb\n", ""),
        ("a\nb\n", "a\nb\nc\n", "c\n"),
        ("a\nb\n", "b\nc\nd\n", "c\nd\n"),
        ("a\nb\n", "x\ny\n", "x\ny\n"),
    ],
    ids=["first", "nothing", "one more", "the oldest pushed out", "all of it pushed out"],
)
def test_what_a_kernel_said_since(before: str, now: str, new: str) -> None:
    assert said_since(before, now) == new


def test_at_most_three_lines_are_told() -> None:
    assert kernel_trouble("BUG: 1\nBUG: 2\nfine\nBUG: 3\nBUG: 4\n") == ["BUG: 1", "BUG: 2", "BUG: 3"]
