# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch of our own, for real: measured and proven, invalid when the packets went round it or it died, and gone.

What needs the kernel's datapath, or a NIC of several queues, happens in one emulated bench; the rest on this machine,
where the userspace datapaths work on a pair of veth, and where a test can kill what it likes.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latlab.attachment.vhost_user import PROGRAM as WITH_DPDK
from tests.lab.latlab_command import Command, latlab, runs_of
from tests.lab.machine_state import State, differences, lasting_differences
from tests.lab.test_undo_emulated import inside, settled, state

USERSPACE = ["ovs-afxdp", "ovs-dpdk"]
COUNT = 100
MEASURING_S = 1.0
LIMIT_S = 400
"""Three guests boot beside a thread that polls, all of it emulated."""

pytestmark = pytest.mark.skipif(
    not (Path("/usr/sbin/ovs-vswitchd").exists() and Path(WITH_DPDK).exists()),
    reason="needs openvswitch-switch-dpdk: scripts/setup system",
)

Start = Callable[..., Command]


def scenario(folder: Path, attachment: str, flow: str = f"{{period: 10ms, count: {COUNT}}}") -> str:
    path = folder / "scenario.yaml"
    path.write_text(f"attachment: {attachment}\nflow: {flow}\n")
    return str(path)


def assert_proven(run: dict[str, Any]) -> None:
    """Whatever else this machine has to do."""
    assert run["verdict"]["value"] != "invalid", run["verdict"]
    assert (run["n"], run["lost"]) == (COUNT, 0), run["attachment"]
    assert all(found["ok"] for found in run["evidence"])
    said = [found["what"] for found in run["evidence"]]
    assert "ovs-vswitchd runs" in said
    assert "flow: datapath lookups" in said


@pytest.mark.timeout(200)
def test_the_userspace_datapaths_on_a_pair_of_veth(start: Start, tmp_path: Path) -> None:
    """Each way of the guest and of the NIC, native and generic."""
    by_afxdp = "{ovs-afxdp: {guest: [tap, vhost-user]}}, {ovs-afxdp: {xdp-mode: generic}}"
    chosen = f"[{by_afxdp}, {{ovs-dpdk: {{nic: [af-xdp, af-packet]}}}}]"
    command = start("run", scenario(tmp_path, chosen), "--bench", "local", "--runs", str(tmp_path / "runs"))
    assert command.wait(180) == 0, command.stderr
    runs = runs_of(tmp_path)
    assert len(runs) == 5
    for run in runs:
        assert_proven(run)
    modes = [run["env"]["attachment"].get("XDP mode of the NIC") for run in runs]
    assert modes == ["native", "native", "generic", None, None]


@pytest.fixture
def measuring(start: Start, tmp_path: Path) -> Callable[[str], Command]:
    """Starts a run of a quarter of a minute, and returns while it measures."""

    def begin(attachment: str) -> Command:
        path = scenario(tmp_path, attachment, "{period: 5ms, count: 3000, timeout: 200ms}")
        command = start("run", path, "--bench", "local", "--runs", str(tmp_path / "runs"))
        command.wait_for_process("latlab-probe", " send ", limit_s=60)
        time.sleep(MEASURING_S)
        return command

    return begin


@pytest.mark.parametrize("attachment", USERSPACE)
def test_a_switch_that_dies_makes_the_run_invalid(
    measuring: Callable[[str], Command], tmp_path: Path, attachment: str
) -> None:
    """And the run says so, with the last words of its log."""
    command = measuring(attachment)
    os.kill(command.wait_for_process("ovs-vswitchd", "unix:"), signal.SIGKILL)
    assert command.wait(60) == 2, command.stderr
    (run,) = runs_of(tmp_path)
    assert (run["status"], run["verdict"]["value"]) == ("done", "invalid")
    assert "evidence: ovs-vswitchd runs: not so" in run["verdict"]["reasons"]
    words = [reason for reason in run["verdict"]["reasons"] if reason.startswith("the attachment's log ends with: ")]
    assert any("Z|000" in word for word in words), run["verdict"]


@pytest.mark.parametrize("victim", ["controller", "agent"])
@pytest.mark.parametrize("attachment", USERSPACE)
def test_nothing_is_left_after_sigkill(
    measuring: Callable[[str], Command], before: State, tmp_path: Path, attachment: str, victim: str
) -> None:
    """Of the controller: its agent undoes everything. Of the agent: the next one does."""
    command = measuring(attachment)
    pid = command.process.pid if victim == "controller" else command.wait_for_process("latlab-probe", " agent")
    os.kill(pid, signal.SIGKILL)
    command.wait(30)
    assert command.wait_until_all_ended() == {}
    if victim == "agent":
        latlab("cleanup", folder=tmp_path)
    assert lasting_differences(before) == []


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Path]:
    """The file of an emulated bench that is up."""
    path = tmp_path / "switches.yaml"
    path.write_text("kind: emulated\n")
    keeper = latlab("bench", "up", "--bench", str(path), folder=tmp_path)
    assert keeper.process.returncode == 0, keeper.stderr
    yield path
    latlab("bench", "down", "--bench", str(path), folder=tmp_path)
    left = keeper.wait_until_all_ended()
    keeper.end()
    assert left == {}


@pytest.mark.timeout(2 * LIMIT_S)
def test_all_three_in_the_emulated_host(bench: Path, tmp_path: Path) -> None:
    """Each is proven and leaves nothing; and a NIC whose packets all go to the queue that is not read is found out."""

    def run(attachment: str) -> tuple[int, list[dict[str, Any]]]:
        words = ["run", scenario(tmp_path, attachment), "--bench", str(bench), "--runs", str(tmp_path / "runs")]
        command = Command(words, tmp_path)
        try:
            return command.wait(LIMIT_S), runs_of(tmp_path)
        finally:
            command.end()

    before = settled(bench, tmp_path)
    code, runs = run("[ovs, ovs-afxdp, ovs-dpdk]")
    assert [(run["attachment"], run["verdict"]["value"] != "invalid") for run in runs] == [
        ("ovs", True),
        ("ovs-afxdp", True),
        ("ovs-dpdk", True),
    ], [run["verdict"] for run in runs]
    assert code == 0
    for found in runs:
        assert_proven(found)
    assert differences(before, state(bench, tmp_path)) == []
    loaded = inside(bench, tmp_path, "sh", "-c", "test -d /sys/module/openvswitch && echo loaded || echo gone")
    assert loaded.strip() == "gone"

    # The NIC is told to put everything into its second queue, and latlab to leave its two queues as they are.
    inside(bench, tmp_path, "ethtool", "-X", "eth0", "weight", "0", "1")
    code, runs = run("{ovs-afxdp: {nic-queues: as-found}}")
    assert code == 2
    assert runs[-1]["verdict"]["value"] == "invalid"
    broken = [found["what"] for found in runs[-1]["evidence"] if not found["ok"]]
    assert any("eth0 rx packets on queue 1, read by nobody" in what for what in broken), runs[-1]["evidence"]
