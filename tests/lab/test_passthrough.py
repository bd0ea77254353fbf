# SPDX-License-Identifier: Apache-2.0
"""The NIC and its virtual functions given to guests, in one emulated bench that is kept: measured, proven, and given
back as they were found; also when the controller is killed in the middle.

How long a packet takes is no matter here: the machine may be busy with other things. The hypervisor's NIC is set as
somebody might have set it: what a driver makes by itself would come back by itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.latlab_command import Command

SCENARIO = """
attachment: [sriov, vfio]
flow: {period: 5ms, count: 300, timeout: 10s}
"""
LONG = """
attachment: ATTACHMENT
flow: {period: 10ms, count: 100000}
"""
PREPARE = """
modprobe igb
ip link set dev eth0 mtu 1400 txqueuelen 500
ethtool -L eth0 combined 1
ethtool -K eth0 gro off
sysctl -q -w net.ipv4.conf.eth0.rp_filter=2
"""
LOOK = """
cd /sys/bus/pci/devices
for device in *; do
    echo "$device $(readlink $device/driver) $(cat $device/driver_override) $(ls $device/net 2>/dev/null)"
done
grep -H . */sriov_numvfs */sriov_drivers_autoprobe
for nic in eth0; do
    ip link show dev $nic | sed 's/^[0-9]*: //'
    ethtool -l $nic; ethtool -g $nic; ethtool -k $nic; sysctl -a --pattern "net.ipv[46].(conf|neigh).$nic"
done
cut -d ' ' -f 1 /proc/modules | grep vfio | sort
ls /dev/vfio
pgrep -a qemu
true
"""
"""What may have been changed; not the interface's number, which the kernel counts up."""

LIMIT_S = 280
BINDING = "/sys/bus/pci/drivers/vfio-pci/bind"
"""The command that is just starting when the controller is killed. Other moments are for test_undo_emulated."""

Latlab = Callable[..., Command]


@pytest.fixture(scope="module")
def latlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Latlab]:
    """`latlab(VERB, ARGUMENTS...)` on a bench that is up, and down after the tests."""
    folder = tmp_path_factory.mktemp("passthrough")
    bench = folder / "passthrough.yaml"
    bench.write_text("kind: emulated\n")
    commands: list[Command] = []

    def start(*arguments: str) -> Command:
        # The bench is an option of a verb, which may have two words.
        verb = 2 if arguments[0] == "bench" else 1
        commands.append(Command([*arguments[:verb], "--bench", str(bench), *arguments[verb:]], folder))
        return commands[-1]

    keeper = start("bench", "up")
    try:
        assert keeper.wait(100) == 0, keeper.stderr
        prepared = start("bench", "shell", "hypervisor", "--", "sh", "-ec", PREPARE)
        assert prepared.wait() == 0, prepared.stderr
        yield start
    finally:
        start("bench", "down").wait()
        left = keeper.wait_until_all_ended()
        for command in commands:
            command.end()
    assert left == {}


def state(latlab: Latlab) -> set[str]:
    looked = latlab("bench", "shell", "hypervisor", "--", "sh", "-c", LOOK)
    assert looked.wait() == 0, looked.stderr
    assert "igb" in looked.stdout
    return set(looked.stdout.splitlines())


@pytest.mark.timeout(LIMIT_S + 100)
def test_both_are_measured_and_proven_and_the_machine_is_as_before(latlab: Latlab, tmp_path: Path) -> None:
    before = state(latlab)
    path, runs = tmp_path / "scenario.yaml", tmp_path / "runs"
    path.write_text(SCENARIO)
    command = latlab("run", str(path), "--runs", str(runs), "--json")
    assert command.wait(LIMIT_S) == 0, command.stderr
    assert [run["attachment"] for run in command.json] == ["sriov", "vfio"]
    for run in command.json:
        assert run["verdict"] != "invalid", run
        assert run["lost"] == 0, run
        shown = Command(["show", "--json", "--runs", str(runs), run["id"]], tmp_path)
        assert shown.wait() == 0
        evidence = {found["what"]: found["ok"] for found in shown.json["evidence"]}
        assert all(evidence.values()), evidence
        driver = "igbvf" if run["attachment"] == "sriov" else "igb"
        assert f"the guest's driver is {driver}" in evidence
    assert state(latlab) == before


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("attachment", ["sriov", "vfio"])
def test_the_machine_is_as_before_when_the_controller_was_killed(
    latlab: Latlab, tmp_path: Path, attachment: str
) -> None:
    before = state(latlab)
    path = tmp_path / "long.yaml"
    path.write_text(LONG.replace("ATTACHMENT", attachment))
    command = latlab("run", str(path), "--runs", str(tmp_path / "runs"), "--show-commands")
    limit = time.monotonic() + LIMIT_S / 2
    while BINDING not in command.stderr:
        assert command.process.poll() is None, command.stderr
        assert time.monotonic() < limit, command.stderr
        time.sleep(0.05)
    os.kill(command.process.pid, signal.SIGKILL)
    command.wait()
    # The agent of a visitor that is gone undoes before it greets the next one.
    assert state(latlab) == before
