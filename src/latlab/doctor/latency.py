# SPDX-License-Identifier: Apache-2.0
"""What of a kernel and its processors makes latency: one rule for each, pure, over what was read.

A rule says nothing (None) of what is not there. None raises, whatever a file holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from latlab.doctor.finding import Finding, hidden
from latlab.doctor.machine import BTF, CPU, Machine
from latlab.needs.kernel import PROTOCOLS, XDP_PROTOCOL

SLOW_WAKE_US = 10
"""From this exit latency on a sleep state is called deep: it is what a packet waits for on an idle CPU."""

SPARE_CPUS = 4
"""From so many CPUs on some can be set aside."""

GOOD_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
"""Clock sources that are read without leaving user space, by the vDSO."""


def kernel_findings(seen: Machine) -> tuple[Finding, ...]:
    found = (rule(seen) for rule in RULES)
    return tuple(finding for finding in found if finding is not None)


def _ebpf(seen: Machine) -> Finding:
    facts = seen.facts
    restricted = facts.text("/proc/sys/kernel/unprivileged_bpf_disabled")
    if not restricted and (facts.options or {}).get("CONFIG_BPF_SYSCALL") != "y":
        return Finding("eBPF", "not in this kernel (CONFIG_BPF_SYSCALL)")
    jit = facts.text("/proc/sys/net/core/bpf_jit_enable")
    words = ["yes", "with BTF" if BTF in facts.nodes else f"no BTF ({BTF})"]
    words += ["for every user" if restricted == "0" else "for root only"]
    if jit == "0":
        cost = "every instruction of an XDP program is interpreted, for every packet"
        return Finding("eBPF", ", ".join([*words, "JIT off"]), cost, "sudo sysctl net.core.bpf_jit_enable=1")
    return Finding("eBPF", ", ".join([*words, "JIT on" if jit else f"no JIT seen on {facts.machine}"]))


def _af_xdp(seen: Machine) -> Finding:
    facts = seen.facts
    lines = facts.files.get(PROTOCOLS, "").splitlines()
    shown = any(line.split()[:1] == [XDP_PROTOCOL] for line in lines)
    if shown or (facts.options or {}).get("CONFIG_XDP_SOCKETS") == "y":
        return Finding("AF_XDP", "yes")
    return Finding("AF_XDP", "not in this kernel (CONFIG_XDP_SOCKETS)")


def _preemption(seen: Machine) -> Finding:
    facts = seen.facts
    version = facts.text("/proc/sys/kernel/version")
    if facts.text("/sys/kernel/realtime") == "1" or "PREEMPT_RT" in version.split():
        return Finding("preemption", "PREEMPT_RT")
    model = re.search(r"\b(PREEMPT_DYNAMIC|PREEMPT)\b", version)
    now = re.search(r"\((\w+)\)", facts.text("/sys/kernel/debug/sched/preempt"))
    chosen = re.search(r"\bpreempt=(\w+)", facts.text("/proc/cmdline"))
    mode = f" ({now[1]})" if now else f" (preempt={chosen[1]})" if chosen else ""
    return Finding(
        "preemption",
        f"{model[1] if model else 'none in the kernel'}{mode}, not PREEMPT_RT",
        "softirqs and kernel sections with a lock held delay the thread that a packet is for",
        _realtime_kernel(seen),
    )


def _realtime_kernel(seen: Machine) -> str:
    facts = seen.facts
    if "ubuntu" in facts.distribution:
        return "sudo pro enable realtime-kernel"
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(facts.machine)
    if "debian" in facts.distribution and architecture:
        return f"sudo apt install linux-image-rt-{architecture} && sudo reboot"
    return "a kernel built with CONFIG_PREEMPT_RT"


def _virtual(seen: Machine) -> Finding | None:
    flags = re.search(r"^flags\s*:(.*)$", seen.facts.files.get("/proc/cpuinfo", ""), re.MULTILINE)
    if not flags or "hypervisor" not in flags[1].split():
        return None
    cost = "its CPUs are taken away and given back by a host that nobody sees here"
    return Finding("virtual", "this machine is itself a virtual machine", cost, "measure on real hardware")


def _isolation(seen: Machine) -> Finding:
    isolated, full = (_cpus(seen.facts.text(f"{CPU}/{name}")) for name in ("isolated", "nohz_full"))
    state = f"isolated {isolated or 'none'}, nohz_full {full or 'none'}"
    if isolated:
        return Finding("CPU isolation", state)
    count = _count(seen.facts.text(f"{CPU}/online"))
    if not count:
        return Finding("CPU isolation", state)
    if count < SPARE_CPUS:
        few = f"{count} CPU{'' if count == 1 else 's'}, none to spare"
        return Finding("CPU isolation", f"{state}; {few}", "everything else runs on the same CPUs", "use more CPUs")
    spare = f"{count // 2}-{count - 1}"
    words = f"isolcpus={spare} nohz_full={spare} rcu_nocbs={spare}"
    edit = f"""sudo sed -i 's/^GRUB_CMDLINE_LINUX="/&{words} /' /etc/default/grub && sudo update-grub && sudo reboot"""
    return Finding("CPU isolation", state, "the scheduler may put anything beside the measured threads", edit)


def _cpus(text: str) -> str:
    return text if re.fullmatch(r"[0-9,-]+", text) else ""


def _count(text: str) -> int:
    """ "0-3,5" -> 5."""
    count = 0
    for first, last in re.findall(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", text):
        count += int(last or first) - int(first) + 1
    return max(count, 0)


def _governor(seen: Machine) -> Finding:
    pattern = re.compile(rf"{CPU}/cpufreq/policy\d+/scaling_governor")
    governors = sorted({text.strip() for path, text in seen.facts.files.items() if pattern.fullmatch(path)} - {""})
    if not governors:
        return Finding("frequency", "not this kernel's to set")
    state = ", ".join(governors)
    if governors == ["performance"]:
        return Finding("frequency", state)
    cost = "a CPU that was idle works slowly at first: a packet after a pause takes longer"
    return Finding("frequency", state, cost, "sudo cpupower frequency-set -g performance")


def _turbo(seen: Machine) -> Finding | None:
    intel, boost = (seen.facts.text(f"{CPU}/{name}") for name in ("intel_pstate/no_turbo", "cpufreq/boost"))
    file = f"{CPU}/intel_pstate/no_turbo" if intel else f"{CPU}/cpufreq/boost"
    if intel not in ("0", "1") and boost not in ("0", "1"):
        return None
    if intel == "1" or (not intel and boost == "0"):
        return Finding("turbo", "off")
    cost = "the frequency depends on what the other CPUs do, so times vary"
    return Finding("turbo", "on", cost, f"echo {'1' if intel else '0'} | sudo tee {file}")


def _sleep_states(seen: Machine) -> Finding:
    files = seen.facts.files
    states: dict[str, int] = {}
    pattern = re.compile(rf"({CPU}/cpu\d+/cpuidle/state\d+)/latency")
    for path, text in files.items():
        found = pattern.fullmatch(path)
        if found and re.fullmatch("[0-9]{1,9}", text.strip()) and files.get(f"{found[1]}/disable", "0").strip() == "0":
            name = files.get(f"{found[1]}/name", "").strip() or found[1].rpartition("/")[2]
            states[name] = max(states.get(name, 0), int(text))
    if not states:
        return Finding("sleep states", "none that this kernel knows of")
    told = ", ".join(f"{name} {latency} us" for name, latency in sorted(states.items(), key=lambda item: item[1]))
    worst = max(states.values())
    if worst < SLOW_WAKE_US:
        return Finding("sleep states", f"enabled: {told}")
    cost = f"a packet for a CPU that sleeps waits up to {worst} us until it is awake"
    return Finding("sleep states", f"enabled: {told}", cost, f"sudo cpupower idle-set -D {SLOW_WAKE_US - 1}")


def _smt(seen: Machine) -> Finding:
    active = seen.facts.text(f"{CPU}/smt/active")
    if active != "1":
        return Finding("SMT", "off" if active == "0" else "not known of here")
    cost = "two threads share one core's units: either is slower while the other works"
    return Finding("SMT", "on", cost, f"echo off | sudo tee {CPU}/smt/control")


def _irqbalance(seen: Machine) -> Finding:
    if "irqbalance" not in seen.running:
        return Finding("irqbalance", "does not run")
    cost = "interrupts move to other CPUs while a run goes on"
    return Finding("irqbalance", "runs", cost, "sudo systemctl stop irqbalance")


def _power_daemons(seen: Machine) -> Finding | None:
    others = sorted(seen.running - {"irqbalance"})
    if not others:
        return None
    cost = "they change frequencies and sleep states by themselves"
    return Finding("power daemons", f"{', '.join(others)} runs", cost, f"sudo systemctl stop {' '.join(others)}")


def _mitigations(seen: Machine) -> Finding:
    prefix = f"{CPU}/vulnerabilities/"
    files = seen.facts.files.items()
    active = sorted(
        path.removeprefix(prefix) for path, text in files if path.startswith(prefix) and "Mitigation" in text
    )
    if not active:
        return Finding("mitigations", "none")
    cost = "each system call, interrupt and exit from a guest takes longer"
    remedy = "the kernel argument mitigations=off, where nobody runs what is not trusted"
    return Finding("mitigations", ", ".join(active), cost, remedy)


def _huge_pages(seen: Machine) -> Finding | None:
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    chosen = re.search(r"\[(\w+)\]", seen.facts.text(path))
    if not chosen:
        return None
    if chosen[1] != "always":
        return Finding("huge pages", f"transparent ones: {chosen[1]}")
    cost = "the kernel moves memory together behind a program's back, and stops it meanwhile"
    return Finding("huge pages", "transparent ones: always", cost, f"echo madvise | sudo tee {path}")


def _realtime_share(seen: Machine) -> Finding | None:
    runtime, period = (seen.facts.text(f"/proc/sys/kernel/sched_rt_{name}_us") for name in ("runtime", "period"))
    if runtime == "-1":
        return Finding("SCHED_FIFO", "without a limit")
    if not all(re.fullmatch("[0-9]{1,9}", text) for text in (runtime, period)) or int(runtime) >= int(period):
        return None
    pause_ms = (int(period) - int(runtime)) / 1000
    cost = f"a thread that polls without sleeping is stopped for up to {pause_ms:g} ms at a time"
    state = f"{int(runtime) / 1000:g} of every {int(period) / 1000:g} ms"
    return Finding("SCHED_FIFO", state, cost, "sudo sysctl kernel.sched_rt_runtime_us=-1")


def _clock(seen: Machine) -> Finding | None:
    source = seen.facts.text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if not source or source in GOOD_CLOCKS:
        return Finding("clock source", source) if source else None
    cost = "reading the time is a system call or slower, and each stamp reads it"
    return Finding("clock source", source, cost, "the kernel argument tsc=reliable, if this machine's TSC is")


def _pcie(seen: Machine) -> Finding | None:
    policy = re.search(r"\[(\w+)\]", seen.facts.text("/sys/module/pcie_aspm/parameters/policy"))
    if not policy:
        return None
    if policy[1] in ("performance", "default"):
        return Finding("PCIe power", policy[1])
    cost = "the link to the NIC sleeps between packets"
    remedy = "echo performance | sudo tee /sys/module/pcie_aspm/parameters/policy"
    return Finding("PCIe power", policy[1], cost, remedy)


def _hidden(seen: Machine) -> Finding | None:
    return hidden(", ".join(sorted(seen.closed))) if seen.closed else None


RULES: tuple[Callable[[Machine], Finding | None], ...] = (
    _ebpf, _af_xdp, _preemption, _virtual, _isolation, _governor, _turbo, _sleep_states, _smt, _irqbalance,
    _power_daemons, _mitigations, _huge_pages, _realtime_share, _clock, _pcie, _hidden,
)  # fmt: skip
