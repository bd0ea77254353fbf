# SPDX-License-Identifier: Apache-2.0
"""A user's own guest, made for a test: a bootable disk with a kernel, a dropbear, and nothing of latlab in it.

The boot loader is syslinux on a disk that is one FAT file system, without partitions; a UEFI firmware finds a script
for its shell there. Everything else is in the kernel's initramfs, so what the guest writes is gone with it.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from latlab.guest.initramfs import MOUNT_BASICS, Archive, libraries
from latlab.guest.kernel import find_kernel, read_module

SIZE_MIB = 96
OS_NAME = "A guest of the tests 1.0"
MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "af_packet", "8021q")
PROGRAMS = ("dropbear", "ip", "ping", "iperf3")
"""netperf is left out on purpose: a guest that lacks a program is measured with the others."""

TOOLS = ("mformat", "mcopy", "syslinux", "dropbear", "ssh-keygen", "qemu-img")

CONSOLE = "console=ttyS0 quiet panic=-1"
SYSLINUX = f"DEFAULT linux\nPROMPT 0\nLABEL linux\n LINUX /vmlinuz\n INITRD /initrd\n APPEND {CONSOLE}\n"

# The first NIC gets its address as most images do, by DHCP; the other one is left alone, and is not called eth1.
INIT = (
    MOUNT_BASICS
    + """busybox mount -t tmpfs tmpfs /run
busybox mount -t tmpfs tmpfs /tmp
busybox ip link set lo up
busybox ip link set dev eth1 name inner0
busybox ip link set dev eth0 up
busybox udhcpc -i eth0 -s /bin/lease -t 20 -T 1 -n -q || echo "no lease"
dropbear -F -E -s -R -p 22 &
echo "ready for ssh"
while true; do busybox sleep 1000; done
"""
)
LEASE = """#!/bin/busybox sh
[ "$1" = bound ] && busybox ip addr add "$ip/$mask" dev "$interface"
exit 0
"""


@dataclass(frozen=True)
class OwnGuest:
    """A disk, and the private key that it lets in as `root`, and as `somebody`, who may become nobody else."""

    disk: Path
    key: Path

    def converted(self, form: str) -> Path:
        """The same disk in another format."""
        made = self.disk.with_suffix(f".{form}")
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, self.disk, made], check=True)
        return made


def missing_tools() -> list[str]:
    return [tool for tool in TOOLS if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin")]


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def _initramfs(public_key: str) -> bytes:
    kernel = find_kernel()
    archive = Archive()
    for name in ("proc", "sys", "dev", "run", "tmp", "var", "etc/dropbear"):
        archive.folder(name)
    busybox = shutil.which("busybox")
    assert busybox
    archive.file("init", INIT.encode())
    archive.file("bin/lease", LEASE.encode())
    archive.file("bin/busybox", Path(busybox).read_bytes())
    for number, module in enumerate(kernel.load_order(MODULES)):
        archive.file(f"modules/{number:02}-{module.name.partition('.ko')[0]}.ko", read_module(module), 0o644)
    for name in PROGRAMS:
        path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert path, name
        archive.file(f"bin/{name}", Path(path).read_bytes())
        for library in libraries(Path(path)):
            archive.file(str(library).lstrip("/"), library.read_bytes())
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        archive.link(f"bin/{applet}", "busybox")
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nsomebody:x:1000:1000::/home/somebody:/bin/sh\n", 0o644)
    archive.file("etc/group", b"root:x:0:\nsomebody:x:1000:\n", 0o644)
    archive.file("etc/shells", b"/bin/sh\n", 0o644)
    archive.file("etc/os-release", f'ID=test\nPRETTY_NAME="{OS_NAME}"\n'.encode(), 0o644)
    archive.file("root/.ssh/authorized_keys", public_key.encode(), 0o600)
    archive.file("home/somebody/.ssh/authorized_keys", public_key.encode(), 0o644)
    return archive.finish()


def make_guest(folder: Path) -> OwnGuest:
    """A raw disk that boots, and lets the key in."""
    kernel = find_kernel()
    key = make_key(folder / "key")
    files = {
        "vmlinuz": kernel.image.read_bytes(),
        "initrd": _initramfs(key.with_suffix(".pub").read_text()),
        "syslinux.cfg": SYSLINUX.encode(),
        "startup.nsh": f"\\vmlinuz initrd=\\initrd {CONSOLE}\r\n".encode(),
    }
    disk = folder / "disk.raw"
    with disk.open("wb") as f:
        f.truncate(SIZE_MIB << 20)
    subprocess.run(["mformat", "-i", disk, "-T", str(SIZE_MIB << 11), "-h", "16", "-s", "63", "::"], check=True)
    subprocess.run(["syslinux", "--install", disk], check=True)
    for name, content in files.items():
        subprocess.run(["mcopy", "-i", disk, "-", f"::{name}"], input=content, check=True)
    return OwnGuest(disk, key)
