# SPDX-License-Identifier: Apache-2.0
"""A guest's NIC served by Open vSwitch itself, in DPDK's way: they share its memory, and agree over a socket.

It needs a build of OVS with DPDK. DPDK's memory and the guest's are huge pages (an emulated host would spend half a
minute on the faults of small ones while the guest boots): they are reserved beside those that are there, and the number
found comes back.
"""

from __future__ import annotations

import re

from latlab.attachment import openvswitch as ovs
from latlab.attachment.common import virtio_nic
from latlab.errors import BenchError
from latlab.hosts.host import Host

PROGRAM = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
"""Debian's and Ubuntu's: beside the ordinary one, which /usr/sbin/ovs-vswitchd goes on being."""
INSTALL = "Debian and Ubuntu: apt install --no-install-recommends openvswitch-switch-dpdk"
PORT = "llvhost"
HUGE_PAGES = "vm.nr_hugepages"


def program(host: Host) -> str:
    """The daemon of a build with DPDK. BenchError when there is none."""
    if host.has(PROGRAM):
        return PROGRAM
    if "DPDK" in host.run_plain([ovs.PROGRAM, "--version"]).stdout:
        return ovs.PROGRAM
    raise BenchError(f"{host.name}: no build of Open vSwitch with DPDK is installed", hint=INSTALL)


def read_huge_pages(meminfo: str) -> tuple[int, int]:
    """/proc/meminfo: huge pages of the default size that there are, and that size in KiB. Pure."""
    total = re.search(r"^HugePages_Total:\s+(\d+)", meminfo, re.MULTILINE)
    size = re.search(r"^Hugepagesize:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(total[1]) if total else 0, int(size[1]) if size else 2048


def reserve(host: Host, memory_mib: int) -> None:
    """As many more huge pages as that memory needs, until it is undone. BenchError when there are not enough."""
    before, size_kib = read_huge_pages(host.run_plain(["cat", "/proc/meminfo"]).stdout)
    if memory_mib * 1024 % size_kib:
        raise BenchError(
            f"{host.name}: {memory_mib} MiB are not a multiple of its huge pages of {size_kib} KiB",
            hint="Ask for a multiple of that: `memory` of the attachment, and of the guest.",
        )
    pages = memory_mib * 1024 // size_kib
    host.change(
        ["sysctl", "-q", "-w", f"{HUGE_PAGES}={before + pages}"],
        undo=["sysctl", "-q", "-w", f"{HUGE_PAGES}={before}"],
    )
    now = host.run_plain(["sysctl", "-n", HUGE_PAGES]).stdout.strip()
    if now not in ("", str(before + pages)):
        raise BenchError(
            f"{host.name}: only {int(now) - before} of {pages} huge pages of {size_kib} KiB could be reserved",
            hint="Free memory (echo 1 > /proc/sys/vm/compact_memory joins what is free), or take less: `memory:`.",
        )


def dpdk(host: Host, memory_mib: int, extra: str = "--no-pci") -> list[str]:
    """Reserves DPDK's own memory; the columns of the root record that make OVS use it.

    `extra`: arguments of DPDK's own, on PCI devices. BenchError when the kernel has not that much to give.
    """
    reserve(host, memory_mib)
    words = ("dpdk-init=true", f"dpdk-socket-mem={memory_mib}", f"dpdk-socket-limit={memory_mib}",
             f'dpdk-extra="{extra} --no-telemetry --file-prefix=latlab"')  # fmt: skip
    return [f"other_config:{word}" for word in words]


def port(folder: str, name: str, tag: int | None) -> ovs.Port:
    """OVS connects to QEMU's socket, again and again: so the guest may come and go."""
    return ovs.Port(name, ("type=dpdkvhostuserclient", f"options:vhost-server-path={socket(folder, name)}"), tag)


def socket(folder: str, name: str) -> str:
    return f"{folder}/{name}.sock"


def devices(folder: str, name: str, mac: str) -> tuple[str, ...]:
    """The guest's NIC for QEMU, whose machine must have shared memory."""
    return (
        "-chardev", f"socket,id=ovs,path={socket(folder, name)},server=on,wait=off",
        "-netdev", "vhost-user,id=net0,chardev=ovs",
        *virtio_nic("net0", mac),
    )  # fmt: skip


def connected(switch: ovs.Switch, name: str) -> dict[str, bool]:
    """Whether OVS has the guest's memory now, and serves its NIC."""
    status = switch.get("interface", name, "status")
    return {f"{name} is connected to QEMU by vhost-user": "status=connected" in status}
