# SPDX-License-Identifier: Apache-2.0
"""What this machine is like, as far as latency goes: read here, judged in `latency` and `nics`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from latlab.hosts.host import Host
from latlab.hosts.look import Node, Run, find_nodes, find_paths, on_host, read_files
from latlab.needs.host import HostFacts, Wanted, look

CPU = "/sys/devices/system/cpu"
FILES = (
    "/proc/cpuinfo", "/proc/sys/kernel/version", "/sys/kernel/realtime", "/sys/kernel/debug/sched/preempt",
    "/proc/sys/net/core/bpf_jit_enable", "/proc/sys/kernel/unprivileged_bpf_disabled",
    "/proc/sys/kernel/sched_rt_runtime_us",
    "/proc/sys/kernel/sched_rt_period_us", "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/module/pcie_aspm/parameters/policy", "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    f"{CPU}/isolated", f"{CPU}/nohz_full", f"{CPU}/online", f"{CPU}/smt/active", f"{CPU}/smt/control",
    f"{CPU}/cpufreq/boost", f"{CPU}/intel_pstate/no_turbo", f"{CPU}/intel_pstate/status",
)  # fmt: skip
PATTERNS = tuple(
    f"{CPU}/{tail}"
    for tail in (
        "cpufreq/policy*/scaling_governor", "cpuidle/current_driver", "vulnerabilities/*",
        "cpu[0-9]*/cpuidle/state*/name", "cpu[0-9]*/cpuidle/state*/latency", "cpu[0-9]*/cpuidle/state*/disable",
    )
)  # fmt: skip
OPTIONS = ("CONFIG_BPF_SYSCALL", "CONFIG_BPF_JIT", "CONFIG_XDP_SOCKETS", "CONFIG_DEBUG_INFO_BTF", "CONFIG_PREEMPT_RT",
           "CONFIG_PREEMPT", "CONFIG_NO_HZ_FULL")  # fmt: skip
BTF = "/sys/kernel/btf/vmlinux"
DAEMONS = ("irqbalance", "tuned", "thermald", "power-profiles-daemon")


@dataclass(frozen=True)
class SeenNic:
    """What programs and files say of one NIC, as they say it."""

    name: str
    numa_node: str = ""
    stamping: str = ""
    """`ethtool -T`."""
    coalescing: str = ""
    """`ethtool -c`."""
    eee: str = ""
    """`ethtool --show-eee`."""


@dataclass(frozen=True)
class Machine:
    facts: HostFacts
    nics: tuple[SeenNic, ...] = ()
    clocks: Mapping[str, tuple[str, Node | None]] = field(default_factory=dict)
    """`ptp0` -> its name, and its device."""
    running: frozenset[str] = frozenset()
    """Of `DAEMONS`."""
    closed: frozenset[str] = frozenset()
    """Files that only root may read."""


def look_here(here: Host, needed: Wanted, nics: Iterable[str] = ()) -> Machine:
    """This machine, for the needs of attachments and for latency. `nics`: those that bench files name."""
    run, said = on_host(here), here.facts
    named = next(iter(nics), "")
    wanted = needed | Wanted(nodes=(BTF,), options=OPTIONS)
    facts = look(run, wanted, bench="local", kernel=said.kernel, machine=said.machine, uid=said.uid, nic=named)
    found = read_files(run, [*FILES, *find_paths(run, CPU, PATTERNS, depth=4)])
    facts = replace(facts, files={**facts.files, **found.texts})
    return Machine(facts, tuple(_nics(run, nics)), _clocks(run), _running(run), found.closed)


def _nics(run: Run, named: Iterable[str]) -> Iterable[SeenNic]:
    folder = "/sys/class/net/"
    names = [path.removeprefix(folder) for path in sorted(find_nodes(run, [folder], depth=1)) if path != folder]
    real = find_nodes(run, [f"{folder}{name}/device" for name in names])
    nodes = read_files(run, [f"{path}/numa_node" for path in real]).texts
    chosen = dict.fromkeys([*(n for n in names if f"{folder}{n}/device" in real), *(n for n in named if n in names)])
    for name in chosen:
        said = (run(["ethtool", word, name]).stdout for word in ("-T", "-c", "--show-eee"))
        yield SeenNic(name, nodes.get(f"{folder}{name}/device/numa_node", "").strip(), *said)


def _clocks(run: Run) -> dict[str, tuple[str, Node | None]]:
    folder = "/sys/class/ptp/"
    names = [path.removeprefix(folder) for path in sorted(find_nodes(run, [folder], depth=1)) if path != folder]
    texts = read_files(run, [f"{folder}{name}/clock_name" for name in names]).texts
    devices = find_nodes(run, [f"/dev/{name}" for name in names])
    return {n: (texts.get(f"{folder}{n}/clock_name", "").strip(), devices.get(f"/dev/{n}")) for n in names}


def _running(run: Run) -> frozenset[str]:
    found = run(["pgrep", "-lx", "|".join(DAEMONS)]).stdout
    return frozenset(re.findall(r"^\d+ (.*)$", found, re.MULTILINE)) & frozenset(DAEMONS)
