# SPDX-License-Identifier: Apache-2.0
"""Two emulated machines, reached as boards are: what they measure, and what is said when one of them is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.latlab_command import Command, latlab

SCENARIO = """
attachment: [baseline, tap-bridge]
flow: {direction: down, period: 10ms, count: 100, timeout: 5s}
instruments: [probe, {ping: {count: 3, interval: 100ms}}]
"""
LONG = "attachment: baseline\nflow: {period: 10ms, count: 100000}\n"
RECORD_BYTES = 136
LEAST_PACKETS = 100

Start = Callable[..., Command]


def begin(start: Start, folder: Path, scenario: str, bench: str = "emulated-pair") -> Command:
    (folder / "mine.yaml").write_text(scenario)
    return start("run", str(folder / "mine.yaml"), "--bench", bench, "--runs", str(folder / "runs"))


def shown(folder: Path) -> list[Any]:
    runs = ("--runs", str(folder / "runs"), "--json")
    listed = latlab("list", *runs, folder=folder).json
    return [latlab("show", run["id"], *runs, folder=folder).json for run in listed]


@pytest.mark.timeout(200)
def test_baseline_and_a_guest_with_two_clocks(start: Start, tmp_path: Path) -> None:
    command = begin(start, tmp_path, SCENARIO)
    assert command.wait(180) == 0, command.stderr
    runs = shown(tmp_path)
    assert [run["attachment"] for run in runs] == ["baseline", "tap-bridge"]
    for run in runs:
        assert run["bench"]["kind"] == "emulated"
        assert "2 machines" in run["bench"]["headline"]
        assert run["verdict"]["value"] != "invalid", run["verdict"]
        assert (run["n"], run["lost"]) == (100, 0)
        assert all(found["ok"] for found in run["evidence"])
        # Without a bound there is no number between two clocks.
        assert "not_measured" in run["metrics"]["down"] or run["metrics"]["down"]["bound_ns"] > 0
        assert (Path(run["path"]) / "logs/peer-console.log").exists()
        assert run["versions"]["kernel of the peer"] == run["versions"]["kernel of the hypervisor"]
    boots = [len({run["timescales"]["sender"], run["timescales"]["reflector"]}) for run in runs]
    assert boots == [2, 2]


@pytest.mark.timeout(120)
def test_a_peer_that_is_gone_while_packets_flow_is_named_and_the_rest_is_kept(start: Start, tmp_path: Path) -> None:
    command = begin(start, tmp_path, LONG)
    limit = time.monotonic() + 80
    while sum(f.stat().st_size for f in tmp_path.glob("runs/*/samples.raw")) < 2 * LEAST_PACKETS * RECORD_BYTES:
        assert command.process.poll() is None, command.stderr
        assert time.monotonic() < limit, command.stderr
        time.sleep(0.1)
    os.kill(command.wait_for_process("qemu-system", "-name peer"), signal.SIGKILL)
    assert command.wait(30) == 4
    complaint = command.complaint()
    assert len(complaint) <= 2, command.stderr
    assert "peer was ended, or answers no more" in complaint[0]
    (run,) = shown(tmp_path)
    assert (run["status"], run["verdict"]["value"]) == ("failed", "invalid")
    assert "peer: the connection was lost" in "; ".join(run["verdict"]["reasons"])
    assert run["n"] >= LEAST_PACKETS


@pytest.mark.timeout(60)
def test_nothing_is_left_of_it_when_the_controller_is_killed(start: Start, tmp_path: Path) -> None:
    command = begin(start, tmp_path, LONG)
    peer = command.wait_for_process("qemu-system", "-name peer")
    words = Path(f"/proc/{peer}/cmdline").read_text().split("\0")
    (cable,) = (word for word in words if word.startswith("dgram,"))
    folder = Path(cable.partition("local.path=")[2].partition(",")[0]).parent
    assert (folder / "known_hosts").exists()
    os.kill(command.process.pid, signal.SIGKILL)
    assert command.wait_until_all_ended() == {}
    assert not folder.exists()


@pytest.mark.timeout(60)
def test_it_is_not_kept_up(start: Start) -> None:
    command = start("bench", "up", "--bench", "emulated-pair")
    assert command.wait() == 4
    assert "of one machine can be kept up" in command.complaint()[0]
    assert "latlab run" in command.complaint()[1]


def test_a_rehearsal_says_on_which_machine(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    words = ("--bench", "emulated-pair", "--dry-run", "--show-commands")
    command = start("run", str(tmp_path / "mine.yaml"), *words)
    assert command.wait() == 0
    assert "ssh -- peer 'latlab-probe send " in command.stdout
    assert subprocess.run(["sh", "-n"], input=command.stdout, text=True, check=False).returncode == 0


def test_the_doctor_knows_what_it_needs(start: Start) -> None:
    command = start("doctor", "emulated-pair", "--json")
    command.wait()
    (bench,) = json.loads(command.stdout)["benches"]
    assert bench["about"].startswith("2 machines")
    assert bench["attachments"]["baseline"]["ready"], bench
