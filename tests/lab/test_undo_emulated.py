# SPDX-License-Identifier: Apache-2.0
"""Every attachment, killed in its middle inside the emulated host: the host is as it was found.

One emulated host is kept for all of them. The controller is killed at a moment drawn over the life of its attachment;
the host's agent notices, ends what runs and undoes what was changed. `LATLAB_LAB_SEED` repeats the moments.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from latlab.attachment import KINDS
from tests.lab.latlab_command import ROOT, Command
from tests.lab.machine_state import State, differences, state_from

LIMIT_S = 120
SETTLED_S = 30
"""How long the agent may take to undo: inside the emulated host each command takes tens of milliseconds."""
MIDDLE_S = (0.5, 6.0)
"""After the attachment's first change: while it is made, while the guest boots, while packets flow."""

SCENARIO = """
attachment: {kind}
load: {{streams: 1, protocol: udp, rate: 500kbit}}
flow: {{period: 10ms, count: 100000}}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of an emulated bench that is up."""
    folder = tmp_path_factory.mktemp("undo")
    path = folder / "undone.yaml"
    path.write_text("kind: emulated\n")
    keeper = Command(["bench", "up", "--bench", str(path)], folder)
    keeper.wait(LIMIT_S)
    assert keeper.process.returncode == 0, keeper.stderr
    yield path
    down = Command(["bench", "down", "--bench", str(path)], folder)
    down.wait(LIMIT_S)
    left = keeper.wait_until_all_ended()
    keeper.end()
    assert down.process.returncode == 0, down.stderr
    assert left == {}


def inside(bench: Path, folder: Path, *words: str) -> str:
    """What a program prints inside the emulated host, whose bench is made for it and undone after it."""
    command = Command(["bench", "shell", "--bench", str(bench), "hypervisor", "--", *words], folder)
    command.wait(LIMIT_S)
    assert command.process.returncode == 0, command.stderr
    return command.stdout


def state(bench: Path, folder: Path) -> State:
    # The emulated host sees this machine's files, and so these very tests.
    script = f"cd {ROOT} && exec {sys.executable} -B -m tests.lab.machine_state"
    ours = {path.name for path in Path("/tmp").iterdir()}
    found = state_from(inside(bench, folder, "sh", "-c", script))
    ours |= {path.name for path in Path("/tmp").iterdir()}
    # It sees this machine's own /tmp too, where other agents live.
    return {**found, "folders": found["folders"] - ours}


def settled(bench: Path, folder: Path) -> State:
    """Once duplicate address detection has ended: the bench may have come up a moment ago."""
    limit = time.monotonic() + SETTLED_S
    found = state(bench, folder)
    while any('"tentative"' in line for line in found["addresses"]) and time.monotonic() < limit:
        time.sleep(0.5)
        found = state(bench, folder)
    return found


def kill_in_the_middle(kind: str, bench: Path, folder: Path, moment_s: float) -> None:
    scenario = folder / "scenario.yaml"
    scenario.write_text(SCENARIO.format(kind=kind))
    runs = folder / "runs"
    command = Command(["run", str(scenario), "--bench", str(bench), "--runs", str(runs)], folder)
    try:
        limit = time.monotonic() + LIMIT_S
        # Its directory is written when the bench is ready, and before the attachment is made.
        while not list(runs.glob("*/run.json")):
            assert command.process.poll() is None, command.stderr
            assert time.monotonic() < limit, command.stderr
            time.sleep(0.02)
        with pytest.raises(subprocess.TimeoutExpired):
            command.process.wait(moment_s)  # or else it ended by itself: nobody would have been killed
        os.kill(command.process.pid, signal.SIGKILL)
        command.process.wait(LIMIT_S)
        assert command.wait_until_all_ended() == {}
    finally:
        command.end()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "existing"])
def test_killed_in_its_middle_an_attachment_is_undone(kind: str, bench: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("LATLAB_LAB_SEED") or random.SystemRandom().randrange(1 << 32))
    moment_s = random.Random(f"{seed} {kind}").uniform(*MIDDLE_S)
    before = settled(bench, tmp_path)
    kill_in_the_middle(kind, bench, tmp_path, moment_s)
    limit = time.monotonic() + SETTLED_S
    while (left := differences(before, state(bench, tmp_path))) and time.monotonic() < limit:
        time.sleep(0.5)
    assert left == [], f"killed after {moment_s:.3f} s; LATLAB_LAB_SEED={seed}\n" + "\n".join(left)
