# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped, or loses a program: one clear line, what was measured is kept, nothing is left.

Everything here happens while packets are being measured; `test_undo` takes the other moments.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latlab.stats.records import HEADER_BYTES, RECORD_BYTES
from latlab.store.samples import RAW_NAME
from tests.lab.latlab_command import Command, latlab

SCENARIO = """
attachment: {attachment}
load: {{streams: 2, protocol: udp, direction: same, rate: 2Mbit}}
flow: {{period: 1ms, count: {count}, timeout: 200ms}}
instruments: [probe]
"""
LEAST_PACKETS = 100
"""That have come home before something happens; three times as many records are waited for, since some may be lost."""
MEASURING_LIMIT_S = 60

Start = Callable[..., Command]


def records(folder: Path) -> int:
    """How many packets of the one run are on disk."""
    sizes = [path.stat().st_size for path in folder.glob(f"runs/*/{RAW_NAME}")]
    return max(0, sum(sizes) - HEADER_BYTES) // RECORD_BYTES


@pytest.fixture
def measuring(start: Start, tmp_path: Path) -> Callable[..., Command]:
    """Starts a run, a minute of packets long if nobody ends it, and returns while it measures."""

    def begin(attachment: str = "baseline", count: int = 60_000) -> Command:
        (tmp_path / "long.yaml").write_text(SCENARIO.format(attachment=attachment, count=count))
        command = start("run", str(tmp_path / "long.yaml"), "--bench", "local", "--runs", str(tmp_path / "runs"))
        limit = time.monotonic() + MEASURING_LIMIT_S
        while records(tmp_path) < 3 * LEAST_PACKETS:
            assert command.process.poll() is None, command.stderr
            assert time.monotonic() < limit, "no packets came"
            time.sleep(0.05)
        return command

    return begin


def the_run(tmp_path: Path) -> Any:
    """The one run, as `latlab show --json` reads it."""
    shown = latlab("show", "latest", "--json", "--runs", str(tmp_path / "runs"), folder=tmp_path)
    assert shown.process.returncode == 0, shown.stderr
    return shown.json


def assert_kept(run: Any, *, status: str, reason: str) -> None:
    """Status and reason are said, and the packets measured until then are there."""
    assert run["status"] == status
    assert run["verdict"]["value"] == "invalid"
    assert reason in "; ".join(run["verdict"]["reasons"])
    assert run["counts"]["sent"] >= LEAST_PACKETS
    assert run["n"] >= LEAST_PACKETS


@pytest.mark.parametrize("signals", [["INT"], ["TERM"], ["HUP"], ["INT", "INT"]], ids="-".join)
@pytest.mark.parametrize("attachment", ["baseline", "tap-bridge"])
def test_stopped_by_a_signal(
    measuring: Callable[..., Command], tmp_path: Path, attachment: str, signals: list[str]
) -> None:
    """Everything is cleaned, the samples are kept, the run says that it was interrupted."""
    command = measuring(attachment)
    for name in signals:
        os.kill(command.process.pid, signal.Signals[f"SIG{name}"])
        time.sleep(0.15)
    started = time.monotonic()
    assert command.wait(15) == 130
    assert time.monotonic() - started < 8
    assert command.complaint() == ["latlab: stopped; the machine is as it was found"]
    assert_kept(the_run(tmp_path), status="interrupted", reason="stopped by the user")


def test_stopped_before_the_guest_answers(start: Start, tmp_path: Path) -> None:
    command = start("run", "minimal", "--bench", "local", "--runs", str(tmp_path / "runs"))
    command.wait_for_process("qemu-system", "-name guest")
    os.kill(command.process.pid, signal.SIGINT)
    assert command.wait(10) == 130
    assert the_run(tmp_path)["status"] == "interrupted"


@pytest.mark.parametrize(
    ("attachment", "victim", "reason"),
    [
        ("baseline", ["latlab-probe", " send "], "the sender failed on peer"),
        ("baseline", ["latlab-probe", " reflect "], "the reflector ended before the sender"),
        ("tap-bridge", ["qemu-system", "-name guest"], "the reflector ended before the sender: guest: the connection"),
        ("baseline", ["latlab-probe", " agent"], "the connection was lost"),
    ],
    ids=["sender", "reflector", "qemu", "agent"],
)
def test_a_program_that_the_run_needs_is_killed(
    measuring: Callable[..., Command], tmp_path: Path, attachment: str, victim: list[str], reason: str
) -> None:
    """The run ends soon, and says what became of it."""
    command = measuring(attachment)
    os.kill(command.wait_for_process(*victim), signal.SIGKILL)
    assert command.wait(15) == 4
    assert len(command.complaint()) <= 2, command.stderr
    assert_kept(the_run(tmp_path), status="failed", reason=reason)


@pytest.mark.parametrize("victim", ["iperf3 -s", "iperf3 -c"])
def test_a_load_that_is_killed_makes_the_run_invalid(
    measuring: Callable[..., Command], tmp_path: Path, victim: str
) -> None:
    """The packets are measured to the end, and not to be believed."""
    command = measuring(count=3000)
    os.kill(command.wait_for_process(victim), signal.SIGKILL)
    assert command.wait(20) == 2
    run = the_run(tmp_path)
    assert (run["status"], run["verdict"]["value"], run["n"]) == ("done", "invalid", 3000)
    assert run["load_achieved"]["ran"] is False
    assert "the load did not run" in run["verdict"]["reasons"][0]


def test_a_netserver_that_is_killed_is_not_measured(start: Start, tmp_path: Path) -> None:
    """What the probe measured before is kept, and valid."""
    (tmp_path / "netperf.yaml").write_text(
        "attachment: baseline\nflow: {count: 200}\n"
        "instruments: [probe, netperf: {tests: [TCP_RR], transactions: 10000000}]\n"
    )
    command = start("run", str(tmp_path / "netperf.yaml"), "--bench", "local", "--runs", str(tmp_path / "runs"))
    command.wait_for_process("netperf -H")
    time.sleep(0.5)
    servers = [pid for pid, line in command.processes().items() if line.startswith("netserver")]
    assert len(servers) >= 2  # it makes one more for each client
    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    assert command.wait(20) == 0
    run = the_run(tmp_path)
    assert (run["status"], run["n"], run["counts"]["lost"]) == ("done", 200, 0)
    assert run["instruments"]["netperf TCP_RR"]["not_measured"]
