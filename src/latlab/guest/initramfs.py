# SPDX-License-Identifier: Apache-2.0
"""A root file system in memory, written from nothing: busybox, the probe, modules, and programs with their libraries.

The archive is cpio in the "newc" form that the kernel unpacks (Documentation/driver-api/early-userspace/
buffer-format.rst). It is made once for each content and kept, named by its hash, beside the kernels.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from latlab.errors import BenchError
from latlab.guest.kernel import Kernel, cache_folder, read_module

AGENT_PORT = "latlab"
LATER_FOLDER = "/modules-later"

MOUNT_BASICS = """#!/bin/busybox sh
export PATH=/bin LC_ALL=C HOME=/root
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox mkdir -p /dev/shm /dev/pts
busybox mount -t devpts devpts /dev/pts
# What the kernel says at level 4 (warning) and above is evidence: it stays on the console.
busybox dmesg -n 5
for module in /modules/*; do busybox insmod "$module" || echo "latlab: insmod $module failed"; done
"""

GUEST_INIT = (
    MOUNT_BASICS
    + f"""busybox mount -t tmpfs tmpfs /run
busybox mount -t tmpfs tmpfs /tmp
busybox ip link set lo up
exec /bin/latlab-probe agent --port {AGENT_PORT}
"""
)

HOST_INIT = (
    MOUNT_BASICS
    + f"""# This machine's files, read-only, under a layer in memory: every program of the real machine is there.
busybox mkdir -p /lower /layer /root
busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro root /lower || exec busybox sh
busybox mount -t tmpfs -o size=50% tmpfs /layer
busybox mkdir /layer/upper /layer/work
busybox mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work overlay /root
busybox mkdir -p /root/lib/modules /root/run /root/proc /root/sys /root/dev /root/tmp
busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro modules /root/lib/modules
busybox ip link set lo up
# The other CPUs were kept off while PCI was enumerated: see bench/emulated.py.
for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do echo 1 >"$cpu"; done
# The real machine's sockets, journals and locks are not this machine's.
busybox mount -t tmpfs tmpfs /root/run
for fs in proc sys dev; do busybox mount -o move /$fs /root/$fs; done
busybox cp /bin/latlab-probe /root/run/latlab-probe
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec busybox switch_root /root /run/latlab-probe agent --port {AGENT_PORT}
"""
)


@dataclass
class Archive:
    """A cpio archive that grows. Paths are relative, folders are made as they are needed."""

    _data: bytearray = field(default_factory=bytearray)
    _names: dict[str, int] = field(default_factory=dict)

    def _add(self, name: str, mode: int, content: bytes = b"") -> None:
        if name in self._names:
            return
        self._names[name] = len(self._names) + 1
        encoded = name.encode() + b"\0"
        fields = (self._names[name], mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        self._data += b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        self._pad()
        self._data += content
        self._pad()

    def _pad(self) -> None:
        self._data += b"\0" * (-len(self._data) % 4)

    def folder(self, name: str) -> None:
        parent = name.rpartition("/")[0]
        if parent:
            self.folder(parent)
        self._add(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, content: bytes, mode: int = 0o755) -> None:
        parent = name.rpartition("/")[0]
        if parent:
            self.folder(parent)
        self._add(name, stat.S_IFREG | mode, content)

    def link(self, name: str, target: str) -> None:
        parent = name.rpartition("/")[0]
        if parent:
            self.folder(parent)
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def finish(self) -> bytes:
        """The whole archive. The trailer's fields but its name are zero, as the format asks."""
        trailer = b"TRAILER!!!\0"
        head = b"070701" + b"00000000" * 4 + b"00000001" + b"00000000" * 6 + b"%08X" % len(trailer) + b"00000000"
        data = bytes(self._data) + head + trailer
        return data + b"\0" * (-len(data) % 512)


def libraries(program: Path) -> list[Path]:
    """The shared libraries and the loader that a dynamic program needs; none for a static one."""
    done = subprocess.run(
        ["ldd", str(program)], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    if "not found" in done.stdout:
        raise BenchError(f"{program} does not run here: {done.stdout.strip()}")
    return [Path(p) for p in re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)]


def _add_modules(archive: Archive, folder: str, modules: Iterable[Path]) -> None:
    """Their names say in which order they are loaded."""
    for number, module in enumerate(modules):
        name = module.name.partition(".ko")[0]
        archive.file(f"{folder}/{number:02}-{name}.ko", read_module(module), 0o644)


def build(
    *,
    init: str,
    probe: Path,
    modules: Iterable[Path],
    programs: Iterable[str] = (),
    later: Mapping[str, Iterable[Path]] = {},
) -> bytes:
    """An archive. `programs` are names on this machine's PATH; one that is not there is left out.

    `modules` are loaded by the init, in their order; of those in `later`, by name, each lies ready in a
    folder of `LATER_FOLDER` with the ones that it needs.
    """
    archive = Archive()
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "etc", "var"):
        archive.folder(name)
    busybox = shutil.which("busybox")
    if not busybox:
        raise BenchError("busybox is not installed", hint="Install busybox-static, or run scripts/setup.")
    archive.file("init", init.encode())
    archive.file("bin/latlab-probe", probe.read_bytes())
    archive.file("bin/busybox", Path(busybox).read_bytes())
    for library in libraries(Path(busybox)):
        archive.file(str(library).lstrip("/"), library.read_bytes())
    _add_modules(archive, "modules", modules)
    for name, needed in later.items():
        _add_modules(archive, f"{LATER_FOLDER.lstrip('/')}/{name}", needed)
    for name in programs:
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if path is None:
            continue
        archive.file(f"bin/{name}", Path(path).read_bytes())
        for library in libraries(Path(path)):
            archive.file(str(library).lstrip("/"), library.read_bytes())
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        archive.link(f"bin/{applet}", "busybox")  # a real program of that name was there first and stays
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
    archive.file("etc/protocols", b"icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\n", 0o644)
    return archive.finish()


GUEST_MODULES = ("virtio_pci", "virtio_console", "af_packet", "8021q")
"""Beside the driver of the NIC, which depends on the attachment."""
LATER_MODULES = ("ptp_kvm",)
"""Loaded by who needs them, since they refuse where they do not fit: without KVM there is no host to ask the time."""
GUEST_PROGRAMS = ("ip", "tc", "ethtool", "ping", "netperf", "netserver", "iperf3", "chrt", "taskset")
HOST_MODULES = ("virtio_pci", "virtio_console", "9p", "9pnet_virtio", "overlay", "af_packet")


def guest_initramfs(kernel: Kernel, probe: Path, drivers: tuple[str, ...] = ("virtio_net",)) -> Path:
    modules = kernel.load_order((*GUEST_MODULES, *drivers))
    later = {name: kernel.load_order((name,)) for name in LATER_MODULES if kernel.has(name)}
    return _kept(build(init=GUEST_INIT, probe=probe, modules=modules, programs=GUEST_PROGRAMS, later=later))


def host_initramfs(kernel: Kernel, probe: Path) -> Path:
    return _kept(build(init=HOST_INIT, probe=probe, modules=kernel.load_order(HOST_MODULES)))


def _kept(data: bytes) -> Path:
    """The archive as a file, named by its content: two that write it at once write the same."""
    folder = cache_folder() / "initramfs"
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.cpio"
    if path.exists():
        return path
    written = path.with_suffix(f".{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written.write_bytes(data)
        written.replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):
            written.unlink(missing_ok=True)
        raise BenchError(
            f"{folder}: the guest's files cannot be kept there: {e.strerror}",
            hint="Make room, or name another folder in XDG_CACHE_HOME.",
        ) from e
    return path
