# SPDX-License-Identifier: Apache-2.0
"""What of a machine makes latency is found in its files, with what to do about it; nothing in them makes it raise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.doctor.finding import Finding
from latlab.doctor.latency import kernel_findings
from latlab.doctor.machine import BTF, CPU, FILES, Machine, look_here
from latlab.doctor.nics import nic_findings
from latlab.hosts.look import Node
from latlab.needs.host import BASE_FILES, HostFacts, Wanted
from tests.needs.facts import KERNEL, Told

THP = "/sys/kernel/mm/transparent_hugepage/enabled"
QUIET: dict[str, str] = {
    "/proc/sys/kernel/version": "#1 SMP PREEMPT_RT Debian 6.12.1-1",
    "/sys/kernel/realtime": "1",
    "/proc/sys/net/core/bpf_jit_enable": "1",
    "/proc/sys/kernel/unprivileged_bpf_disabled": "2",
    "/proc/net/protocols": "XDP  1088  0",
    "/proc/sys/kernel/sched_rt_runtime_us": "-1",
    THP: "always [madvise] never",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "/sys/module/pcie_aspm/parameters/policy": "default [performance] powersave",
    f"{CPU}/isolated": "2-3",
    f"{CPU}/nohz_full": "2-3",
    f"{CPU}/online": "0-3",
    f"{CPU}/smt/active": "0",
    f"{CPU}/cpufreq/boost": "0",
    f"{CPU}/cpufreq/policy0/scaling_governor": "performance",
    f"{CPU}/vulnerabilities/spectre_v2": "Vulnerable",
    f"{CPU}/cpu0/cpuidle/state0/name": "POLL",
    f"{CPU}/cpu0/cpuidle/state0/latency": "0",
    f"{CPU}/cpu0/cpuidle/state1/name": "C6",
    f"{CPU}/cpu0/cpuidle/state1/latency": "133",
    f"{CPU}/cpu0/cpuidle/state1/disable": "1",
}
"""A machine on which nothing makes latency that could be helped."""


def machine(running: frozenset[str] = frozenset(), **others: Any) -> Machine:
    facts = HostFacts("local", KERNEL, files=QUIET, nodes={BTF: Node("f")}, options={"CONFIG_BPF_SYSCALL": "y"})
    return Machine(replace(facts, **others), running=running)


def with_files(files: dict[str, str]) -> Machine:
    return machine(files={**QUIET, **files})


def found(seen: Machine, what: str) -> Finding:
    (finding,) = (f for f in kernel_findings(seen) if f.what == what)
    return finding


def test_nothing_to_complain_of() -> None:
    assert [f for f in kernel_findings(machine()) if f.cost or f.remedy] == []


@pytest.mark.parametrize(
    ("what", "path", "text", "state", "remedy"),
    [
        ("eBPF", "/proc/sys/net/core/bpf_jit_enable", "0", "JIT off", "sudo sysctl net.core.bpf_jit_enable=1"),
        ("frequency", f"{CPU}/cpufreq/policy0/scaling_governor", "powersave", "powersave",
         "sudo cpupower frequency-set -g performance"),
        ("turbo", f"{CPU}/cpufreq/boost", "1", "on", f"echo 0 | sudo tee {CPU}/cpufreq/boost"),
        ("turbo", f"{CPU}/intel_pstate/no_turbo", "0", "on", f"echo 1 | sudo tee {CPU}/intel_pstate/no_turbo"),
        ("sleep states", f"{CPU}/cpu0/cpuidle/state1/disable", "0", "POLL 0 us, C6 133 us", "cpupower idle-set -D 9"),
        ("SMT", f"{CPU}/smt/active", "1", "on", f"echo off | sudo tee {CPU}/smt/control"),
        ("mitigations", f"{CPU}/vulnerabilities/mds", "Mitigation: Clear CPU buffers", "mds", "mitigations=off"),
        ("huge pages", THP, "[always] madvise never", "always", f"echo madvise | sudo tee {THP}"),
        ("clock source", "/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet", "hpet", "tsc"),
        ("PCIe power", "/sys/module/pcie_aspm/parameters/policy", "default [powersave]", "powersave",
         "echo performance | sudo tee /sys/module/pcie_aspm/parameters/policy"),
        ("virtual", "/proc/cpuinfo", "flags\t\t: fpu hypervisor lm\n", "itself a virtual machine", "hardware"),
    ],
)  # fmt: skip
def test_what_costs_latency(what: str, path: str, text: str, state: str, remedy: str) -> None:
    finding = found(with_files({path: text}), what)
    assert state in finding.state
    assert finding.cost
    assert remedy in finding.remedy


def test_preemption() -> None:
    stock = {"/proc/sys/kernel/version": "#1 SMP PREEMPT_DYNAMIC Debian 6.12", "/sys/kernel/realtime": ""}
    release = {"/etc/os-release": "ID=debian"}
    finding = found(with_files({**stock, **release, "/proc/cmdline": "quiet preempt=full"}), "preemption")
    assert finding.state == "PREEMPT_DYNAMIC (preempt=full), not PREEMPT_RT"
    assert finding.remedy == "sudo apt install linux-image-rt-amd64 && sudo reboot"
    finding = found(with_files({**stock, "/sys/kernel/debug/sched/preempt": "none (voluntary) full"}), "preemption")
    assert finding.state == "PREEMPT_DYNAMIC (voluntary), not PREEMPT_RT"
    assert found(with_files({"/proc/sys/kernel/version": "#1 SMP x", "/sys/kernel/realtime": ""}), "preemption").cost


def test_isolation() -> None:
    none = {f"{CPU}/isolated": "", f"{CPU}/nohz_full": " (null)"}
    finding = found(with_files(none), "CPU isolation")
    assert finding.state == "isolated none, nohz_full none"
    assert "isolcpus=2-3 nohz_full=2-3" in finding.remedy
    few = found(with_files({**none, f"{CPU}/online": "0-1"}), "CPU isolation")
    assert "2 CPUs, none to spare" in few.state
    assert "isolcpus" not in few.remedy


def test_a_limit_of_realtime_threads() -> None:
    files = {"/proc/sys/kernel/sched_rt_runtime_us": "950000", "/proc/sys/kernel/sched_rt_period_us": "1000000"}
    finding = found(with_files(files), "SCHED_FIFO")
    assert finding.state == "950 of every 1000 ms"
    assert "50 ms" in finding.cost


def test_daemons() -> None:
    finding = found(machine(frozenset(("irqbalance",))), "irqbalance")
    assert (finding.state, finding.remedy) == ("runs", "sudo systemctl stop irqbalance")
    others = found(machine(frozenset(("tuned", "thermald"))), "power daemons")
    assert others.remedy == "sudo systemctl stop thermald tuned"


def test_what_a_kernel_cannot_do() -> None:
    files = {p: t for p, t in QUIET.items() if "bpf" not in p and "protocols" not in p}
    seen = machine(files=files, options={"CONFIG_NET": "y"}, nodes={})
    assert found(seen, "eBPF").state == "not in this kernel (CONFIG_BPF_SYSCALL)"
    assert found(seen, "AF_XDP").state == "not in this kernel (CONFIG_XDP_SOCKETS)"
    assert "no BTF" in found(machine(nodes={}), "eBPF").state


def test_what_only_root_sees_is_said() -> None:
    seen = replace(machine(), closed=frozenset(("/sys/kernel/debug/sched/preempt",)))
    assert found(seen, "/sys/kernel/debug/sched/preempt").state == "not visible without root"


WORDS = st.sampled_from(
    ["[", "]", "(", ")", "-", ",", "\n", ":", "flags\t:", "hypervisor", "999999999", "-1", "0", "Ⅷ", "٣"]
)
TEXT = st.lists(WORDS | st.text(max_size=4), max_size=6).map("".join)
PATHS = st.sampled_from([*FILES, *BASE_FILES, *QUIET])


@given(
    files=st.dictionaries(PATHS, TEXT),
    said=st.lists(TEXT, min_size=4, max_size=4),
    options=st.none() | st.dictionaries(st.sampled_from(["CONFIG_BPF_SYSCALL", "CONFIG_NET"]), TEXT),
)
def test_whatever_the_files_hold_nothing_raises(
    files: dict[str, str], said: list[str], options: dict[str, str] | None
) -> None:
    nodes = {
        "/sys/class/net/eth0": Node("d"),
        "/sys/class/net/eth0/device": Node("d", "../../0000:03:00.0"),
        "/sys/class/ptp/ptp0": Node("d"),
        "/dev/ptp0": Node("c", readable=False),
    }
    words = ("ethtool -T eth0", "ethtool -c eth0", "ethtool --show-eee eth0", "ethtool -l eth0")
    here = Told(files, nodes, dict(zip(words, said, strict=True)))
    seen = look_here(here, Wanted(), ["eth0"])
    seen = replace(seen, facts=replace(seen.facts, options=options))
    for finding in (*kernel_findings(seen), *nic_findings(seen)):
        assert finding.what
        assert finding.state
        assert bool(finding.cost) == bool(finding.remedy), finding
