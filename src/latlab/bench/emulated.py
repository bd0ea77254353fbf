# SPDX-License-Identifier: Apache-2.0
"""The emulated bench: one QEMU machine that is the hypervisor, with two cabled Intel 82576.

Its kernel is a distribution's own, its root is this machine's file system, read-only, under a layer in memory; inside
it real KVM runs the guest. The second NIC, in a network namespace, is the peer. It needs no privilege and changes
nothing outside its own process: the whole bench is one child of ours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from latlab.bench.site import AddressPlan, Site, configure_peer, wait_for_carrier
from latlab.errors import BenchError
from latlab.guest.initramfs import host_initramfs
from latlab.guest.kernel import Kernel
from latlab.guest.machine import Machine, MachineSpec
from latlab.hosts.host import Host, Process
from latlab.hosts.local import probe_path

LATER_MODULES = ("vhost_net", "macvtap", "bridge", "8021q")
"""What attachments will ask for, beside KVM."""

MODULES_LIMIT_S = 60

NIC, PEER_NIC = "eth0", "eth1"
TOTAL_VFS = 7
"""Virtual functions that QEMU's 82576 has."""


TWO_NICS = (
    # Two 82576, each behind a root port of its own (its own IOMMU group), on one cable.
    "-device", "pcie-root-port,id=port0,chassis=1",
    "-device", "pcie-root-port,id=port1,chassis=2",
    "-netdev", "hubport,id=end0,hubid=0",
    "-netdev", "hubport,id=end1,hubid=0",
    "-device", "igb,bus=port0,netdev=end0,mac=52:54:00:a1:00:01",
    "-device", "igb,bus=port1,netdev=end1,mac=52:54:00:a1:00:02",
)  # fmt: skip


def real_cpus() -> int:
    """How many this machine lets us have."""
    return len(os.sched_getaffinity(0))


def spec(
    kernel: Kernel, *, accelerator: str, cpus: int, memory_mib: int, name: str = "hypervisor",
    nics: Sequence[str] = TWO_NICS,
) -> MachineSpec:  # fmt: skip
    """A machine of the bench. More virtual CPUs than real ones stall it (RCU stalls, lost timers): never give more."""
    kvm = accelerator == "kvm"
    return MachineSpec(
        name=name,
        kernel=kernel.image,
        initramfs=host_initramfs(kernel, Path(probe_path("x86_64"))),
        accelerator=accelerator,
        cpus=min(cpus, real_cpus()),
        memory_mib=memory_mib,
        # The IOMMU translates interrupts, which needs the split interrupt controller. Without SMM and with one CPU
        # until PCI is enumerated, QEMU's memory map does not change under a running CPU: up to QEMU 10 that can end
        # in "iotlb_to_section: Assertion `section_index < d->map.sections_nb' failed" (QEMU issue 3040).
        machine_options=",kernel-irqchip=split" + (",smm=off" if not kvm else ""),
        # Nested virtualisation: AMD's is what TCG emulates.
        cpu_options="" if kvm else ",+svm",
        # lpj: the second CPU would spend 0.6 s on finding it. mitigations: an emulated processor speculates nothing.
        kernel_arguments="intel_iommu=on net.ifnames=0 maxcpus=1" + ("" if kvm else " lpj=4000000 mitigations=off"),
        probe="/run/latlab-probe",
        devices=(
            "-device", "intel-iommu,intremap=on,caching-mode=on",
            # This machine's files, read-only, and the kernel's modules.
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
            "-fsdev", f"local,id=modules,path={kernel.root}/lib/modules,security_model=none,readonly=on",
            "-device", "virtio-9p-pci,fsdev=modules,mount_tag=modules",
            *nics,
            "-device", "virtio-rng-pci",
        ),
    )  # fmt: skip


def load_later_modules(hypervisor: Host) -> Process:
    """What is not needed yet, loaded by the other CPU, if there is one. Waited for by `wait_for_modules`."""
    intel = "vmx" in hypervisor.read("/proc/cpuinfo")
    return hypervisor.start(["modprobe", "-a", "kvm_intel" if intel else "kvm_amd", *LATER_MODULES])


def wait_for_modules(loads: Process) -> None:
    if loads.wait(MODULES_LIMIT_S):
        raise BenchError(
            f"{loads.host_name}: its kernel lacks a module: {loads.stderr.strip()}", hint="scripts/setup kernel"
        )


def configure(machine: Machine, kernel: Kernel, addresses: AddressPlan) -> Site:
    """Makes a bench of a machine that has started: drivers, the peer's namespace, addresses."""
    hypervisor = machine.host
    hypervisor.run(["modprobe", "igb"])
    loads = load_later_modules(hypervisor)
    peer = configure_peer(hypervisor, PEER_NIC, addresses.peer)
    hypervisor.run(["ip", "link", "set", "dev", NIC, "up"])
    wait_for_carrier(hypervisor, NIC)
    wait_for_carrier(peer, PEER_NIC)
    wait_for_modules(loads)
    cpus = machine.spec.cpus
    # What runs there: a kept bench may have been started before another kernel was fetched.
    running = hypervisor.facts.kernel
    return Site(
        kind="emulated",
        hypervisor=hypervisor,
        peer=peer,
        nic=NIC,
        peer_nic=PEER_NIC,
        guest_accelerator="kvm",
        guest_kernel=kernel,
        addresses=addresses,
        console=machine.console,
        cable=f"82576 <-> 82576 under {machine.spec.accelerator}",
        headline=f"1 machine · {cpus} CPUs ({machine.spec.accelerator}) · 82576 <-> 82576 · kernel {running}",
    )
