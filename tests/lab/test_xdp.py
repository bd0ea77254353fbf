# SPDX-License-Identifier: Apache-2.0
"""The xdp attachment with packets: native and generic, on veth and on an emulated 82576; what it does not touch; and
that a run whose packets went another way is not believed.

What is left on the machine is compared by `start` (conftest), offloads, mounts, BPF programs and pins included.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latlab.hosts.local import forwarder_path
from tests.lab.bpf_calls import Map
from tests.lab.latlab_command import Command, latlab
from tests.lab.machine_state import is_root

Start = Callable[..., Command]

NIC, PEER_NIC = "llxdpt0", "llxdpt1"
COUNT = 200
FLOW = f"flow: {{period: 5ms, count: {COUNT}}}"
BOTH_MODES = f"attachment: [xdp: {{mode: [native, generic]}}]\n{FLOW}\n"
LONG = "attachment: xdp\nflow: {period: 5ms, count: 1200, timeout: 200ms}\n"
CPU_REASON = "whole period late"
LIMIT_S = 280


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Path]:
    """Two NICs of this machine's own, cabled to each other, and the file of a local bench that uses them."""
    if not is_root():
        pytest.skip("needs root")
    run("ip", "link", "add", NIC, "type", "veth", "peer", "name", PEER_NIC)
    path = tmp_path / "cabled.yaml"
    path.write_text(f"kind: local\nnic: {NIC}\npeer-nic: {PEER_NIC}\n")
    yield path
    run("ip", "link", "del", "dev", NIC)


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def begin(start: Start, folder: Path, bench: Path, text: str) -> Command:
    (folder / "scenario.yaml").write_text(text)
    return start("run", str(folder / "scenario.yaml"), "--bench", str(bench), "--runs", str(folder / "runs"))


def shown(folder: Path) -> list[dict[str, Any]]:
    runs = str(folder / "runs")
    listed = latlab("list", "--json", "--runs", runs, folder=folder).json
    return [latlab("show", run["id"], "--json", "--runs", runs, folder=folder).json for run in listed]


def assert_proven(run: dict[str, Any], mode: str) -> None:
    assert run["status"] == "done", run["verdict"]
    assert all(CPU_REASON in reason for reason in run["verdict"]["reasons"]), run["verdict"]
    assert (run["n"], run["lost"]) == (COUNT, 0)
    evidence = {found["what"]: found for found in run["evidence"]}
    assert all(found["ok"] for found in evidence.values())
    for way in ("NIC", "tap"):
        redirected = evidence[f"flow: XDP redirected from {way}"]
        assert redirected["after"] - redirected["before"] >= COUNT
        assert f"flow: XDP left to the bridge from {way}: passed: unknown" in evidence
    assert sum(f"our program, in {mode} mode" in what for what in evidence) == 2


@pytest.mark.timeout(LIMIT_S + 20)
def test_both_modes_on_this_machine(start: Start, cable: Path, tmp_path: Path) -> None:
    command = begin(start, tmp_path, cable, BOTH_MODES)
    assert command.wait(LIMIT_S) == 0, command.stderr
    native, generic = shown(tmp_path)
    assert_proven(native, "native")
    assert_proven(generic, "generic")


@pytest.mark.timeout(LIMIT_S + 20)
def test_large_frames_need_generic_mode(start: Start, cable: Path, tmp_path: Path) -> None:
    """Native XDP takes one page; the error says what does work, and it does."""
    large = f"{BOTH_MODES.replace('count:', 'size: 8000B, count:')}nic: {{mtu: 9000B}}\n"
    command = begin(start, tmp_path, cable, large)
    assert command.wait(LIMIT_S) == 4
    # Both may have begun in the same second: by what they are, not by their order.
    found = {run["attachment"]: run for run in shown(tmp_path)}
    generic = found.pop("xdp mode=generic")
    (native,) = found.values()
    assert native["status"] == "failed"
    assert "MTU" in native["verdict"]["reasons"][0]
    assert "mode: generic" in native["verdict"]["reasons"][0]
    assert_proven(generic, "generic")


def test_somebody_s_program_is_refused_and_stays(start: Start, cable: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bpf"
    folder.mkdir()
    run("mount", "-t", "bpf", "bpf", str(folder))
    try:
        run("bpftool", "prog", "loadall", forwarder_path(), f"{folder}/theirs", "type", "xdp")
        (program,) = (folder / "theirs").iterdir()
        run("bpftool", "net", "attach", "xdp", "pinned", str(program), "dev", NIC)
        theirs = attached_program()
        command = begin(start, tmp_path, cable, f"attachment: xdp\n{FLOW}\n")
        assert command.wait() == 4
        assert attached_program() == theirs
        (found,) = shown(tmp_path)
        assert f"{NIC} has an XDP program already, with the id {theirs}" in found["verdict"]["reasons"][0]
    finally:
        run("bpftool", "net", "detach", "xdp", "dev", NIC)
        run("umount", str(folder))


def attached_program() -> int:
    found = json.loads(run("ip", "-j", "-d", "link", "show", "dev", NIC))[0]
    return int(found["xdp"]["prog"]["id"])


@pytest.fixture
def measuring(start: Start, cable: Path, tmp_path: Path) -> tuple[Command, Path]:
    """A run of 6 s in its first second, and the folder of its BPF objects."""
    command = begin(start, tmp_path, cable, LONG)
    command.wait_for_process("latlab-probe", " send ", "--count 1200")
    time.sleep(0.5)
    (agent,) = (pid for pid, line in command.processes().items() if "latlab-probe" in line and " agent" in line)
    mounts = [line.split()[1] for line in Path(f"/proc/{agent}/mounts").read_text().splitlines()]
    (folder,) = (Path(path) for path in mounts if path.startswith("/tmp/latlab-") and path.endswith("-bpf"))
    return command, folder


def invalid_for(command: Command, folder: Path) -> str:
    assert command.wait() == 2, command.stderr
    (found,) = shown(folder)
    assert (found["status"], found["verdict"]["value"]) == ("done", "invalid")
    return "\n".join(found["verdict"]["reasons"])


def test_a_program_that_is_taken_off_makes_the_run_invalid(measuring: tuple[Command, Path], tmp_path: Path) -> None:
    """The bridge carries the packets from then on: they arrive, and are not what the run says."""
    command, folder = measuring
    for port in (NIC, "lltap0"):
        run("bpftool", "link", "detach", "pinned", f"{folder}/link-{port}")
    reasons = invalid_for(command, tmp_path)
    assert f"{NIC} has our program, in native mode, and no other: not so" in reasons
    assert "flow: XDP redirected from NIC went from" in reasons
    (found,) = shown(tmp_path)
    assert found["counts"]["replied"] > 1000, "the bridge behind it carried the others"


def test_stations_that_are_forgotten_make_the_run_invalid(measuring: tuple[Command, Path], tmp_path: Path) -> None:
    """They are learnt again at once, but each loss sends packets over the bridge."""
    command, folder = measuring
    stations = Map(f"{folder}/maps/stations", 8, 16)
    while command.pid_of("latlab-probe", " send ", "--count 1200"):
        for _ in range(20):
            for key in list(stations.every_key()):
                stations.delete(key)
            time.sleep(0.001)
    stations.close()
    reasons = invalid_for(command, tmp_path)
    assert "XDP left to the bridge from" in reasons


@pytest.mark.parametrize("victim", ["controller", "agent"])
def test_killed_in_the_middle(measuring: tuple[Command, Path], tmp_path: Path, victim: str) -> None:
    """Programs and links outlive processes: what takes them off is the journal. `start` looks at what is left."""
    command, folder = measuring
    if victim == "controller":
        os.kill(command.process.pid, signal.SIGKILL)
        command.wait()
        assert command.wait_until_all_ended() == {}
    else:
        os.kill(command.wait_for_process("latlab-probe", " agent"), signal.SIGKILL)
        command.wait()
        assert latlab("cleanup", folder=tmp_path).process.returncode == 0
    assert not folder.exists()
    assert "xdp" not in json.loads(run("ip", "-j", "-d", "link", "show", "dev", NIC))[0]


@pytest.mark.timeout(LIMIT_S + 20)
def test_both_modes_on_an_emulated_nic_with_vhost(tmp_path: Path) -> None:
    bench, scenario = tmp_path / "xdp-emulated.yaml", tmp_path / "scenario.yaml"
    bench.write_text("kind: emulated\n")
    scenario.write_text(BOTH_MODES.replace("[native, generic]", "[native, generic], vhost: on"))
    command = Command(["run", str(scenario), "--bench", str(bench), "--runs", str(tmp_path / "runs")], tmp_path)
    try:
        assert command.wait(LIMIT_S) == 0, command.stderr
        assert command.wait_until_all_ended() == {}
    finally:
        command.end()
    for found, mode in zip(shown(tmp_path), ("native", "generic"), strict=True):
        assert_proven(found, mode)
        assert any("vhost is on" in item["what"] for item in found["evidence"])
