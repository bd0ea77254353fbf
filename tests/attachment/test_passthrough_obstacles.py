# SPDX-License-Identifier: Apache-2.0
"""What keeps a NIC from being given to a guest: each by its name, with what mends it, before anything is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from latlab.attachment import sriov
from latlab.attachment.iommu import refuse_low_memlock, why_no_iommu
from latlab.attachment.pci import BUS
from latlab.errors import BenchError
from latlab.scenario.attachments import Sriov
from tests.attachment.pci_machine import PF, VFS, Device, Interface, PciMachine
from tests.attachment.test_passthrough import functions, site_of, whole
from tests.canned import FACTS, CannedHost

MIB = 1 << 20


def nic(machine: PciMachine) -> Interface:
    assert machine.nic.interface is not None
    return machine.nic.interface


def no_group(machine: PciMachine) -> None:
    machine.nic.group = ""


def shared_group(machine: PciMachine) -> None:
    """With a port of PCI Express, which does not count, and with a disk, which does."""
    machine.state.devices["0000:00:04.0"] = Device("pcieport", group="8")
    machine.state.devices["0000:00:1f.2"] = Device("ahci", group="8")


def default_route(machine: PciMachine) -> None:
    machine._answers = {"ip -j -4 route show default": [{"dst": "default", "dev": "eth0"}]}


def has_address(machine: PciMachine) -> None:
    nic(machine).addresses = ("192.0.2.7",)


def not_pci(machine: PciMachine) -> None:
    machine._answers = {"readlink -e /sys/class/net/eth0/device": 1}


def on_virtio(machine: PciMachine) -> None:
    machine._answers = {"readlink -e /sys/class/net/eth0/device": "/sys/devices/pci0000:00/0000:00:03.0/virtio0\n"}


def no_vfio(machine: PciMachine) -> None:
    machine._answers = {"test -d /sys/module/vfio_pci": 1, "modprobe vfio_pci": 1}


def shaped(machine: PciMachine) -> None:
    machine._answers = {"tc -j qdisc show dev eth0": [{"kind": "tbf", "handle": "1:", "root": True}]}


def has_xdp(machine: PciMachine) -> None:
    nic(machine).xdp = True


def has_functions(machine: PciMachine) -> None:
    machine.with_functions(Device(), Device())


def no_sriov(machine: PciMachine) -> None:
    machine.nic.limit = None


def sriov_is_off(machine: PciMachine) -> None:
    machine.nic.limit = 0


def one_function(machine: PciMachine) -> None:
    machine.nic.limit = 1


def is_a_function(machine: PciMachine) -> None:
    machine.nic.physical = False


def functions_taken(machine: PciMachine) -> None:
    machine.with_functions(Device("vfio-pci", "igbvf", group="10"), Device("igbvf", "igbvf", away=True))


BOTH = (whole, functions)
OBSTACLES = [
    *((attach, *case) for attach in BOTH for case in (
        (no_group, f"no IOMMU for {PF}: the firmware shows none", "VT-d"),
        (default_route, "eth0 carries the default route", "used for nothing else"),
        (has_address, "eth0 is in use: it has the address 192.0.2.7", "ip addr flush dev eth0"),
        (not_pci, "eth0 is no PCI device, so cannot be given to a guest", "emulated bench"),
        (on_virtio, "eth0 is no PCI device, so cannot be given to a guest", "emulated bench"),
        (no_vfio, "has no module vfio_pci", "the emulated bench's"),
    )),
    (whole, shared_group, "group 8 of 0000:01:00.0 is not viable: it is shared with 0000:00:1f.2 (ahci)",
     "echo 0000:00:1f.2 > /sys/bus/pci/drivers/ahci/unbind"),
    (whole, shaped, "somebody set the qdisc tbf on it", "tc qdisc del dev eth0 root"),
    (whole, has_xdp, "it carries an XDP program", "ip link set dev eth0 xdp off"),
    (whole, has_functions, "it has 2 virtual functions", f"echo 0 > {BUS}/devices/{PF}/sriov_numvfs"),
    (functions, no_sriov, "no SR-IOV: eth0 (igb) has no virtual functions", "attachment vfio"),
    (functions, sriov_is_off, "no SR-IOV: eth0 (igb) may have no virtual functions: sriov_totalvfs is 0", "firmware"),
    (functions, one_function, "2 guests need 2 virtual functions, and eth0 has 1 at most", "fewer guests"),
    (functions, is_a_function, "eth0 is a virtual function itself", "attachment vfio"),
    (functions, functions_taken,
     f"2 virtual functions of eth0 are wanted, 0 of its 2 are free: VF 0 ({VFS[0]}) is bound to vfio-pci, for another "
     f"guest; VF 1 ({VFS[1]}) is in use by igbvf, with no interface here", "Free some"),
]  # fmt: skip


@pytest.mark.parametrize(("attach", "obstacle", "message", "hint"), OBSTACLES)
def test_an_obstacle_is_named_and_nothing_is_changed(
    attach: Callable[[PciMachine], object], obstacle: Callable[[PciMachine], None], message: str, hint: str
) -> None:
    machine = PciMachine()
    obstacle(machine)
    before = machine.found()
    with pytest.raises(BenchError) as caught:
        attach(machine)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert machine.state == before


def test_a_group_that_a_virtual_function_shares_is_found_when_it_is_made() -> None:
    """Without ACS all functions are in one group with whatever else is there."""
    machine = PciMachine()
    machine.state.devices["0000:00:1f.2"] = Device("ahci", group="10")
    before = machine.found()
    with pytest.raises(BenchError, match=r"group 10 of 0000:01:10.0 is not viable.*ahci"):
        functions(machine)
    machine.unwind()
    assert machine.state == before


def test_two_guests_cannot_share_a_group() -> None:
    machine = PciMachine().with_functions(Device(group="9"), Device(group="9"))
    with pytest.raises(BenchError, match="are both in IOMMU group 9"):
        functions(machine)


def test_ports_and_devices_of_nobody_s_do_not_count() -> None:
    machine = PciMachine()
    for number, driver in enumerate(("pcieport", "", "vfio-pci")):
        machine.state.devices[f"0000:00:0{number}.0"] = Device(driver, group="8")
    assert whole(machine)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (Device("vfio-pci", group="10"), "is bound to vfio-pci, for another guest: process 4711 holds it"),
        (Device("igbvf", interface=Interface("vf0", "02::", addresses=("192.0.2.1",))), "has the address 192.0.2.1"),
        (Device("igbvf", interface=Interface("vf0", "02::")), "its interface vf0 is up"),
        (Device("igbvf", interface=Interface("vf0", "02::"), away=True), "may be in a network namespace"),
    ],
)
def test_who_uses_a_virtual_function(function: Device, why: str) -> None:
    look = "find /proc -maxdepth 3 -path '/proc/[0-9]*/fd/*' -lname /dev/vfio/10"
    machine = PciMachine({look: "/proc/4711/fd/23\n"}).with_functions(function)
    with pytest.raises(BenchError, match="1 virtual functions of eth0 are wanted, 0 of its 1 are free") as caught:
        sriov.attach(site_of(machine), Sriov(), 1)
    assert why in caught.value.message


def host_without_iommu(arguments: str, tables: str, arch: str = "x86_64", units: str = "") -> CannedHost:
    answers = {
        "ls /sys/class/iommu": units,
        "cat /proc/cmdline": f"root=/dev/vda1 {arguments} quiet\n",
        "ls /sys/firmware/acpi/tables": tables,
    }
    return CannedHost(answers, facts=replace(FACTS, machine=arch))


@pytest.mark.parametrize(
    ("host", "reason", "hint"),
    [
        (host_without_iommu("", "APIC\nDMAR\n"), "the kernel argument intel_iommu=on is missing", "Add intel_iommu=on"),
        (host_without_iommu("intel_iommu=on", "APIC\n"), "the firmware shows none", "VT-d"),
        (host_without_iommu("amd_iommu=off", "IVRS\n"), "the kernel argument amd_iommu=off turns it off", "Remove"),
        (host_without_iommu("iommu=off", "DMAR\n"), "the kernel argument iommu=off turns it off", "Remove iommu=off"),
        (host_without_iommu("iommu=pt", "IVRS\n"), "found one and did not turn it on", "dmesg"),
        (host_without_iommu("", "", "aarch64"), "the platform shows none", "iommu=smmuv3"),
        (host_without_iommu("", "IORT\n", "aarch64"), "does not drive the platform's SMMU", "CONFIG_ARM_SMMU_V3"),
        (host_without_iommu("intel_iommu=on", "DMAR\n", units="dmar0\n"), "does not cover this device", "slot"),
    ],
)
def test_why_there_is_no_iommu(host: CannedHost, reason: str, hint: str) -> None:
    said = why_no_iommu(host)
    assert reason in said[0]
    assert hint in said[1]


def limited(limit: str, capabilities: str) -> CannedHost:
    limits = (
        f"Limit                     Soft Limit  Hard Limit  Units\nMax locked memory         {limit} {limit} bytes\n"
    )
    return CannedHost({"cat /proc/self/limits": limits, "cat /proc/self/status": f"CapEff:\t{capabilities}\n"})


@pytest.mark.parametrize(
    ("limit", "capabilities"),
    [("unlimited", "0"), (str(256 * MIB), "0"), (str(8 * MIB), "000001ffffffffff"), (str(8 * MIB), "0000000000004000")],
)
def test_enough_memory_may_be_locked(limit: str, capabilities: str) -> None:
    refuse_low_memlock(limited(limit, capabilities), 192)


@pytest.mark.parametrize(("limit", "capabilities"), [(str(8 * MIB), "0"), (str(256 * MIB - 1), "000001ffffffbfff")])
def test_too_little_memory_may_be_locked(limit: str, capabilities: str) -> None:
    with pytest.raises(BenchError, match="VFIO pins the guest's memory, 256 MiB with its firmware") as caught:
        refuse_low_memlock(limited(limit, capabilities), 192)
    assert "ulimit -l" in caught.value.hint
