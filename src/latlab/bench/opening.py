# SPDX-License-Identifier: Apache-2.0
"""From a bench file to a bench that is up, and back to nothing.

    with open_bench("emulated", bench, log) as site:
        ...

An emulated bench that `latlab bench up` keeps is visited; otherwise a machine is started for the block alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from latlab.bench import emulated, keeper, local
from latlab.bench.accelerator import Accelerator, choose
from latlab.bench.boards import boards_site
from latlab.bench.lock import locked
from latlab.bench.pair import pair_site
from latlab.bench.site import Site, changes_undone, plan_addresses
from latlab.errors import BenchError
from latlab.guest.kernel import Kernel, find_kernel
from latlab.guest.machine import Machine, MachineSpec, start_machine
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Host
from latlab.hosts.local import open_local_host
from latlab.scenario.bench_model import Addresses, AnyBench, BoardsBench, EmulatedBench, LocalBench

Say = Callable[[str], None]


def _silent(_: str) -> None:
    pass


@contextmanager
def open_bench(name: str, bench: AnyBench, log: CommandLog, say: Say = _silent) -> Iterator[Site]:
    """A bench that is up inside the block. BenchError when it cannot be had, or when somebody uses it.

    `say` is told, in one line each, what a user should know: what was undone after a crash, why there is no KVM.
    """
    lock = local.LOCK if isinstance(bench, LocalBench) else f"bench-{name}"
    with locked(lock, what=f"the bench {name}"), _this_machine(bench, log) as host:
        for recovered in host.facts.recovered:
            say(f"after a crash: {recovered}")
        if isinstance(bench, LocalBench):
            with changes_undone(host):
                yield replace(local.configure(host, bench), name=name)
        elif isinstance(bench, BoardsBench):
            with boards_site(bench, host, say) as site:
                yield replace(site, name=name)
        elif bench.machines > 1:
            kernel, accelerator = carried_by(bench, host, say)
            with pair_site(bench, kernel, accelerator.name, host, say) as site:
                yield replace(site, name=name)
        else:
            with _emulated_machine(name, bench, host, log, say) as machine, changes_undone(machine.host):
                defaults = Addresses()
                kernel = find_kernel(bench.kernel)
                site = emulated.configure(machine, kernel, plan_addresses(defaults.ipv4, defaults.ipv6))
                yield replace(site, name=name, carrier=host, emulators=(machine,) if machine.ours else ())


@contextmanager
def _this_machine(bench: AnyBench, log: CommandLog) -> Iterator[Host]:
    # An emulated bench's own hypervisor is elsewhere: this machine only carries it.
    host = open_local_host("hypervisor" if isinstance(bench, LocalBench) else "this machine", log=log)
    try:
        yield host
    finally:
        host.close()


def machine_spec(bench: EmulatedBench, host: Host, say: Say = _silent) -> MachineSpec:
    """The bench's one machine. BenchError when `host` cannot carry it."""
    kernel, accelerator = carried_by(bench, host, say)
    return emulated.spec(kernel, accelerator=accelerator.name, cpus=bench.cpus, memory_mib=bench.memory_mib)


def carried_by(bench: EmulatedBench, host: Host, say: Say) -> tuple[Kernel, Accelerator]:
    """What a machine that can run guests itself boots, and runs under. BenchError when `host` cannot carry one."""
    if host.facts.machine != "x86_64":
        raise BenchError(
            f"the emulated bench needs an x86_64 machine in this version, and this is {host.facts.machine}",
            hint="Here the local bench works: --bench local, as root.",
        )
    kernel = find_kernel(bench.kernel)
    accelerator = choose(host, kernel, bench.accelerator, nested=True)
    if accelerator.name == "tcg" and bench.accelerator == "auto":
        say(f"processor emulated: {accelerator.reason}")
    return kernel, accelerator


@contextmanager
def _emulated_machine(name: str, bench: EmulatedBench, host: Host, log: CommandLog, say: Say) -> Iterator[Machine]:
    kept = keeper.kept_for(name, bench)
    if kept is not None:
        machine = Machine(host, kept.spec, kept.folder, log, None)
        try:
            yield machine
        finally:
            machine.leave()
        return
    with changes_undone(host):
        machine = start_machine(host, machine_spec(bench, host, say), log=log)
        try:
            yield machine
        finally:
            machine.stop()
