# SPDX-License-Identifier: Apache-2.0
"""A NIC as the PCI device that it is: which driver has it, its virtual functions, and how it is given to vfio-pci.

The kernel's own words and files: /sys/bus/pci/devices/ADDRESS (Documentation/ABI/testing/sysfs-bus-pci). A device goes
to vfio-pci by its `driver_override`, so that no other device of the same kind goes there with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from latlab.errors import BenchError, CommandError
from latlab.hosts.host import Host

BUS = "/sys/bus/pci"
VFIO = "vfio-pci"
_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_ATTRIBUTES = ("driver_override", "sriov_totalvfs", "sriov_numvfs", "sriov_drivers_autoprobe")


@dataclass(frozen=True)
class PciDevice:
    """`address` as in `0000:01:00.0`; `driver` and `group` (of the IOMMU) are empty when there is none."""

    address: str
    driver: str = ""
    override: str = ""
    group: str = ""
    is_virtual: bool = False
    interfaces: tuple[str, ...] = ()
    """Of this network namespace."""
    functions: Mapping[int, str] = field(default_factory=dict)
    """Number of each virtual function that exists -> its address."""
    functions_limit: int | None = None
    """How many virtual functions it can have; `None`: it knows none."""
    functions_count: int = 0
    autoprobe: bool = True
    """Whether a driver takes a virtual function as soon as it appears."""

    @property
    def folder(self) -> str:
        return f"{BUS}/devices/{self.address}"


def device_of(host: Host, nic: str) -> PciDevice:
    """The PCI device behind an interface. BenchError when there is none: a veth, a virtio NIC, one on USB."""
    found = host.run_plain(["readlink", "-e", f"/sys/class/net/{nic}/device"]).stdout.strip()
    address = PurePosixPath(found).name
    if not _ADDRESS.fullmatch(address):
        raise BenchError(
            f"{host.name}: {nic} is no PCI device, so cannot be given to a guest",
            hint="Name a PCI NIC and its peer in the bench file, or use the emulated bench.",
        )
    return read_devices(host, [address])[0]


def read_devices(host: Host, addresses: Sequence[str]) -> list[PciDevice]:
    """What the kernel says of each."""
    if not addresses:
        return []
    folders = [f"{BUS}/devices/{address}" for address in addresses]
    places = [f"{folder}/" for folder in folders]
    links = host.run(
        ["find", *places, "-maxdepth", "2", "(", "-type", "l", "-o", "-path", "*/net/*", ")", "-printf", r"%p %l\n"]
    )
    # Not every device has every file, for which grep has the exit code 2.
    files = host.run_plain(["grep", "-sH", ".", *(f"{folder}/{name}" for folder in folders for name in _ATTRIBUTES)])
    return [_device(address, links, files.stdout) for address in addresses]


def _device(address: str, links: str, files: str) -> PciDevice:
    """One device of what `find` and `grep` printed about several. Pure."""
    start = f"{BUS}/devices/{address}/"
    targets = dict(_cut(line, start, " ") for line in links.splitlines() if line.startswith(start))
    values = dict(_cut(line, start, ":") for line in files.splitlines() if line.startswith(start))
    limit, override = values.get("sriov_totalvfs"), values.get("driver_override", "")
    return PciDevice(
        address,
        driver=PurePosixPath(targets.get("driver", "")).name,
        override="" if override == "(null)" else override,
        group=PurePosixPath(targets.get("iommu_group", "")).name,
        is_virtual="physfn" in targets,
        interfaces=tuple(name.removeprefix("net/") for name in targets if name.startswith("net/")),
        functions={
            int(name.removeprefix("virtfn")): PurePosixPath(target).name
            for name, target in targets.items()
            if name.startswith("virtfn")
        },
        functions_limit=int(limit) if limit is not None else None,
        functions_count=int(values.get("sriov_numvfs", 0)),
        autoprobe=values.get("sriov_drivers_autoprobe", "1") == "1",
    )


def _cut(line: str, start: str, mark: str) -> tuple[str, str]:
    name, _, value = line.removeprefix(start).partition(mark)
    return name, value.strip()


def write(path: str, value: str) -> list[str]:
    """A command that writes one line to a file. Not `tee`: an undo journal holds commands, and feeds them nothing."""
    return ["sh", "-c", 'echo "$1" >"$2"', "sh", value, path]


def release(host: Host, device: PciDevice) -> None:
    """Takes the device from its driver, which gets it back."""
    if device.driver and device.driver != VFIO:
        driver = f"{BUS}/drivers/{device.driver}"
        host.change(write(f"{driver}/unbind", device.address), undo=write(f"{driver}/bind", device.address))


def take(host: Host, device: PciDevice) -> None:
    """Binds a device that no driver has to vfio-pci. BenchError when vfio-pci refuses it."""
    override, driver = f"{device.folder}/driver_override", f"{BUS}/drivers/{VFIO}"
    host.change(write(override, VFIO), undo=write(override, device.override))
    try:
        host.change(write(f"{driver}/bind", device.address), undo=write(f"{driver}/unbind", device.address))
    except CommandError as error:
        raise BenchError(
            f"{host.name}: {device.address} could not be bound to {VFIO}: {error.stderr}",
            hint=f"dmesg there says why: dmesg | grep {device.address}",
        ) from error


def is_bound(host: Host, address: str, driver: str) -> bool:
    """Whether the device is that driver's now."""
    return read_devices(host, [address])[0].driver == driver
