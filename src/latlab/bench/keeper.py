# SPDX-License-Identifier: Apache-2.0
"""`latlab bench up`: a process that keeps an emulated machine running between runs, and nothing else.

It holds the agent whose child QEMU is; when it ends, QEMU does. Runs visit the machine's agent over its socket, one at
a time. `python -m latlab.bench.keeper NAME FILE` is started by `start`, and writes one line when the machine answers,
or when it will not: a JSON list of the error and its hint. Everything else that it has to say goes to a log file.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from latlab.bench.lock import holder, locked, state_folder
from latlab.errors import BenchError, LatlabError
from latlab.guest.machine import MachineSpec, start_machine
from latlab.hosts import interrupt
from latlab.hosts.local import open_local_host
from latlab.scenario.bench_model import EmulatedBench, load_bench

READY = "ready"
START_LIMIT_S = 90
STOP_LIMIT_S = 20
LOOK_S = 0.1
"""How soon a Ctrl-C is noticed while we wait."""


@dataclass(frozen=True)
class Kept:
    """A machine that a keeper keeps."""

    pid: int
    folder: str
    spec: MachineSpec
    bench: str
    """The `fingerprint` of the bench file that it was started with."""


def fingerprint(bench: EmulatedBench) -> str:
    """The same for two bench files that ask for the same bench."""
    return hashlib.sha256(bench.model_dump_json().encode()).hexdigest()


def _state(name: str) -> Path:
    return state_folder() / f"kept-{name}.json"


def log_file(name: str) -> Path:
    """What the newest keeper of that name had to say."""
    return state_folder() / f"keeper-{name}.log"


def kept(name: str) -> Kept | None:
    """The kept machine of that name; `None` when nobody keeps one (a state file without a keeper is ignored)."""
    if holder(f"keeper-{name}") is None:
        return None
    try:
        state = json.loads(_state(name).read_text())
    except FileNotFoundError:
        return None  # it has not come up yet, or is on its way down
    fields = state["spec"] | {k: Path(state["spec"][k]) for k in ("kernel", "initramfs")}
    return Kept(state["pid"], state["folder"], MachineSpec(**fields), state.get("bench", ""))


def kept_for(name: str, bench: EmulatedBench) -> Kept | None:
    """Like `kept`. BenchError when the machine was started with other settings than `bench` asks for."""
    found = kept(name)
    if found is not None and found.bench != fingerprint(bench):
        raise BenchError(
            f"the bench {name} that is up was started with other settings than its file has now",
            hint="Start it anew: latlab bench down, then latlab bench up, with the same --bench.",
        )
    return found


def _refuse_if_up(name: str) -> None:
    if kept(name):
        raise BenchError(
            f"the bench {name} is up already", hint="latlab bench shell opens a shell in it, latlab bench down ends it."
        )


def start(name: str, bench_file: Path) -> float:
    """Starts a keeper and waits for its machine: how many seconds that took.

    BenchError when one is there already, when somebody uses the bench, or when it does not come up. However it ends
    early, by Ctrl-C too, the keeper that it started is ended.
    """
    _refuse_if_up(name)
    with locked(f"bench-{name}", what=f"the bench {name}"):
        _refuse_if_up(name)
        started = time.monotonic()
        with log_file(name).open("w") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "latlab.bench.keeper", name, str(bench_file.absolute())],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True, text=True,
            )  # fmt: skip
        assert child.stdout
        try:
            with child.stdout as words:
                _wait_until_ready(name, child, words)
        except BaseException:
            _end(child)
            raise
        child.returncode = 0  # it outlives us on purpose: no warning that it still runs
        return time.monotonic() - started


def _wait_until_ready(name: str, child: subprocess.Popen[str], words: IO[str]) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while not select.select([words], [], [], LOOK_S)[0]:
        interrupt.check()
        if time.monotonic() > limit:
            raise BenchError(
                f"the bench {name} did not come up within {START_LIMIT_S} s",
                hint=f"Is this machine overloaded? Its keeper's log: {log_file(name)}",
            )
    line = words.readline().rstrip("\n")
    if line == READY:
        return
    code = child.wait(STOP_LIMIT_S)
    if not line:
        raise BenchError(
            f"the keeper of the bench {name} ended with exit code {code}", hint=f"Its log: {log_file(name)}"
        )
    message, hint = json.loads(line)
    raise BenchError(message, hint=hint or f"Its keeper's log: {log_file(name)}")


def _end(child: subprocess.Popen[str]) -> None:
    """Its agent undoes and ends everything, also when the keeper has to be killed."""
    child.terminate()
    try:
        child.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def stop(name: str) -> None:
    """Ends the keeper and its machine. BenchError when there is none."""
    found = kept(name)
    if found is None:
        raise BenchError(f"the bench {name} is not up", hint="latlab bench up starts it.")
    os.kill(found.pid, signal.SIGTERM)
    limit = time.monotonic() + STOP_LIMIT_S
    while holder(f"keeper-{name}"):
        if time.monotonic() > limit:
            raise BenchError(
                f"the keeper of the bench {name} (process {found.pid}) does not end", hint=f"kill -9 {found.pid}"
            )
        time.sleep(0.02)


def keep(name: str, bench_file: Path) -> None:
    """The keeper's life. Ends with SIGTERM, or when the machine does."""
    from latlab.bench.opening import machine_spec

    bench = load_bench(bench_file)
    if not isinstance(bench, EmulatedBench):
        raise BenchError(
            "only an emulated bench can be kept up",
            hint="The others are made for each run; there is nothing to keep.",
        )
    if bench.machines > 1:
        raise BenchError(
            "only an emulated bench of one machine can be kept up in this version",
            hint="latlab run and latlab bench shell start both machines by themselves.",
        )
    with interrupt.at_safe_points(process_ends=True), locked(f"keeper-{name}", what=f"the keeper of the bench {name}"):
        # A keeper that was killed left its state, and the number of its process may be another's by now.
        _state(name).unlink(missing_ok=True)
        host = open_local_host("this machine")
        try:
            machine = start_machine(host, machine_spec(bench, host))
            machine.leave()
            state = {"pid": os.getpid(), "folder": machine.folder, "spec": asdict(machine.spec)}
            state["bench"] = fingerprint(bench)
            # Renamed when it is whole: `kept` may be reading.
            written = _state(name).with_suffix(".new")
            written.write_text(json.dumps(state, default=str))
            written.replace(_state(name))
            sys.stdout.write(f"{READY}\n")
            sys.stdout.flush()
            while machine.running:
                interrupt.check()
                time.sleep(LOOK_S)
        finally:
            _state(name).unlink(missing_ok=True)
            host.close()


if __name__ == "__main__":
    try:
        keep(sys.argv[1], Path(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(0)  # it was told to end
    except LatlabError as error:
        sys.stdout.write(json.dumps([error.message, error.hint]) + "\n")
        sys.exit(error.exit_code)
