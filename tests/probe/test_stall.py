# SPDX-License-Identifier: Apache-2.0
"""`latlab-probe stall`: a stall lasts at least as long as it says, and leaves nothing stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.probe.program import probe_program

USAGE, UNABLE = 3, 4


def stall(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [probe_program(), "stall", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)


def test_a_process_is_stopped_for_as_long_as_asked_and_runs_on() -> None:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        done = stall("--pid", str(process.pid), "--for", "20ms")
        state = Path(f"/proc/{process.pid}/status").read_text()
        process.communicate(b"\n", timeout=10)
    if done.returncode == UNABLE:
        pytest.skip(done.stderr)
    said = json.loads(done.stdout)
    assert said["end_ns"] - said["start_ns"] >= 20_000_000
    assert "(stopped)" not in state
    assert process.returncode == 0


def test_a_cpu_is_taken_for_as_long_as_asked() -> None:
    done = stall("--cpu", "0", "--for", "3ms")
    if done.returncode == UNABLE:
        pytest.skip(done.stderr)
    said = json.loads(done.stdout)
    assert said["end_ns"] - said["start_ns"] >= 3_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--for is missing"),
        (("--for", "5ms"), "--cpu N, or --pid N"),
        (("--for", "5ms", "--cpu", "0", "--pid", "7"), "--cpu N, or --pid N"),
        (("--for", "0ns", "--cpu", "0"), "--for"),
        (("--for", "2s", "--cpu", "0"), "1 s at most"),
        (("--for", "5ms", "--pid", "1"), "--pid"),
    ],
)
def test_bad_arguments_are_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = stall(*arguments)
    assert done.returncode == USAGE
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_process_that_is_not_there_is_an_error() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    done = stall("--pid", str(process.pid), "--for", "1ms")
    assert done.returncode == UNABLE
    assert done.stderr.count("\n") == 1
