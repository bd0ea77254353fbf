# SPDX-License-Identifier: Apache-2.0
"""The whole NIC given to the guest: its own driver runs there, and the hypervisor has the NIC no more.

The guest sees the real device behind the IOMMU; the hypervisor's part is mapping its memory and passing interrupts on.
So no counter of the hypervisor's moves: what proves the way are the peer's NIC, the guest's, and who holds the device.
Interrupts in /proc/interrupts are no proof: with posted interrupts (VT-d) the processor delivers them by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from latlab.attachment import needs
from latlab.attachment.common import load_module, packet_counters
from latlab.attachment.iommu import refuse_shared_group, refuse_without_iommu
from latlab.attachment.kept_nic import comes_back
from latlab.attachment.pci import VFIO, PciDevice, device_of, read_devices, release, take
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.local import refuse_shaped_nic, refuse_used_nic
from latlab.bench.site import Site, link
from latlab.errors import BenchError
from latlab.guest.machine import Machine
from latlab.hosts.host import Host
from latlab.scenario.attachments import Vfio

VLAN_AT = "guest"
NEEDS = needs.VFIO
MODULES = ("vfio_iommu_type1", "vfio_pci")


def attach(site: Site, options: Vfio, guests: int = 1) -> list[Wiring]:
    """There is one NIC, so there is one guest (`scenario.applicable` says so before)."""
    host, nic = site.hypervisor, site.nic
    device = device_of(host, nic)
    refuse_used_nic(host, nic)
    refuse_shaped_nic(host, nic)
    found = link(host, nic)
    refuse_lost_with_driver(host, nic, device, found)
    refuse_without_iommu(host, device)
    refuse_shared_group(host, device)
    for module in MODULES:
        load_module(host, module)
    comes_back(host, device, nic, found)
    release(host, device)
    take(host, device)
    return [
        Wiring(
            own=site.addresses.guest(0),
            reach=site.addresses.guest(0),
            # The guest's driver reads the one that is burnt in.
            mac=found.get("permaddr", found["address"]),
            devices=vfio_device(device),
            modules=(device.driver,),
            pins_memory=True,
            notes={"device": device.address, "IOMMU group": device.group, "driver": device.driver},
        )
    ]


def refuse_lost_with_driver(host: Host, nic: str, device: PciDevice, found: Mapping[str, Any]) -> None:
    """BenchError when somebody would lose more than this interface by the NIC's change of driver."""
    others = [name for name in device.interfaces if name != nic]
    if others:
        raise BenchError(
            f"{host.name}: {device.address} carries {', '.join(others)} beside {nic}: the guest would get them all",
            hint="Name a NIC that is a PCI device by itself.",
        )
    if device.functions_count:
        raise BenchError(
            f"{host.name}: {nic} is in use: it has {device.functions_count} virtual functions",
            hint=f"If nobody needs them: echo 0 > {device.folder}/sriov_numvfs. Or use the attachment sriov.",
        )
    if "xdp" in found:
        raise BenchError(
            f"{host.name}: {nic} is in use: it carries an XDP program",
            hint=f"If nobody needs it: ip link set dev {nic} xdp off",
        )


def vfio_device(device: PciDevice) -> tuple[str, str]:
    """The NIC for QEMU. Its boot ROM would cost the guest a second at its start."""
    return ("-device", f"vfio-pci,host={device.address},rombar=0")


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """The peer counts the packets, and the device is QEMU's and its driver the guest's."""
    (device,) = read_devices(site.hypervisor, [wiring.notes["device"]])
    return Evidence(
        packet_counters(site.peer, site.peer_nic, "peer's NIC"),
        {
            f"the hypervisor has no interface on {device.address}": not device.interfaces,
            **handed_over(site.hypervisor, device, wiring, machine),
        },
    )


def handed_over(host: Host, device: PciDevice, wiring: Wiring, machine: Machine | None) -> dict[str, bool]:
    """The device is vfio-pci's, QEMU holds its group, and the guest's own driver drives it."""
    facts = {f"{device.address} is bound to {VFIO}": device.driver == VFIO}
    if machine is None:
        return facts
    if machine.qemu_pid is not None:
        held = host.run(["find", f"/proc/{machine.qemu_pid}/fd", "-lname", f"/dev/vfio/{device.group}"])
        facts[f"QEMU holds /dev/vfio/{device.group}"] = bool(held.strip())
    driver = wiring.modules[0]
    return facts | {f"the guest's driver is {driver}": guest_driver(machine.host, wiring.mac) == driver}


def guest_driver(guest: Host, mac: str) -> str:
    """Name of the driver of the guest's interface with that MAC; empty when there is none."""
    links = json.loads(guest.run(["ip", "-j", "link", "show"]))
    # A VLAN interface has its parent's MAC, and no driver.
    name = next((entry["ifname"] for entry in links if entry.get("address") == mac and "link" not in entry), None)
    if name is None:
        return ""
    return PurePosixPath(guest.run_plain(["readlink", f"/sys/class/net/{name}/device/driver"]).stdout.strip()).name
