# SPDX-License-Identifier: Apache-2.0
"""A guest of the user's own: a disk image that boots by itself, and is reached over ssh.

The image is never written: QEMU puts what the guest writes into a file of its own that is gone with it
(`snapshot=on`). The guest is managed by a NIC of its own, in a network that ends in the QEMU process: `restrict=on`
lets no packet out of it, and its DHCP names no gateway, so nothing of the guest's leaves by it; one port of the
hypervisor's loopback leads to its ssh. It is the guest's first NIC, the one that most images ask for an address.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from latlab.errors import BenchError, GuestError
from latlab.hosts.host import Host
from latlab.hosts.ssh import SshTarget

FORMATS = ("qcow2", "raw")
BOOT_SECTOR_END = "55 aa"
"""The last bytes of the first sector of a disk that a BIOS boots, and of the protective one of a GPT."""

LOCKED = re.compile('Failed to get (shared )?"[a-z ]+" lock')
"""What QEMU says of an image that another one has open, and writes to."""

MANAGEMENT = "198.19.255.0/24"
"""Of the block set aside for benchmarks (RFC 2544), apart from the bench's own networks; slirp's usual network is that
of the attachment `user`."""
MANAGEMENT_MAC = "52:54:00:a1:02:00"
MANAGED_ADDRESS = "198.19.255.15/24"
"""Where slirp forwards to: the first address that it gives away."""

FIRMWARES = {
    "x86_64": (
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),  # Debian, Ubuntu
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),  # Fedora
        ("/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"),  # QEMU's own
    ),
    "aarch64": (
        ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
        ("/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"),
        ("/usr/share/qemu/edk2-aarch64-code.fd", "/usr/share/qemu/edk2-arm-vars.fd"),
    ),
}
"""UEFI firmware and its variables, by architecture, in the order in which they are looked for."""
FIRMWARE_PACKAGES = {"x86_64": "ovmf", "aarch64": "qemu-efi-aarch64"}


@dataclass(frozen=True)
class Disk:
    """What to boot from, and how to log in."""

    file: str
    format: str
    user: str = "root"
    key: str | None = None
    boot_limit_s: float = 120
    firmware: tuple[str, str] | None = None
    """UEFI: its code and its variables. None: the BIOS that QEMU brings."""

    def login(self, port: int) -> SshTarget:
        return SshTarget(f"{self.user}@127.0.0.1", port, self.key, ours=True)


def disk_arguments(disk: Disk) -> list[str]:
    """QEMU's arguments for the disk, its firmware, and the NIC by which the guest is managed. Pure."""
    firmware = []
    if disk.firmware:
        code, variables = (_quoted(path) for path in disk.firmware)
        firmware = [
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={variables}",
        ]  # fmt: skip
    return [
        *firmware,
        *management_nic(),
        "-drive", f"if=none,id=disk0,format={disk.format},snapshot=on,file={_quoted(disk.file)}",
        "-device", "virtio-blk-pci,drive=disk0,bootindex=0",
        # Host keys are made at the first boot, and that waits for entropy.
        "-device", "virtio-rng-pci",
    ]  # fmt: skip


def management_nic() -> list[str]:
    """QEMU's arguments for a NIC by which ssh reaches the machine, from a port of loopback that QEMU chooses. Pure."""
    return [
        "-netdev", f"user,id=mgmt0,restrict=on,net={MANAGEMENT},hostfwd=tcp:127.0.0.1:0-:22",
        "-device", f"virtio-net-pci,netdev=mgmt0,mac={MANAGEMENT_MAC},romfile=",
    ]  # fmt: skip


def _quoted(path: str) -> str:
    """A comma within an option of QEMU's is written twice."""
    return path.replace(",", ",,")


def forwarded_port(usernet: str) -> int:
    """The port of loopback that leads to port 22 of the guest, in the monitor's `info usernet`. Pure.

    GuestError when there is none.
    """
    # "  TCP[HOST_FORWARD]  10       127.0.0.1 40283   198.19.255.15    22     0     0"
    found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\s", usernet)
    if found is None:
        raise GuestError("QEMU forwards no port to the guest's ssh", hint="`info usernet` of its monitor says it all.")
    return int(found[1])


def read_image(host: Host, file: str) -> dict[str, Any]:
    """What `qemu-img info` says of an image on `host`. BenchError when a guest cannot boot from it, and why."""
    if host.run_plain(["test", "-e", file]).exit_code:
        raise BenchError(f"{host.name}: there is no image {file}", hint="A relative path begins in this folder.")
    if host.run_plain(["test", "-d", file]).exit_code == 0 or host.run_plain(["test", "-r", file]).exit_code:
        raise BenchError(f"{host.name}: {file} is no file that can be read", hint=f"Look: ls -l {file}")
    if not host.has("qemu-img"):
        raise BenchError(f"qemu-img is not installed on {host.name}", hint="Debian and Ubuntu: apt install qemu-utils")
    result = host.run_plain(["qemu-img", "info", "--output=json", file])
    # For a raw image it takes no lock; asked for another format it does, before it sees that the image has another one.
    if LOCKED.search(result.stderr + host.run_plain(["qemu-img", "info", "-f", "qcow2", file]).stderr):
        raise BenchError(
            f"{host.name}: the image {file} is in use by another QEMU",
            hint=f"Stop that guest, or measure a copy. By whom: fuser -v {file}",
        )
    if result.exit_code:
        said = (result.stderr.strip().splitlines() or ["qemu-img said nothing"])[-1]
        raise BenchError(f"{host.name}: {file} is not an image: {said}", hint="qcow2 and raw images can be used.")
    info: dict[str, Any] = json.loads(result.stdout)
    if info["format"] not in FORMATS:
        raise BenchError(
            f"{host.name}: {file} is an image of format {info['format']}; a guest boots from {' or '.join(FORMATS)}",
            hint=f"qemu-img convert -O qcow2 {file} copy.qcow2",
        )
    if info["format"] == "raw" and host.run(["od", "-An", "-tx1", "-j510", "-N2", file]).strip() != BOOT_SECTOR_END:
        raise BenchError(
            f"{host.name}: {file} is not an image: no qcow2, and no raw disk that begins with a boot sector",
            hint=f"Look: file {file}",
        )
    return info


def find_firmware(host: Host, wanted: str) -> tuple[str, str] | None:
    """The firmware files that `wanted` (`bios` or `uefi`) needs on `host`. BenchError when there are none."""
    arch = host.facts.machine
    if wanted == "bios":
        if arch != "x86_64":
            raise BenchError(f"an {arch} machine has no BIOS to boot an image", hint="Write: firmware: uefi")
        return None
    for code, variables in FIRMWARES.get(arch, ()):
        if host.run_plain(["test", "-r", code, "-a", "-r", variables]).exit_code == 0:
            return code, variables
    package = FIRMWARE_PACKAGES.get(arch, "the UEFI firmware of QEMU")
    raise BenchError(f"{host.name} has no UEFI firmware for guests", hint=f"Debian and Ubuntu: apt install {package}")
