# SPDX-License-Identifier: Apache-2.0
"""From the words of the command line to runs: files are found and read, the bench is opened, each point is run.

What `latlab run` and its neighbours do, without their printing of help and their parsing of options.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latlab.bench.lock import ROOT_STATE
from latlab.bench.opening import open_bench
from latlab.campaign import Campaign
from latlab.errors import UsageError
from latlab.hosts import interrupt
from latlab.hosts.channel import Recovered
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Host, Process
from latlab.hosts.local import open_local_host
from latlab.report.progress import TerminalProgress
from latlab.scenario.bench_model import AnyBench, load_bench
from latlab.scenario.find import find_bench, find_scenario
from latlab.scenario.load import load_scenario
from latlab.scenario.model import Scenario
from latlab.scenario.plan import Plan, make_plan
from latlab.store.run_dir import RunDirectory

LOOK_S = 0.02
"""How often a shell looks for what was typed, printed, or signalled."""


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before a machine is touched."""

    scenario: Scenario
    bench_name: str
    bench: AnyBench
    plan: Plan


def bench_file(name: str) -> tuple[str, Path]:
    """A bench's short name and its file."""
    path = find_bench(name)
    return path.stem, path


def prepare(scenario: str, bench: str, overrides: Sequence[str]) -> Prepared:
    """Reads and checks both files. ScenarioError with all their problems."""
    name, path = bench_file(bench)
    read = load_bench(path)
    found = load_scenario(find_scenario(scenario), overrides)
    return Prepared(found, name, read, make_plan(found, read))


def run(made: Prepared, root: Path, *, as_json: bool = False, show_commands: bool = False) -> int:
    """Runs every point. The exit code: 0 when every run can be believed, 2 when one is invalid, 4 when one failed."""
    progress = TerminalProgress()
    if not made.plan.points:
        reasons = "; ".join(f"{p.label}: {p.reason}" for p in made.plan.left_out)
        raise UsageError(f"nothing is left to measure on the bench {made.bench_name}: {reasons}")
    _check_writable(root)
    log = CommandLog(show=progress.print if show_commands else None)
    campaign = Campaign(made.scenario, made.bench_name, made.bench, root, log, progress)
    try:
        campaign.run(made.plan)
    finally:
        progress.clear()
        if campaign.done:
            _report(campaign.done, as_json)
    return _exit_code(campaign.done)


def _check_writable(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{root}: cannot keep runs there: {error.strerror}", hint="Name a folder with --runs."
        ) from None
    if not os.access(root, os.W_OK):
        raise UsageError(f"{root}: cannot be written to", hint="Name another folder with --runs.")


def _report(done: list[RunDirectory], as_json: bool) -> None:
    from latlab.report.layout import print_text
    from latlab.report.listing import list_json
    from latlab.report.table import results
    from latlab.store.entry import entry_of

    if as_json:
        sys.stdout.write(json.dumps(list_json(map(entry_of, done)), indent=1) + "\n")
    else:
        print_text(results([run.document for run in done]), sys.stdout)
        sys.stdout.write(f" saved {done[0].path.parent}/ · {len(done)} runs · latlab show {done[-1].id}\n")
    sys.stdout.flush()


def _exit_code(done: list[RunDirectory]) -> int:
    if any(run.document.status != "done" for run in done):
        return 4
    return 2 if any(run.document.verdict.value == "invalid" for run in done) else 0


def rehearse(made: Prepared) -> list[str]:
    """The commands that every point would run, in order, without a machine."""
    from latlab.rehearsal import rehearse_plan

    return list(rehearse_plan(made.plan, made.bench))


def cleanup() -> list[Recovered]:
    """Starts an agent here, which undoes what dead ones left; the commands that it ran, and what came of them."""
    host = open_local_host("this machine")
    host.close()
    return host.facts.recovered


def root_may_have_more() -> bool:
    """Whether latlab ran as root here since the machine started, and we are not root: its journals are closed to us."""
    return os.geteuid() != 0 and ROOT_STATE.exists()


def shell(bench: str, where: str, command: list[str]) -> int:
    """A terminal on a host of the bench, up for as long as the shell is when nobody keeps it up. Its exit code."""
    name, path = bench_file(bench)
    progress = TerminalProgress()
    with open_bench(name, load_bench(path), CommandLog(), lambda text: progress.say("note", text)) as site:
        host = site.hypervisor if where == "hypervisor" else site.peer
        if command:
            return _stream(host, command)
        if not sys.stdin.isatty():
            raise UsageError(
                "a shell needs a terminal", hint="Name a command: latlab bench shell hypervisor -- ip addr"
            )
        return _interactive(host)


def _to_terminal(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _stream(host: Host, command: list[str]) -> int:
    """Runs a command and passes on what it prints as it comes. Its exit code."""
    process = host.start(command, sink=_to_terminal)
    try:
        # When nobody reads our output any more (`| head`), there is nothing to run on for.
        while not process.wait_until_ended(LOOK_S) and not process.sink_failed:
            interrupt.check()
            _pass_on_stderr(process)
        if process.running:
            process.stop()
        return process.wait()
    finally:
        if process.running:
            process.signal(signal.SIGTERM)
        _pass_on_stderr(process)


def _pass_on_stderr(process: Process) -> None:
    sys.stderr.buffer.write(process.take_stderr())
    sys.stderr.buffer.flush()


def _interactive(host: Host) -> int:
    size = shutil.get_terminal_size()
    process = host.start(
        ["sh", "-i"],
        terminal=(size.lines, size.columns),
        stdin=True,
        env={"TERM": os.environ.get("TERM", "vt100"), "PS1": f"{host.name}# "},
        sink=_to_terminal,
    )
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        while not process.wait_until_ended(0):
            interrupt.check()
            # Never non-blocking: standard output is the same open terminal, and writing to it would fail when it is
            # busy.
            if select.select([sys.stdin], [], [], LOOK_S)[0]:
                data = os.read(sys.stdin.fileno(), 4096)
                if not data:
                    break  # the terminal is gone
                process.write(data)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        if process.running:
            process.signal(signal.SIGHUP)
    return process.wait(5)
