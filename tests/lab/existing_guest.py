# SPDX-License-Identifier: Apache-2.0
"""A guest that somebody else runs, as a test's own: a bridge with a NIC and a tap, QEMU, and an ssh configuration."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.disk_image import OwnGuest

NIC, PEER_NIC, BRIDGE, TAP = "lttest0", "lttest1", "lttestbr", "lttesttap"
NAME = "their-guest"
BOOT_LIMIT_S = 60

BENCH = f"kind: local\nnic: {NIC}\npeer-nic: {PEER_NIC}\nnic-in-use: true\n"


@dataclass(frozen=True)
class TheirGuest:
    folder: Path
    port: int
    key: Path

    @property
    def environment(self) -> dict[str, str]:
        """With an `ssh` that reads this guest's configuration in the place of the user's own."""
        return {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def say(self, command: str) -> str:
        """What a shell there prints."""
        words = ["ssh", "-F", str(self.folder / "config"), NAME, command]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def their_guest(own: OwnGuest, folder: Path) -> Iterator[TheirGuest]:
    """It runs on a disk that it writes to, and answers over ssh; its second NIC is in the bridge."""
    port = free_port()
    with ExitStack() as stack:
        _ip("link", "add", NIC, "type", "veth", "peer", "name", PEER_NIC)
        stack.callback(_ip, "link", "del", "dev", NIC)
        _ip("link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
        stack.callback(_ip, "link", "del", "dev", BRIDGE)
        _ip("tuntap", "add", "dev", TAP, "mode", "tap")
        stack.callback(_ip, "tuntap", "del", "dev", TAP, "mode", "tap")
        for port_of_bridge in (NIC, TAP):
            _ip("link", "set", "dev", port_of_bridge, "master", BRIDGE, "up")
        for name in (BRIDGE, PEER_NIC):
            _ip("link", "set", "dev", name, "up")
        with (folder / "qemu.log").open("w") as log:
            qemu = subprocess.Popen(_qemu(own.disk, port), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(qemu.wait)
        stack.callback(qemu.kill)
        guest = TheirGuest(folder, port, own.key)
        _wait_for_ssh(port, qemu)
        _configure_ssh(guest)
        yield guest


def _qemu(disk: Path, port: int) -> list[str]:
    return [
        f"qemu-system-{os.uname().machine}", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35",
        "-accel", "tcg", "-cpu", "max", "-m", "256M",
        "-netdev", f"user,id=mgmt,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22",
        "-device", "virtio-net-pci,netdev=mgmt,romfile=",
        "-netdev", f"tap,id=net0,ifname={TAP},script=no,downscript=no",
        "-device", "virtio-net-pci,netdev=net0,mac=52:54:00:99:00:01,romfile=",
        "-drive", f"if=virtio,format=raw,file={disk}",
        "-device", "virtio-rng-pci",
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait_for_ssh(port: int, qemu: subprocess.Popen[bytes]) -> None:
    """Until its ssh server says its first words; QEMU takes the connection before that."""
    limit = time.monotonic() + BOOT_LIMIT_S
    while time.monotonic() < limit and qemu.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"the test's own guest did not come up within {BOOT_LIMIT_S} s")


def _configure_ssh(guest: TheirGuest) -> None:
    known = guest.folder / "known_hosts"
    with known.open("w") as f:
        words = ["ssh-keyscan", "-p", str(guest.port), "127.0.0.1"]
        subprocess.run(words, stdout=f, stderr=subprocess.DEVNULL, check=True)
    assert known.read_text()
    (guest.folder / "config").write_text(
        f"Host {NAME}\n HostName 127.0.0.1\n Port {guest.port}\n User root\n IdentityFile {guest.key}\n"
        f" IdentitiesOnly yes\nHost *\n BatchMode yes\n UserKnownHostsFile {known}\n"
    )
    wrapper = guest.folder / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {guest.folder / "config"} "$@"\n')
    wrapper.chmod(0o755)
