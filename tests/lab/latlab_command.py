# SPDX-License-Identifier: Apache-2.0
"""The real command line, as a user runs it, in an environment that a test can look into.

Each `Command` has a mark of its own in its environment, which everything that it starts inherits: by it the test finds
the agent, QEMU, the probes and the loads of this very run, and knows when all of them have ended.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lab.machine_state import MARK, marked_processes

ROOT = Path(__file__).parents[2]
LIMIT_S = 90
END_LIMIT_S = 20
"""How long an agent may take to end what it runs and to undo what was changed."""


class Command:
    """One run of `latlab ARGUMENTS`. Its output goes to files, so that it never waits for us."""

    def __init__(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str | None] | None = None,
                 prefix: Sequence[str] = ()) -> None:  # fmt: skip
        self.mark = secrets.token_hex(8)
        self.arguments = list(arguments)
        self.folder = folder / f"command-{self.mark}"
        self.folder.mkdir(parents=True)
        # What latlab writes about a defect of its own goes to TMPDIR, where we look for it.
        wanted = {MARK: self.mark, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(self.folder), **(env or {})}
        environment = {k: v for k, v in {**os.environ, **wanted}.items() if v is not None}
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("w") as err:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "latlab", *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, cwd=ROOT, start_new_session=True,
            )  # fmt: skip

    @property
    def stdout(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "err").read_text()

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    def wait(self, limit_s: float = LIMIT_S) -> int:
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"latlab {' '.join(self.arguments)} did not end:\n{self.stderr}") from None

    def processes(self) -> dict[int, str]:
        return marked_processes(self.mark)

    def pid_of(self, *words: str) -> int | None:
        """The process whose command line holds all of `words`, if there is one now."""
        for pid, line in self.processes().items():
            if all(word in line for word in words):
                return pid
        return None

    def wait_for_process(self, *words: str, limit_s: float = 30) -> int:
        limit = time.monotonic() + limit_s
        while (pid := self.pid_of(*words)) is None:
            if time.monotonic() > limit or self.process.poll() is not None:
                raise AssertionError(f"no process with {words} came:\n{self.stderr}")
            time.sleep(0.02)
        return pid

    def wait_until_all_ended(self, limit_s: float = END_LIMIT_S) -> dict[int, str]:
        """What still runs of it when the time is over: nothing, as it should be."""
        limit = time.monotonic() + limit_s
        while (left := self.processes()) and time.monotonic() < limit:
            time.sleep(0.05)
        return left

    def end(self) -> None:
        """For a test that failed: nothing of it may run on."""
        for pid in [*self.processes(), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def defects(self) -> list[str]:
        """What latlab wrote about defects of its own."""
        return [p.read_text() for p in self.folder.glob("latlab-defect-*")]

    def complaint(self) -> list[str]:
        """The lines on standard error that are no progress: an error's first line and its hint's."""
        lines = self.stderr.splitlines()
        starts = [i for i, line in enumerate(lines) if line.startswith(("latlab:", "Error:", "Usage:"))]
        return lines[starts[0] :] if starts else []


def latlab(*arguments: str, folder: Path, env: Mapping[str, str | None] | None = None,
           prefix: Sequence[str] = ()) -> Command:  # fmt: skip
    """Runs it to its end."""
    command = Command(arguments, folder, env, prefix)
    command.wait()
    return command


def statuses(runs: Path, folder: Path) -> list[tuple[str, str]]:
    """(status, verdict) of every run directory, as `latlab list --json` reads them, oldest first."""
    found = latlab("list", "--runs", str(runs), "--json", folder=folder)
    assert found.process.returncode == 0, found.stderr
    return [(run["status"], run["verdict"]) for run in found.json]


def runs_of(folder: Path, runs: str = "runs") -> list[dict[str, Any]]:
    """Every run under `folder/runs`, oldest first, as `latlab show --json` reads it; of a point that was measured
    again, because the emulator had failed, only the run that counts."""
    at = ("--json", "--runs", str(folder / runs))
    listed = latlab("list", *at, folder=folder).json
    found = [latlab("show", *at, run["id"], folder=folder).json for run in listed]
    return [run for run in found if not run["again"]]
