# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of giving a PCI device to a guest: no IOMMU and why, a shared group, too little memory to pin.

A group is what the IOMMU can keep apart from everything else: all of its devices go to one owner (Documentation/
driver-api/vfio.rst). Ports and bridges of PCI Express do no DMA of their own and may stay with their drivers.
"""

from __future__ import annotations

from latlab.attachment.pci import PciDevice, read_devices
from latlab.errors import BenchError
from latlab.hosts.host import Host
from latlab.needs.machine import CAP_IPC_LOCK
from latlab.needs.nic import HARMLESS_MATES

FIRMWARE_MIB = 64
"""QEMU pins the guest's firmware, ROMs and buffers beside its memory: some MiB."""


def refuse_without_iommu(host: Host, device: PciDevice) -> None:
    """BenchError when no IOMMU translates for the device, with the reason: kernel argument, firmware, or platform."""
    if device.group:
        return
    reason, hint = why_no_iommu(host)
    raise BenchError(f"{host.name}: no IOMMU for {device.address}: {reason}", hint=hint)


def why_no_iommu(host: Host) -> tuple[str, str]:
    """Why a device of this host is in no IOMMU group, and what would mend that. Reads only, needs no root."""
    if host.run_plain(["ls", "/sys/class/iommu"]).stdout.split():
        return (
            "the machine has one, but it does not cover this device (platform)",
            "Put the NIC into another slot, or name another one.",
        )
    arguments = host.read("/proc/cmdline").split()
    tables = host.run_plain(["ls", "/sys/firmware/acpi/tables"]).stdout.split()
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in ("iommu", "intel_iommu", "amd_iommu") and value.split(",")[0] == "off":
            return (
                f"the kernel argument {argument} turns it off",
                f"Remove {argument} from the boot loader's configuration.",
            )
    if host.facts.machine not in ("x86_64", "i686"):
        if "IORT" in tables:
            return "the kernel does not drive the platform's SMMU", "Use a kernel with CONFIG_ARM_SMMU_V3 or ARM_SMMU."
        return (
            "the platform shows none: no ACPI table IORT, and nothing that the kernel took from a device tree",
            "Turn the SMMU on in the firmware or device tree; a virtual machine needs -machine virt,iommu=smmuv3.",
        )
    if "DMAR" not in tables and "IVRS" not in tables:
        return (
            "the firmware shows none: no ACPI table DMAR (Intel) or IVRS (AMD)",
            "Turn on VT-d (Intel) or AMD-Vi (AMD) in the firmware's settings; a virtual machine needs -device "
            "intel-iommu.",
        )
    if "DMAR" in tables and not any(a.startswith("intel_iommu=on") for a in arguments):
        return (
            "the kernel argument intel_iommu=on is missing",
            "Add intel_iommu=on to the boot loader's kernel arguments, and start the machine anew.",
        )
    return (
        "the kernel found one and did not turn it on",
        "dmesg there says why: dmesg | grep -e DMAR -e AMD-Vi -e IOMMU",
    )


def refuse_shared_group(host: Host, device: PciDevice) -> None:
    """BenchError when another device of the IOMMU group is in use: the group is not viable. Names those devices."""
    members = host.run(["ls", f"/sys/kernel/iommu_groups/{device.group}/devices"]).split()
    others = read_devices(host, [address for address in members if address != device.address])
    held = [o for o in others if o.driver not in HARMLESS_MATES and not o.driver.startswith("vfio")]
    if held:
        names = ", ".join(f"{other.address} ({other.driver})" for other in held)
        raise BenchError(
            f"{host.name}: IOMMU group {device.group} of {device.address} is not viable: it is shared with {names}",
            hint="Put the NIC into a slot with a group of its own (behind a port with ACS), or give those devices up: "
            f"echo {held[0].address} > /sys/bus/pci/drivers/{held[0].driver}/unbind",
        )


def refuse_low_memlock(host: Host, memory_mib: int) -> None:
    """BenchError when a program on the host may not pin a guest's memory, as VFIO does with all of it.

    The limit does not hold for who has CAP_IPC_LOCK (drivers/vfio/vfio_iommu_type1.c, `lock_cap`).
    """
    limits, status = host.read("/proc/self/limits"), host.read("/proc/self/status")
    limit = _after(limits, "Max locked memory")
    if limit in ("", "unlimited") or int(_after(status, "CapEff:") or "0", 16) >> CAP_IPC_LOCK & 1:
        return
    wanted_mib = memory_mib + FIRMWARE_MIB
    if int(limit) < wanted_mib << 20:
        raise BenchError(
            f"{host.name}: VFIO pins the guest's memory, {wanted_mib} MiB with its firmware, but a program may lock "
            f"{int(limit) >> 20} MiB only",
            hint="Before latlab: ulimit -l unlimited",
        )


def _after(text: str, name: str) -> str:
    """The first word after `name` at the beginning of a line; empty when there is no such line."""
    words = next((line[len(name) :].split() for line in text.splitlines() if line.startswith(name)), [])
    return words[0] if words else ""
