# SPDX-License-Identifier: Apache-2.0
"""The machine is as it was found, whoever is killed, and whenever.

The controller is killed at 30 moments drawn uniformly over the length of a run, over all attachments, with a load; then
its agent, and both at once, at fewer. `LATLAB_LAB_SEED` repeats the moments of a run whose seed was printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.latlab_command import Command, latlab, statuses
from tests.lab.machine_state import State, lasting_differences

KILLS = 30
AGENT_KILLS = 7
MOST_TRIES = 3
"""For each kill: some moments come after the run's end."""
ATTACHMENTS = ("baseline", "user", "tap-bridge", "macvtap", "ovs-afxdp", "ovs-dpdk", "xdp")
"""Those that need neither a module nor hardware; the others are killed inside the emulated host."""
AGENT = ("latlab-probe", " agent")

SCENARIO = """
attachment: {attachment}
load: {{streams: 2, protocol: udp, direction: same, rate: 2Mbit}}
flow: {{period: 1ms, count: 300, timeout: 200ms}}
instruments: [probe, ping: {{count: 5, interval: 10ms}}]
"""


@dataclass(frozen=True)
class Short:
    """One short run of each attachment, and how long it takes when nobody disturbs it."""

    scenario: Path
    runs: Path
    length_s: float

    def arguments(self) -> list[str]:
        return ["run", str(self.scenario), "--bench", "local", "--runs", str(self.runs)]


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("LATLAB_LAB_SEED") or random.SystemRandom().randrange(1 << 32))


@pytest.fixture(scope="module")
def shorts(tmp_path_factory: pytest.TempPathFactory) -> list[Short]:
    """The runs, each once to its end: they succeed, and their length is known."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    folder = tmp_path_factory.mktemp("short")
    found = []
    for attachment in ATTACHMENTS:
        scenario = folder / f"{attachment}.yaml"
        scenario.write_text(SCENARIO.format(attachment=attachment))
        short = Short(scenario, folder / "runs", 0)
        started = time.monotonic()
        command = latlab(*short.arguments(), folder=folder)
        assert command.process.returncode == 0, command.stderr
        found.append(Short(scenario, folder / "runs", time.monotonic() - started))
    return found


def disturb(short: Short, folder: Path, moment_s: float, victims: Sequence[str]) -> tuple[Command, bool]:
    """Starts the run and kills at the moment, or as soon after it as there is somebody. False: the run was shorter."""
    command = Command(short.arguments(), folder)
    try:
        command.process.wait(moment_s)
        return command, False
    except subprocess.TimeoutExpired:
        pass  # as it should be: it still runs
    pids = [command.process.pid] if "controller" in victims else []
    agents: list[int] = []
    while "agent" in victims and not agents and command.process.poll() is None:
        agents = [pid for pid, line in command.processes().items() if all(word in line for word in AGENT)]
    killed = 0
    for pid in [*pids, *agents]:
        try:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        except ProcessLookupError:
            continue  # it ended by itself a moment ago
    return command, killed > 0 and (bool(agents) or "agent" not in victims)


def left_by(command: Command, before: State, folder: Path, *, cleanup: bool) -> list[str]:
    """What a run left behind, once all of it has ended, or should have. With `cleanup`, after `latlab cleanup`."""
    if command.process.poll() is None:
        command.wait()
    left = [f"process: {line}" for line in command.wait_until_all_ended().values()]
    if cleanup:
        done = latlab("cleanup", folder=folder)
        left += [f"cleanup: {done.stderr}"] if done.process.returncode else []
    left += lasting_differences(before)
    left += [f"defect: {text}" for text in command.defects()]
    left += [f"a traceback was shown: {command.stderr}"] if "Traceback" in command.stderr else []
    command.end()
    return left


def kill_at_random(
    shorts: Sequence[Short], seed: int, kills: int, victims: Sequence[str], before: State, folder: Path
) -> None:
    """Kills so many times, in turn in each run. A moment that came too late does not count: the run was shorter."""
    moments = random.Random(seed)
    lengths_s = [short.length_s for short in shorts]
    hits = tries = 0
    failures: list[str] = []
    while hits < kills and tries < MOST_TRIES * kills and not failures:
        which = hits % len(shorts)
        moment_s = moments.uniform(0, lengths_s[which])
        started = time.monotonic()
        command, hit = disturb(shorts[which], folder, moment_s, victims)
        if not hit:
            lengths_s[which] = min(lengths_s[which], time.monotonic() - started)
        tries, hits = tries + 1, hits + hit
        # The agent of a dead controller undoes everything by itself; a dead agent's journal is for the next one.
        left = left_by(command, before, folder, cleanup="agent" in victims)
        failures += [f"{shorts[which].scenario.stem}, killed after {moment_s:.3f} s: {line}" for line in left]
    if failures:
        latlab("cleanup", folder=folder)
    assert not failures, "\n".join([f"LATLAB_LAB_SEED={seed}", *failures])
    assert hits == kills, f"only {hits} of {kills} kills came in time; LATLAB_LAB_SEED={seed}"


def only_whole_or_interrupted(shorts: Sequence[Short]) -> None:
    """Every run directory can be read again, and none of those cut off says that it is done."""
    found = statuses(shorts[0].runs, shorts[0].runs.parent)
    assert {status for status, _ in found} <= {"done", "interrupted", "failed"}
    assert all(verdict in ("valid", "suspect") for status, verdict in found if status == "done")


@pytest.mark.timeout(420)
def test_killing_the_controller_at_any_moment_leaves_nothing(
    shorts: list[Short], seed: int, before: State, tmp_path: Path
) -> None:
    """The agent of a controller that was killed ends what runs and undoes what was changed, without being asked."""
    kill_at_random(shorts, seed, KILLS, ["controller"], before, tmp_path)
    only_whole_or_interrupted(shorts)
    assert latlab("cleanup", folder=tmp_path).stdout == "nothing to undo\n"


@pytest.mark.parametrize("victims", [["agent"], ["agent", "controller"]], ids=["agent", "both"])
def test_killing_the_agent_leaves_what_cleanup_undoes(
    shorts: list[Short], seed: int, before: State, tmp_path: Path, victims: list[str]
) -> None:
    """Nobody is left who knows, but the journal: `latlab cleanup` replays it."""
    kill_at_random(shorts, seed, AGENT_KILLS, victims, before, tmp_path)
    only_whole_or_interrupted(shorts)
