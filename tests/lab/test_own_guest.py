# SPDX-License-Identifier: Apache-2.0
"""Guests that latlab did not make: a disk image, raw and qcow2, and a guest that somebody else runs.

Image and guest are made here (see disk_image); they boot under TCG in seconds, and have nothing of latlab in them.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.disk_image import OS_NAME, OwnGuest, make_guest, make_key, missing_tools
from tests.lab.existing_guest import BENCH, NAME, TheirGuest, their_guest
from tests.lab.latlab_command import Command, latlab, runs_of
from tests.lab.machine_state import State, is_root, lasting_differences
from tests.yard import eventually

COUNT = 200
FLOW = f"flow: {{period: 2ms, count: {COUNT}}}"
INSTRUMENTS = "instruments: [probe, ping: {count: 3, interval: 100ms}, netperf: {transactions: 10}]"
CPU_REASON = re.compile(r"sent a whole period late|SCHED_FIFO was refused")
"""All that may make a run suspect here: a machine that has other work to do."""

Start = Callable[..., Command]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> OwnGuest:
    if lacking := missing_tools():
        pytest.skip(f"needs {', '.join(lacking)}: scripts/setup system")
    return make_guest(tmp_path_factory.mktemp("own"))


def scenario(folder: Path, own: OwnGuest, image: str | Path, *lines: str, key: Path | None = None) -> str:
    path = folder / "own.yaml"
    path.write_text(
        "\n".join(
            ["attachment: tap-bridge", f"guest: {{image: {image}, ssh-key: {key or own.key}, memory: 256MiB}}", *lines]
        )
    )
    return str(path)


def assert_good(run: dict[str, Any]) -> None:
    assert run["status"] == "done", run["verdict"]
    assert run["verdict"]["value"] in ("valid", "suspect"), run["verdict"]
    assert all(CPU_REASON.search(reason) for reason in run["verdict"]["reasons"]), run["verdict"]
    assert (run["counts"]["sent"], run["counts"]["lost"]) == (COUNT, 0)
    assert run["evidence"]
    assert all(entry["ok"] for entry in run["evidence"]), run["evidence"]


def assert_tells_of_the_guest(run: dict[str, Any]) -> None:
    """Its own kernel and modules, and what it lacks."""
    guest = run["env"]["guest"]
    assert guest["os"] == OS_NAME
    assert guest["kernel"] == run["versions"]["kernel of the guest"] != os.uname().release
    assert {"virtio_blk", "virtio_net"} <= set(guest["modules"])
    assert run["instruments"]["ping"]["n"] == 3
    assert "is not installed on guest" in run["instruments"]["netperf TCP_RR"]["not_measured"]


@pytest.mark.timeout(240)
def test_an_image_of_either_format(own: OwnGuest, before: State, tmp_path: Path) -> None:
    """A valid run in each; the image is what it was before, to the bit."""
    disks = [own.disk, own.converted("qcow2")]
    hashes = [sha256(disk) for disk in disks]
    path = scenario(tmp_path, own, f"[{disks[0]}, {disks[1]}]", FLOW, INSTRUMENTS)
    ran = latlab("run", path, "--bench", "local", "--runs", str(tmp_path / "runs"), folder=tmp_path)
    assert ran.process.returncode == 0, ran.stderr
    runs = runs_of(tmp_path)
    assert [Path(run["point"]["guest"]["image"]) for run in runs] == disks
    for run in runs:
        assert_good(run)
        assert_tells_of_the_guest(run)
    assert [sha256(disk) for disk in disks] == hashes
    assert ran.wait_until_all_ended() == {}
    assert lasting_differences(before) == []
    assert not list(Path("/var/tmp").glob("vl.*")), "what the guest wrote is gone with it"


@pytest.mark.parametrize("moment", ["booting", "measuring"])
def test_killed_with_an_image(own: OwnGuest, start: Start, tmp_path: Path, moment: str) -> None:
    """As `kill -9` does it; the fixture sees that nothing runs on, and that the machine is as it was."""
    unchanged = sha256(own.disk)
    path = scenario(tmp_path, own, own.disk, "flow: {period: 1ms, count: 60000}")
    command = start("run", path, "--bench", "local", "--runs", str(tmp_path / "runs"))
    command.wait_for_process(*(["qemu-system", "-name guest"] if moment == "booting" else ["latlab-probe", " send "]))
    time.sleep(0.5)
    os.kill(command.process.pid, signal.SIGKILL)
    assert command.wait_until_all_ended() == {}
    assert sha256(own.disk) == unchanged


def failure(start: Start, tmp_path: Path, path: str, bench: str = "local", env: dict[str, str] | None = None) -> str:
    """The one reason why the one point of a scenario failed."""
    command = start("run", path, "--bench", bench, "--runs", str(tmp_path / "runs"), env=env)
    assert command.wait() == 4, command.stderr
    (run,) = runs_of(tmp_path)
    assert run["status"] == "failed"
    (reason,) = run["verdict"]["reasons"]
    assert isinstance(reason, str)
    return reason


def test_a_key_that_is_not_let_in(own: OwnGuest, start: Start, tmp_path: Path) -> None:
    """Said as soon as the guest says it, not when it is too late for anything else."""
    key = make_key(tmp_path / "wrong")
    reason = failure(start, tmp_path, scenario(tmp_path, own, own.disk, FLOW, key=key))
    assert reason.startswith(f"guest: root@127.0.0.1 does not take the key {key}: ")
    assert "Its public half belongs into authorized_keys there." in reason


def test_images_that_are_none(own: OwnGuest, start: Start, tmp_path: Path) -> None:
    """Each by its name, before any guest is started, and with what to do."""
    text = tmp_path / "text.raw"
    text.write_text("no disk\n" * 1000)
    vmdk = own.converted("vmdk")
    for number, (image, said, hint) in enumerate(
        [
            (tmp_path / "nothing.qcow2", f"there is no image {tmp_path / 'nothing.qcow2'}", "relative path"),
            (text, f"{text} is not an image", "Look: file"),
            (tmp_path, f"{tmp_path} is no file that can be read", "ls -l"),
            (vmdk, f"{vmdk} is an image of format vmdk; a guest boots from qcow2 or raw", "qemu-img convert -O qcow2"),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        reason = failure(start, folder, scenario(folder, own, image, FLOW))
        assert reason.startswith(f"hypervisor: {said}"), reason
        assert hint in reason


def test_a_disk_that_does_not_boot(own: OwnGuest, start: Start, tmp_path: Path) -> None:
    """The console's last lines are in the error."""
    disk = tmp_path / "empty.raw"
    content = bytearray(own.disk.read_bytes()[:512])
    with disk.open("wb") as f:
        f.write(bytes(510) + content[510:])
        f.truncate(1 << 20)
    path = tmp_path / "own.yaml"
    path.write_text(f"attachment: tap-bridge\nguest: {{image: {disk}, ssh-key: {own.key}, boot-limit: 3s}}\n{FLOW}\n")
    reason = failure(start, tmp_path, str(path))
    assert reason.startswith("guest: it does not answer over ssh within 3 s: ")
    assert "its console " in reason
    assert "guest.boot-limit" in reason


@pytest.fixture(scope="module")
def theirs(own: OwnGuest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TheirGuest]:
    """Somebody else's guest, running."""
    if not is_root():
        pytest.skip("needs root")
    folder = tmp_path_factory.mktemp("theirs")
    copy = folder / "disk.raw"
    copy.write_bytes(own.disk.read_bytes())
    with their_guest(OwnGuest(copy, own.key), folder) as guest:
        yield guest


def bench_file(folder: Path, text: str = BENCH) -> str:
    path = folder / "bench.yaml"
    path.write_text(text)
    return str(path)


def existing(folder: Path, options: str, *lines: str) -> str:
    path = folder / "existing.yaml"
    path.write_text("\n".join([f"attachment: {{existing: {{ssh: {NAME}, {options}}}}}", *lines]))
    return str(path)


def traces(guest: TheirGuest) -> str:
    """What a run may leave there: the probe, the agent's folder, a process, an address, a NIC that is up."""
    found = guest.say("ls /run /tmp; ip addr show dev inner0 | grep -o -E 'inet6? [^ ]*|[<,]UP[,>]' || true")
    running = guest.say("ps").splitlines()
    return found + "\n".join(line for line in running if "latlab" in line)


def test_a_guest_that_somebody_else_runs(theirs: TheirGuest, start: Start, tmp_path: Path) -> None:
    """Named by its NIC, which is down and has no address: it is given one, and has none again afterwards."""
    clean = traces(theirs)
    assert "latlab" not in clean
    path = existing(tmp_path, "nic: inner0, address: 198.18.77.9", FLOW, INSTRUMENTS)
    command = start("run", path, "--bench", bench_file(tmp_path), "--runs", str(tmp_path / "runs"),
                    env=theirs.environment)  # fmt: skip
    assert command.wait() == 0, command.stderr
    (run,) = runs_of(tmp_path)
    assert_good(run)
    assert_tells_of_the_guest(run)
    assert run["env"]["attachment"] == {"attached": "by its owner"}
    assert run["bench"]["accelerator"] == "tcg", "as the guest itself says, whatever the bench's own would run under"
    assert any("guest inner0 rx packets" in entry["what"] for entry in run["evidence"])
    assert any("the guest's way to 198.18.77.2 is inner0" in entry["what"] for entry in run["evidence"])
    assert traces(theirs) == clean


def test_a_guest_that_has_its_address(theirs: TheirGuest, start: Start, tmp_path: Path) -> None:
    """Then its NIC is found by it, and it keeps it."""
    theirs.say("ip link set dev inner0 up; ip addr add 198.18.77.20/24 dev inner0")
    try:
        clean = traces(theirs)
        path = existing(tmp_path, "address: none", "flow: {direction: up, period: 2ms, count: 200}")
        command = start("run", path, "--bench", bench_file(tmp_path), "--runs", str(tmp_path / "runs"),
                        env=theirs.environment)  # fmt: skip
        assert command.wait() == 0, command.stderr
        (run,) = runs_of(tmp_path)
        assert_good(run)
        assert "198.18.77.20" in clean
        assert traces(theirs) == clean
    finally:
        theirs.say("ip addr flush dev inner0; ip link set dev inner0 down")


def test_killed_while_it_visits(theirs: TheirGuest, start: Start, tmp_path: Path) -> None:
    """The guest undoes it by itself: address and link, the agent, the probe's file."""
    clean = traces(theirs)
    path = existing(tmp_path, "nic: inner0", "flow: {period: 1ms, count: 60000}")
    command = start("run", path, "--bench", bench_file(tmp_path), "--runs", str(tmp_path / "runs"),
                    env=theirs.environment)  # fmt: skip
    command.wait_for_process("latlab-probe", " send ")
    time.sleep(0.5)
    assert "latlab-probe" in traces(theirs)
    os.kill(command.process.pid, signal.SIGKILL)
    assert command.wait_until_all_ended() == {}
    assert eventually(lambda: traces(theirs) == clean, 20), traces(theirs)


def test_an_image_that_another_qemu_has_open(own: OwnGuest, theirs: TheirGuest, start: Start, tmp_path: Path) -> None:
    disk = theirs.folder / "disk.raw"
    reason = failure(start, tmp_path, scenario(tmp_path, own, disk, FLOW))
    assert reason.startswith(f"hypervisor: the image {disk} is in use by another QEMU")


def test_a_guest_whose_host_key_nobody_knows(theirs: TheirGuest, start: Start, tmp_path: Path) -> None:
    known = theirs.folder / "known_hosts"
    keys = known.read_text()
    known.write_text("")
    try:
        reason = failure(start, tmp_path, existing(tmp_path, "nic: inner0", FLOW), bench_file(tmp_path),
                         theirs.environment)  # fmt: skip
    finally:
        known.write_text(keys)
    assert reason.startswith(f"guest: the host key of {NAME} is not known to ssh")
    assert f"ssh {NAME}" in reason


def test_a_nic_that_the_guest_does_not_have(theirs: TheirGuest, start: Start, tmp_path: Path) -> None:
    reason = failure(start, tmp_path, existing(tmp_path, "nic: ens9", FLOW), bench_file(tmp_path), theirs.environment)
    assert reason == "guest has no interface ens9. It has: lo, eth0, inner0"


def test_a_nic_that_is_in_use_is_left_to_existing_guests(theirs: TheirGuest, start: Start, tmp_path: Path) -> None:
    """Said without asking any machine; and without the word in the bench's file, the NIC is refused."""
    both = tmp_path / "both.yaml"
    both.write_text(f"attachment: [tap-bridge, existing: {{ssh: {NAME}}}]\n{FLOW}\n")
    planned = latlab("plan", str(both), "--bench", bench_file(tmp_path), "--json", folder=tmp_path).json
    assert [point["label"] for point in planned["points"]] == [f"existing ssh={NAME}, no load"]
    (left,) = planned["left_out"]
    assert "nic-in-use" in left["reason"]
    bench = bench_file(tmp_path, BENCH.replace("true", "false"))
    command = start("run", str(both), "--bench", bench, "--runs", str(tmp_path / "runs"), env=theirs.environment)
    assert command.wait() == 4
    assert "is already part of lttestbr" in command.stderr
