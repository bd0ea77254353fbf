# SPDX-License-Identifier: Apache-2.0
"""Boards that cannot be measured with: one clear error that names the board, and nothing is left there or here.

The board is this machine, behind an ssh server of the test's own: with a home and a state folder of its own, so that
nobody's keys and journals are touched. Real measurements over ssh are those of the emulated pair (`test_pair`).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.disk_image import make_key
from tests.lab.existing_guest import free_port
from tests.lab.latlab_command import Command

BENCH = "kind: boards\nhypervisor: {ssh: board1, nic: enp3s0}\npeer: {ssh: board2, nic: enp4s0}\n"
SERVER = """
set -e
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=700 none /root
mkdir -m 700 /root/.ssh
echo "$1" >/root/.ssh/authorized_keys
exec dropbear -F -E -s -r "$2" -p "127.0.0.1:$3"
"""
LIMIT_S = 10

Start = Callable[..., Command]


@dataclass(frozen=True)
class Boards:
    """An ssh configuration in which `board1` and `board2` are ports of loopback."""

    folder: Path
    known: Path

    def reach(self, board1: int, board2: int) -> None:
        """Through an `ssh` that reads this configuration in the place of the user's own."""
        hosts = "".join(
            f"Host {name}\n HostName 127.0.0.1\n Port {port}\n HostKeyAlias {name}\n"
            for name, port in (("board1", board1), ("board2", board2))
        )
        rest = f"Host *\n User root\n IdentityFile {self.folder}/login\n IdentitiesOnly yes\n"
        (self.folder / "config").write_text(f"{hosts}{rest} UserKnownHostsFile {self.known}\n")
        wrapper = self.folder / "bin" / "ssh"
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.folder / "config"} "$@"\n')
        wrapper.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}


@pytest.fixture
def boards(tmp_path: Path) -> Boards:
    if not shutil.which("dropbear", path="/usr/sbin:/usr/bin"):
        pytest.skip("needs dropbear")
    make_key(tmp_path / "login")
    return Boards(tmp_path, tmp_path / "known_hosts")


@pytest.fixture
def server(root: None, boards: Boards) -> Iterator[int]:
    """The port of an ssh server, whose host key is known for both names."""
    key, port = boards.folder / "host.key", free_port()
    said = subprocess.run(["dropbearkey", "-t", "ed25519", "-f", key], capture_output=True, text=True, check=True)
    public = next(line for line in said.stdout.splitlines() if line.startswith("ssh-ed25519 "))
    boards.known.write_text(f"board1,board2 {public}\n")
    login = (boards.folder / "login.pub").read_text().strip()
    words = ["unshare", "--mount", "sh", "-c", SERVER, "sh", login, str(key), str(port)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as running:
        try:
            _wait_for(port)
            yield port
        finally:
            running.terminate()


def _wait_for(port: int) -> None:
    limit = time.monotonic() + LIMIT_S
    while time.monotonic() < limit:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            if connection.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    raise AssertionError("the test's own ssh server did not come up")


def refused(start: Start, boards: Boards, *, says: str, hint: str) -> None:
    (boards.folder / "mine.yaml").write_text("attachment: baseline\nflow: {count: 100}\n")
    (boards.folder / "bench.yaml").write_text(BENCH)
    bench, runs = str(boards.folder / "bench.yaml"), boards.folder / "runs"
    command = start("run", str(boards.folder / "mine.yaml"), "--bench", bench, "--runs", str(runs),
                    env=boards.environment)  # fmt: skip
    assert command.wait() == 4, command.stderr
    complaint = command.complaint()
    assert says in complaint[0], command.stderr
    assert hint in "".join(complaint[1:])
    assert not list(runs.glob("*"))


def test_one_that_is_off(start: Start, boards: Boards, server: int) -> None:
    boards.reach(server, free_port())
    refused(start, boards, says="peer: it does not answer over ssh", hint="ssh board2")


def test_one_that_nobody_knows(start: Start, boards: Boards, server: int) -> None:
    boards.known.write_text("")
    boards.reach(server, server)
    refused(start, boards, says="hypervisor: the host key of board1 is not known to ssh", hint="ssh board1")


def test_one_whose_key_is_another(start: Start, boards: Boards, server: int) -> None:
    other = make_key(boards.folder / "other").with_suffix(".pub").read_text()
    known = boards.known.read_text()
    boards.known.write_text(f"{known.replace('board1,board2', 'board1')}board2 {other}")
    boards.reach(server, server)
    refused(start, boards, says="peer: the host key of board2 is another than the one", hint="ssh board2")


def test_both_are_one(start: Start, boards: Boards, server: int) -> None:
    boards.reach(server, server)
    refused(start, boards, says="hypervisor and peer are the same machine", hint="kind: local")


def test_the_doctor_says_which_cannot_be_reached(start: Start, boards: Boards, server: int) -> None:
    boards.reach(server, free_port())
    (boards.folder / "bench.yaml").write_text(BENCH)
    command = start("doctor", str(boards.folder / "bench.yaml"), "--json", env=boards.environment)
    assert command.wait() == 4
    (bench,) = command.json["benches"]
    (lacking,) = bench["attachments"]["baseline"]["missing"]
    assert lacking["what"] == "peer board2"
    assert "Connection refused" in lacking["why"]


def test_the_doctor_looks_and_leaves_nothing(start: Start, boards: Boards, server: int) -> None:
    boards.reach(server, server)
    (boards.folder / "bench.yaml").write_text(BENCH)
    command = start("doctor", str(boards.folder / "bench.yaml"), "--json", env=boards.environment)
    command.wait()
    (bench,) = command.json["benches"]
    assert os.uname().release in bench["about"], bench["attachments"]["baseline"]
    whats = [m["what"] for m in bench["attachments"]["tap-bridge"]["missing"]]
    assert "hypervisor's NIC enp3s0" in whats
    assert "peer's NIC enp4s0" in whats
