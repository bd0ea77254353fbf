# SPDX-License-Identifier: Apache-2.0
"""What bad input gets where a machine is needed to find it bad: one clear error, what to do, nothing left behind.

The fixture `start` looks after the last of these: it compares the machine before and after each test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latlab.guest.kernel import find_kernel
from tests.lab.latlab_command import Command, latlab, statuses

Start = Callable[..., Command]
PROGRAMS_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def run(start: Start, tmp_path: Path) -> Callable[..., Command]:
    """`latlab run` of a scenario's text on a local bench's text, to its end."""

    def to_its_end(scenario: str = "attachment: baseline\nflow: {count: 100}\n", bench: str = "kind: local\n",
                   runs: Path | None = None, **options: object) -> Command:  # fmt: skip
        (tmp_path / "mine.yaml").write_text(scenario)
        (tmp_path / "here.yaml").write_text(bench)
        command = start("run", str(tmp_path / "mine.yaml"), "--bench", str(tmp_path / "here.yaml"),
                        "--runs", str(runs or tmp_path / "runs"), **options)  # fmt: skip
        command.wait()
        return command

    return to_its_end


def assert_refused(command: Command, *, code: int = 4, says: str, hint: str) -> None:
    """One line that says what is wrong, one with what to do; and no run was begun."""
    assert command.process.returncode == code, command.stderr
    complaint = command.complaint()
    assert len(complaint) == 2, command.stderr
    assert says in complaint[0]
    assert hint in complaint[1]
    runs = Path(command.arguments[command.arguments.index("--runs") + 1])
    assert not list(runs.glob("*"))


@contextmanager
def veth(name: str, peer: str) -> Iterator[None]:
    ip("link", "add", name, "type", "veth", "peer", "name", peer)
    try:
        yield
    finally:
        ip("link", "del", "dev", name)


@pytest.fixture
def cable(root: None) -> Iterator[tuple[str, str]]:
    """A user's own pair of NICs, before `start` looks at the machine."""
    with veth("lltest0", "lltest1"):
        for name in ("lltest0", "lltest1"):
            ip("link", "set", "dev", name, "up")
        time.sleep(2.5)  # until their link-local addresses are not tentative any more
        yield "lltest0", "lltest1"


def test_a_nic_that_does_not_exist(run: Callable[..., Command]) -> None:
    command = run(bench="kind: local\nnic: lltest8\npeer-nic: lltest9\n")
    assert_refused(command, says="hypervisor has no interface lltest8", hint="`ip link`")


@pytest.mark.parametrize("bench", ["nic: {used}\npeer-nic: {free}\n", "nic: {free}\npeer-nic: {used}\n"])
def test_a_nic_that_carries_the_default_route(cable: tuple[str, str], run: Callable[..., Command], bench: str) -> None:
    """This machine's own one: it is refused before anything is touched."""
    routes = json.loads(ip("-j", "route", "show", "default"))
    if not routes:
        pytest.skip("this machine has no default route")
    used = routes[0]["dev"]
    command = run(bench="kind: local\n" + bench.format(used=used, free=cable[0]))
    assert_refused(command, says=f"{used} carries the default route", hint="used for nothing else")


def test_a_nic_that_is_used(cable: tuple[str, str], run: Callable[..., Command]) -> None:
    bench = "kind: local\nnic: lltest0\npeer-nic: lltest1\n"
    ip("addr", "add", "192.0.2.77/28", "dev", "lltest1")
    try:
        assert_refused(run(bench=bench), says="lltest1 is in use: it has the address 192.0.2.77", hint="ip addr flush")
    finally:
        ip("addr", "del", "192.0.2.77/28", "dev", "lltest1")


def test_a_user_s_own_nics_are_given_back(cable: tuple[str, str], run: Callable[..., Command]) -> None:
    """Also the one that went to the peer's namespace: it is there again, and as it was."""
    command = run(bench="kind: local\nnic: lltest0\npeer-nic: lltest1\n")
    assert command.process.returncode == 0, command.stderr
    assert "lltest0 <-> lltest1" in command.stderr


@pytest.mark.parametrize("address", ["198.18.77.2/24", "198.18.77.200/32", "2001:2:0:77::9/64"])
def test_an_address_already_in_use(run: Callable[..., Command], address: str) -> None:
    ip("addr", "add", address, "dev", "lo")
    try:
        command = run()
    finally:
        ip("addr", "del", address, "dev", "lo")
    assert_refused(command, says=f"the address {address.split('/')[0]} is already in use, on lo", hint="`addresses:`")


def test_names_that_are_taken(run: Callable[..., Command]) -> None:
    with veth("llnic1", "lltest0"):
        assert_refused(run(), says="there is an interface llnic1 already", hint="ip link del dev llnic1")
    ip("netns", "add", "latlab-peer")
    try:
        assert_refused(run(), says="network namespace latlab-peer already", hint="ip netns del latlab-peer")
    finally:
        ip("netns", "del", "latlab-peer")


def test_a_bench_already_in_use(start: Start, run: Callable[..., Command], tmp_path: Path) -> None:
    """By whichever file the second one describes it; the first one's run is not disturbed."""
    (tmp_path / "first.yaml").write_text("attachment: baseline\nflow: {count: 3000}\n")
    first = start("run", str(tmp_path / "first.yaml"), "--bench", "local", "--runs", str(tmp_path / "first"))
    first.wait_for_process("latlab-probe", " send ")
    command = run()
    assert_refused(command, says=f"is already in use by process {first.process.pid} ", hint="Wait until it ends")
    assert first.wait() == 0, first.stderr
    assert statuses(tmp_path / "first", tmp_path)[0][0] == "done"


def test_no_space_left(run: Callable[..., Command], tmp_path: Path) -> None:
    """Whatever is written when the disk is full: the run ends with one error, and earlier runs stay readable."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], check=True)
    try:
        runs = disk / "runs"
        first = run(runs=runs)
        assert first.process.returncode == 0, first.stderr
        before = latlab("show", "--json", "--runs", str(runs), folder=tmp_path).json
        for free_kib in (0, 8, 24, 48):
            ballast = disk / "ballast"
            room = os.statvfs(disk)
            size = room.f_bavail * room.f_frsize - free_kib * 1024
            ballast.write_bytes(bytes(max(0, size)))
            command = run("attachment: baseline\nflow: {count: 2000, period: 100us}\n", runs=runs)
            assert command.process.returncode in (3, 4), command.stderr
            assert "no space left" in command.stderr
            assert len(command.complaint()) <= 2, command.stderr
            found = statuses(runs, tmp_path)
            assert found[0] == ("done", before["verdict"]["value"])
            assert all(status in ("failed", "interrupted", "broken") for status, _ in found[1:])
            ballast.unlink()
            for path in sorted(runs.iterdir())[1:]:
                subprocess.run(["rm", "-r", str(path)], check=True)
        assert latlab("show", "--json", "--runs", str(runs), folder=tmp_path).json == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_of_runs_that_is_read_only(run: Callable[..., Command], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(disk)], check=True)
    try:
        assert_refused(run(runs=disk), code=3, says=f"{disk}: cannot be written to", hint="--runs")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def by_attachment(folder: Path) -> dict[str, str]:
    listed = latlab("list", "--json", "--runs", str(folder / "runs"), folder=folder).json
    return {run["attachment"]: run["status"] for run in listed}


def kernel_without(module: str, folder: Path) -> Path:
    """A kernel's folder that lacks one module."""
    kernel = find_kernel()
    modules = folder / "lib/modules" / kernel.release
    modules.mkdir(parents=True)
    (folder / "boot").mkdir()
    (folder / "boot" / kernel.image.name).symlink_to(kernel.image.resolve())
    (modules / "kernel").symlink_to(kernel.modules_folder / "kernel")
    for name in ("modules.dep", "modules.builtin"):
        lines = (kernel.modules_folder / name).read_text().splitlines()
        (modules / name).write_text("\n".join(line for line in lines if f"/{module}.ko" not in line) + "\n")
    return folder


def test_a_kernel_without_a_needed_module(run: Callable[..., Command], tmp_path: Path) -> None:
    """The points that need it fail; the baseline, without a guest, is measured."""
    folder = kernel_without("virtio_net", tmp_path / "kernel")
    command = run("attachment: [tap-bridge, baseline]\nflow: {count: 100}\n", bench=f"kind: local\nkernel: {folder}\n")
    assert command.process.returncode == 4
    assert "has no module virtio_net" in command.stderr + command.stdout
    assert by_attachment(tmp_path) == {"tap-bridge": "failed", "baseline": "done"}


def test_no_kernel(run: Callable[..., Command], tmp_path: Path) -> None:
    command = run(bench=f"kind: local\nkernel: {tmp_path}/nowhere\n")
    assert_refused(command, says=f"no kernel for virtual machines in {tmp_path}/nowhere", hint="scripts/setup kernel")


def test_no_root(run: Callable[..., Command]) -> None:
    # The capabilities let it read what a test as root has made, and change nothing of the network.
    capabilities = "+dac_override,+dac_read_search"
    with tempfile.TemporaryDirectory(prefix="latlab-test-") as folder:
        Path(folder).chmod(0o777)
        runs = Path(folder, "runs")
        runs.mkdir()
        runs.chmod(0o777)
        command = run(
            prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={capabilities}",
                    f"--ambient-caps={capabilities}"],
            env={"XDG_RUNTIME_DIR": folder},
            runs=runs,
        )  # fmt: skip
        says = "the local bench changes this machine's network, which needs root"
        assert_refused(command, says=says, hint="sudo")


def path_without(folder: Path, *programs: str) -> dict[str, str]:
    """A PATH on which some programs are missing."""
    folder.mkdir()
    for place in PROGRAMS_FOLDERS:
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name not in programs and not link.is_symlink():
                link.symlink_to(program)
    return {"PATH": str(folder)}


def test_no_qemu(run: Callable[..., Command], tmp_path: Path) -> None:
    qemu = f"qemu-system-{os.uname().machine}"
    command = run("attachment: tap-bridge\n", env=path_without(tmp_path / "bin", qemu))
    assert_refused(command, says=f"{qemu} is not installed on hypervisor", hint="apt install qemu-system-")


def test_missing_instruments_are_named_and_the_rest_is_measured(run: Callable[..., Command], tmp_path: Path) -> None:
    command = run(
        "attachment: baseline\nflow: {count: 100}\ninstruments: [netperf, ping, probe]\n",
        env=path_without(tmp_path / "bin", "netperf", "ping"),
    )
    assert command.process.returncode == 0, command.stderr
    shown = latlab("show", "--json", "--runs", str(tmp_path / "runs"), folder=tmp_path).json
    assert (shown["status"], shown["n"]) == ("done", 100)
    for name, package in (("netperf TCP_RR", "netperf"), ("ping", "iputils-ping")):
        assert f"apt install {package}" in shown["instruments"][name]["not_measured"]


def test_a_missing_load_program_fails_its_points_only(run: Callable[..., Command], tmp_path: Path) -> None:
    command = run(
        "attachment: baseline\nload: [{streams: 1}, none]\nflow: {count: 100}\n",
        env=path_without(tmp_path / "bin", "iperf3"),
    )
    assert command.process.returncode == 4
    assert "apt install iperf3" in command.stdout
    assert sorted(status for status, _ in statuses(tmp_path / "runs", tmp_path)) == ["done", "failed"]


@pytest.mark.parametrize("probe", ["nowhere/latlab-probe", "not-executable"])
def test_no_probe(run: Callable[..., Command], tmp_path: Path, probe: str) -> None:
    (tmp_path / "not-executable").write_text("")
    command = run(env={"LATLAB_PROBE": str(tmp_path / probe)})
    assert_refused(command, says=f"the probe {tmp_path / probe} cannot be started", hint="scripts/setup")


def test_a_guest_that_does_not_start_fails_its_points_only(run: Callable[..., Command], tmp_path: Path) -> None:
    """QEMU's own last words are the reason."""
    qemu = tmp_path / "bin" / f"qemu-system-{os.uname().machine}"
    qemu.parent.mkdir()
    qemu.write_text("#!/bin/sh\necho 'qemu: cannot set up guest memory' >&2\nexit 1\n")
    qemu.chmod(0o755)
    command = run(
        "attachment: [macvtap, baseline]\nflow: {count: 100}\n",
        env={"PATH": f"{qemu.parent}:{os.environ['PATH']}"},
    )
    assert command.process.returncode == 4
    assert by_attachment(tmp_path) == {"macvtap": "failed", "baseline": "done"}
    assert "guest: QEMU ended with exit code 1: qemu: cannot set up guest memory" in command.stderr


def test_the_terminal_is_closed(start: Start, tmp_path: Path) -> None:
    """Nobody reads what it prints any more, and SIGHUP comes: it cleans up and goes."""
    command = start("run", "minimal", "--bench", "local", "--runs", str(tmp_path / "runs"))
    command.wait_for_process("qemu-system", "-name guest")
    os.kill(command.process.pid, signal.SIGHUP)
    assert command.wait(15) == 130
