# SPDX-License-Identifier: Apache-2.0
"""The emulated bench, for real: QEMU, a kernel of the distribution, two 82576, and a guest under the KVM inside.

How long things take depends on who else uses this machine; what is asserted is that the packets went where the run
says, that none was lost without load, and that nothing is left.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from latlab import campaign, session
from latlab.bench.opening import open_bench
from latlab.bench.site import Site
from latlab.hosts.commands import CommandLog
from latlab.report.progress import TerminalProgress
from tests.lab.latlab_command import Command, latlab, runs_of

SCENARIO = """
attachment:
  - baseline
  - user
  - tap-bridge: {vhost: [on, off]}
  - macvtap: {mode: [bridge, passthru]}
  - vfio
  - sriov
  - ovs
  - ovs-afxdp
  - ovs-dpdk
  - xdp
load: none
flow: {direction: down, period: 10ms, count: 100, timeout: 5s}
instruments: [probe, {ping: {count: 3, interval: 100ms}}]
"""
LOADED = """
attachment: tap-bridge
load: {streams: 3, protocol: udp, direction: opposite, rate: 500kbit}
flow: {direction: up, period: 10ms, count: 100}
instruments: [probe, {netperf: {tests: [TCP_RR], transactions: 20}}]
"""
LIMIT_S = 400

Start = Callable[..., Command]


@pytest.fixture
def run_latlab(tmp_path: Path) -> Iterator[Start]:
    """Starts the command line; what it started has ended after the test, whatever happened."""
    commands: list[Command] = []

    def start(*arguments: str) -> Command:
        commands.append(Command(arguments, tmp_path))
        return commands[-1]

    yield start
    for command in commands:
        command.end()


def done(command: Command, limit_s: float = 60) -> Command:
    command.wait(limit_s)
    assert command.defects() == []
    assert "Traceback" not in command.stderr
    return command


def measured(start: Start, folder: Path, text: str) -> list[dict[str, Any]]:
    """The runs of a scenario on the emulated bench, as `latlab show --json` gives them."""
    path, runs = folder / "scenario.yaml", str(folder / "runs")
    path.write_text(text)
    command = done(start("run", str(path), "--runs", runs), LIMIT_S)
    assert command.process.returncode == 0, command.stderr
    assert command.wait_until_all_ended() == {}
    return runs_of(folder)


@pytest.mark.timeout(LIMIT_S + 20)
def test_every_attachment_is_measured_and_proven(run_latlab: Start, tmp_path: Path) -> None:
    runs = measured(run_latlab, tmp_path, SCENARIO)
    assert [run["attachment"] for run in runs] == [
        "baseline",
        "user",
        "tap-bridge vhost=on",
        "tap-bridge vhost=off",
        "macvtap",
        "macvtap mode=passthru",
        "vfio",
        "sriov",
        "ovs",
        "ovs-afxdp",
        "ovs-dpdk",
        "xdp",
    ]
    for run in runs:
        assert run["bench"]["kind"] == "emulated"
        assert run["verdict"]["value"] != "invalid", run["verdict"]
        assert (run["n"], run["lost"]) == (100, 0), run["attachment"]
        assert run["evidence"]
        assert all(found["ok"] for found in run["evidence"])
        one_way = run["metrics"]["down"]
        if run["attachment"] == "baseline":
            assert 0 < one_way["min_ns"] < run["metrics"]["round_trip"]["min_ns"]
        else:
            assert run["timing"]["method"] in ("kvm-tsc", "ptp-kvm"), run["env"].get("timing")
            assert one_way["min_ns"] + one_way["bound_ns"] > 0 < one_way["bound_ns"]


@pytest.mark.timeout(LIMIT_S + 20)
def test_load_from_the_guest_beside_a_flow_out_of_it(run_latlab: Start, tmp_path: Path) -> None:
    (run,) = measured(run_latlab, tmp_path, LOADED)
    assert run["verdict"]["value"] != "invalid", run["verdict"]
    assert run["load_achieved"]["streams"] == 3
    assert run["load_achieved"]["achieved_bps"] > 0.3 * 3 * 500_000
    assert run["instruments"]["netperf TCP_RR"]["mean_ns"] > 0


@pytest.mark.timeout(180)
def test_an_emulator_that_fails_by_itself_is_started_again(run_latlab: Start, tmp_path: Path) -> None:
    """SIGSEGV is what a defect of QEMU looks like; SIGKILL would be somebody's wish."""
    path = tmp_path / "scenario.yaml"
    path.write_text("attachment: baseline\nflow: [{period: 10ms, count: 20}, {period: 10ms, count: 1500}]\n")
    command = run_latlab("run", str(path), "--runs", str(tmp_path / "runs"))
    command.wait_for_process("latlab-probe", "connect")
    while command.stderr.count("lost 0") < 1:
        assert command.process.poll() is None, command.stderr
        time.sleep(0.05)
    time.sleep(2)  # into the second flow, or on the way to it
    os.kill(command.wait_for_process("qemu-system", "-name hypervisor"), signal.SIGSEGV)
    assert command.wait(120) == 0, command.stderr
    assert "the emulator failed, and is started again: hypervisor: QEMU was ended by signal 11" in command.stderr
    assert [run["counts"]["sent"] for run in runs_of(tmp_path)] == [20, 1500]
    listed = latlab("list", "--json", "--runs", str(tmp_path / "runs"), folder=tmp_path).json
    assert [run["status"] for run in listed] == ["done", "failed", "done"]
    assert command.wait_until_all_ended() == {}


@pytest.mark.timeout(LIMIT_S + 20)
def test_a_point_whose_guest_is_lost_is_measured_again(
    run_latlab: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guest's QEMU is killed inside the emulated host, once, while packets flow."""
    path, sites = tmp_path / "scenario.yaml", []
    path.write_text("attachment: tap-bridge\nflow: {period: 10ms, count: 300}\n")

    @contextmanager
    def opened(*words: Any) -> Iterator[Site]:
        with open_bench(*words) as site:
            sites.append(site)
            yield site

    class Killing(TerminalProgress):
        killed = False

        def doing(self, text: str, done: int = 0, of: int = 0) -> None:
            super().doing(text, done, of)
            if text == "measuring" and done > 50 and not self.killed:
                self.killed = True
                host = sites[0].hypervisor
                host.run(["kill", "-9", host.run(["pgrep", "-f", "[-]name guest"]).strip()])

    monkeypatch.setattr(campaign, "open_bench", opened)
    made = session.prepare(str(path), "emulated", [])
    measured = campaign.Campaign(
        made.scenario, made.bench_name, made.bench, tmp_path / "runs", CommandLog(), Killing()
    )  # fmt: skip
    measured.run(made.plan)
    assert [run.document.status for run in measured.done] == ["done"]
    listed = done(run_latlab("list", "--json", "--runs", str(tmp_path / "runs"))).json
    assert [run["status"] for run in listed] == ["failed", "done"]
    (run,) = runs_of(tmp_path)
    assert (run["id"], run["counts"]["sent"]) == (measured.done[0].id, 300)


@pytest.mark.timeout(240)
def test_a_kept_bench_is_visited_and_used_by_one_at_a_time(run_latlab: Start, tmp_path: Path) -> None:
    bench = tmp_path / "kept.yaml"
    bench.write_text("kind: emulated\n")
    one = ("--bench", str(bench))
    assert "is not up" in done(run_latlab("bench", "down", *one)).stderr
    keeper = done(run_latlab("bench", "up", *one), 100)
    assert keeper.process.returncode == 0, keeper.stderr
    assert "is up already" in done(run_latlab("bench", "up", *one)).stderr
    for _ in range(2):
        seen = done(run_latlab("bench", "shell", *one, "peer", "--", "ip", "-br", "addr"))
        assert "198.18.77.2/24" in seen.stdout, seen.stderr
    user = run_latlab("bench", "shell", *one, "hypervisor", "--", "sleep", "3")
    user.wait_for_process("connect", "agent.sock")
    second = done(run_latlab("bench", "shell", *one, "peer", "--", "true"))
    assert "already in use by process" in second.stderr
    done(user)
    assert done(run_latlab("bench", "down", *one)).process.returncode == 0
    assert keeper.wait_until_all_ended() == {}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_controller_is_stopped(
    run_latlab: Start, tmp_path: Path, signo: signal.Signals
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("attachment: tap-bridge\nflow: {period: 10ms, count: 100000}\n")
    command = run_latlab("run", str(path), "--runs", str(tmp_path / "runs"))
    hypervisor = command.wait_for_process("qemu-system", "-name hypervisor")
    folder = next(a for a in Path(f"/proc/{hypervisor}/cmdline").read_text().split("\0") if a.startswith("file:"))
    os.kill(command.process.pid, signo)
    command.wait(60)
    assert command.wait_until_all_ended() == {}
    assert not Path(folder.removeprefix("file:")).parent.exists()
