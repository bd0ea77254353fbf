# SPDX-License-Identifier: Apache-2.0
"""Each attachment on each bench: ready, or what is missing. Nothing is started, and no bench is brought up.

What an emulated host will have follows from this machine: it sees this machine's programs, its kernel is the unpacked
one, its NICs are those that we give it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from latlab import attachment
from latlab.bench import emulated, local, pair
from latlab.bench.lock import holder
from latlab.errors import BenchError, LatlabError
from latlab.guest.initramfs import HOST_MODULES
from latlab.guest.kernel import Kernel, find_kernel
from latlab.hosts.host import Host
from latlab.hosts.local import probe_path
from latlab.hosts.look import Node
from latlab.needs import Missing, Need, install, limits, missing, wanted
from latlab.needs.host import GROUPS, HostFacts, Nic, Wanted, option_of
from latlab.needs.kernel import Module
from latlab.obstacles import needs_of
from latlab.scenario.applicable import HOST_MEMORY_MIB, other_bench
from latlab.scenario.attachments import Attachment
from latlab.scenario.bench_model import AnyBench, EmulatedBench, LocalBench
from latlab.scenario.fields import kinds_of

OTHER_BENCH = "latlab doctor FILE (a bench that names its NICs: docs/guests.md)"
OLDEST_QEMU = 8
"""The first with the 82576 (igb)."""


@dataclass(frozen=True)
class AttachmentState:
    kind: str
    missing: tuple[Missing, ...]
    limits: tuple[tuple[str, Missing], ...]
    """Its options that cannot be had, `vhost: on`, each with the reason."""

    @property
    def ready(self) -> bool:
        return not self.missing


@dataclass(frozen=True)
class BenchState:
    name: str
    kind: str
    about: str
    attachments: tuple[AttachmentState, ...]


def everything_wanted() -> Wanted:
    """What the needs of all attachments look at."""
    return wanted([Module("veth"), Module("8021q"), *(need for kind in attachment.KINDS for need in needs_of(kind))])


def local_state(name: str, bench: LocalBench, here: Host, facts: HostFacts, obstacle: str | None) -> BenchState:
    """`facts`: this machine's. `obstacle`: why a guest does not run under KVM."""
    lacking, kernel = guests(here, facts, bench.kernel)
    user = holder(local.LOCK)
    lacking += [] if user else _in_the_way(here, bench)
    needs: tuple[Need, ...] = ()
    if bench.nic is None:
        needs = (Module("veth"),)
        facts = replace(facts, nic=Nic("a veth pair", driver="veth"))
    if kernel:
        facts = replace(facts, guest_modules=has(kernel, everything_wanted().guest_modules))
    cable = f"{bench.nic} <-> {bench.peer_nic}" if bench.nic else "veth pair"
    under = "kvm" if obstacle is None and bench.accelerator != "tcg" else "tcg"
    about = f"this machine · {cable} · guests under {under}" + (f" · in use by {user}" if user else "")
    return BenchState(name, bench.kind, about, attachments(bench, needs, facts, lacking))


def emulated_state(name: str, bench: EmulatedBench, here: Host, facts: HostFacts, obstacle: str | None) -> BenchState:
    """`facts`: this machine's. `obstacle`: why a guest that runs guests does not run under KVM."""
    lacking, kernel = guests(here, replace(facts, bench="emulated"), bench.kernel)
    if here.facts.machine != "x86_64":
        why = f"it needs an x86_64 machine in this version, and this is {here.facts.machine}"
        lacking.append(Missing("this bench", why, "sudo latlab run SCENARIO --bench local"))
    under = "kvm" if obstacle is None and bench.accelerator != "tcg" else "tcg"
    if kernel is None:
        states = tuple(AttachmentState(kind, tuple(lacking), ()) for kind in attachment.KINDS)
        return BenchState(name, bench.kind, "cannot be started", states)
    modules = (*HOST_MODULES, "igb", "kvm_intel" if _intel(facts) and under == "kvm" else "kvm_amd")
    lacking += [
        Missing(f"module {module}", f"kernel {kernel.release} lacks it", "scripts/setup kernel")
        for module in modules
        if not kernel.has(module)
    ]
    if bench.machines > 1:
        lacking += [
            Missing(f"program {tool}", "not installed", install(facts, package))
            for tool, package in pair.TOOLS.items()
            if not here.has(tool)
        ]
    machines = "1 machine" if bench.machines == 1 else f"{bench.machines} machines"
    about = f"{machines} ({under}) · 82576 <-> 82576 · kernel {kernel.release} · guests under kvm"
    will_be = emulated_facts(bench, kernel, facts, everything_wanted())
    return BenchState(name, bench.kind, about, attachments(bench, (), will_be, lacking))


def emulated_facts(bench: EmulatedBench, kernel: Kernel, here: HostFacts, look_at: Wanted) -> HostFacts:
    """What `needs.host.look` will read inside the emulated host. A lab test compares the two."""
    queues = pair.hypervisor_cpus(bench) if bench.machines > 1 else min(bench.cpus, emulated.real_cpus())
    free_kib = (bench.memory_mib - HOST_MEMORY_MIB) << 10
    nic = Nic(
        emulated.NIC, driver="igb", pci="0000:01:00.0", group="1", total_vfs=emulated.TOTAL_VFS, rx_queues=queues,
        queues_settable=queues > 1,
    )  # fmt: skip
    return HostFacts(
        "emulated",
        kernel.release,
        uid=0,
        files={
            "/etc/os-release": here.files.get("/etc/os-release", ""),
            "/proc/meminfo": f"MemFree: {free_kib} kB\nHugePages_Free: 0\nHugepagesize: 2048 kB\n",
        },
        nodes={f"{GROUPS}/1": Node("d"), f"/lib/modules/{kernel.release}": Node("d")},
        programs=here.programs,
        modules=has(kernel, look_at.modules),
        options=_configuration(kernel, [*look_at.options, *map(option_of, look_at.modules)]),
        linked=here.linked,
        guest_modules=has(kernel, look_at.guest_modules),
        nic=nic,
    )


def attachments(
    bench: AnyBench, needs: Sequence[Need], facts: HostFacts, lacking: list[Missing]
) -> tuple[AttachmentState, ...]:
    """Each with its default options."""
    states = []
    for kind, model in kinds_of(Attachment).items():
        needed, defaults = [*needs, *needs_of(kind)], model.model_construct()
        reason = other_bench(kind, bench)
        elsewhere = [Missing("another bench", reason, OTHER_BENCH)] if reason else []
        found = dict.fromkeys([*elsewhere, *lacking, *missing(needed, facts, defaults)])
        states.append(AttachmentState(kind, tuple(found), tuple(limits(needed, facts, defaults))))
    return tuple(states)


def guests(here: Host, facts: HostFacts, wanted_kernel: str | None) -> tuple[list[Missing], Kernel | None]:
    """What every virtual machine needs: QEMU, a kernel, the probe, busybox."""
    lacking: list[Missing] = []
    kernel = None
    qemu, package = f"qemu-system-{facts.machine}", "x86" if facts.machine == "x86_64" else "arm"
    said = here.run_plain([qemu, "--version"])
    version = re.search(r"version ([0-9]{1,4})\b", said.stdout)
    if said.exit_code:
        lacking.append(Missing(qemu, "not installed", install(facts, f"qemu-system-{package}")))
    elif facts.bench == "emulated" and version and int(version[1]) < OLDEST_QEMU:
        why = f"this is version {version[1]}, and the 82576 came with {OLDEST_QEMU}"
        lacking.append(Missing("a newer QEMU", why, "sudo scripts/setup system"))
    if shutil.which("busybox") is None:
        lacking.append(Missing("busybox", "not installed", install(facts, "busybox-static")))
    try:
        probe_path(facts.machine)
    except LatlabError:
        lacking.append(Missing("the probe", f"it is not built for {facts.machine}", "scripts/setup"))
    try:
        kernel = find_kernel(wanted_kernel)
    except LatlabError as error:
        lacking.append(_as_missing("a kernel", error, here))
    return lacking, kernel


def _in_the_way(here: Host, bench: LocalBench) -> list[Missing]:
    """What would make a run on the local bench refuse to begin."""
    names = () if bench.nic else (local.VETH, local.PEER_VETH)
    taken = _refusal("free names", here, partial(local.refuse_used_names, here, names, local.NAMESPACE))
    if taken:
        # They are latlab's own names: of a run that we may not see, or left behind. A clean-up harms no run.
        return [replace(taken, command="sudo latlab cleanup")]
    checks = [("free addresses", partial(local.refuse_used_networks, here, bench.addresses))]
    if bench.nic_in_use:
        checks = []
    for nic in filter(None, (None if bench.nic_in_use else bench.nic, bench.peer_nic)):
        checks.append((f"NIC {nic}", partial(local.refuse_used_nic, here, nic)))
        checks.append((f"NIC {nic}", partial(local.refuse_shaped_nic, here, nic)))
    return refusals(here, checks)


def refusals(here: Host, checks: Sequence[tuple[str, Callable[[], None]]]) -> list[Missing]:
    """What the checks refuse, each thing once."""
    found: dict[str, Missing] = {}
    for what, check in checks:
        refusal = _refusal(what, here, check)
        if refusal:
            found.setdefault(what, refusal)
    return list(found.values())


def _refusal(what: str, here: Host, check: Callable[[], None]) -> Missing | None:
    try:
        check()
    except BenchError as error:
        return _as_missing(what, error, here)
    except ValueError:
        return None  # a program that is not there printed no JSON; that it is missing is said elsewhere
    return None


def _as_missing(what: str, error: LatlabError, here: Host) -> Missing:
    """An error of a run, as the doctor says it: hints that hold a command are that command."""
    command = re.match(r"(?:Run|Remove it|Free it|If nobody needs it): (.*)", error.hint)
    return Missing(what, error.message.removeprefix(f"{here.name}: "), command[1] if command else error.hint)


def has(kernel: Kernel, names: Sequence[str]) -> frozenset[str]:
    return frozenset(name for name in names if kernel.has(name))


def _intel(facts: HostFacts) -> bool:
    return "GenuineIntel" in facts.files.get("/proc/cpuinfo", "")


def _configuration(kernel: Kernel, names: Sequence[str]) -> dict[str, str] | None:
    file = Path(kernel.root) / f"boot/config-{kernel.release}"
    try:
        found = dict(re.findall(r"^(CONFIG_\w+)=(.*)$", file.read_text(errors="replace"), re.MULTILINE))
    except OSError:
        return None
    return {name: value for name, value in found.items() if name in names}
