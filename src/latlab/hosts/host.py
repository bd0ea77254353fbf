# SPDX-License-Identifier: Apache-2.0
"""A machine, and the three verbs by which it is touched: `run`, `start`, `undo.defer`.

There is one implementation: an agent (the probe, `latlab-probe agent`) at the end of a byte stream. What differs
between this machine, an emulated one, a guest and a board is only who carries the stream. A network namespace is a
view of its host: the same agent, every command inside the namespace.

Commands are lists of arguments, never shell strings. Whatever is started dies with us, whatever is deferred is undone,
however we die: the agent sees to both.
"""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latlab.errors import CommandError, HostError, StalledError
from latlab.hosts import frames
from latlab.hosts.channel import Channel, Facts
from latlab.hosts.commands import CommandLog, CommandRecord, clip

UNDO_LIMIT_S = 60.0
ANSWER_LIMIT_S = 10.0
SHOWN_COMMAND = 100


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str


class Process:
    """A program that runs on a host. Made by `Host.start`."""

    def __init__(self, host: Host, argv: Sequence[str], files: Mapping[int, str], background: bool,
                 sink: Callable[[bytes], None] | None) -> None:  # fmt: skip
        self._host, self.argv, self._files, self._background = host, list(argv), dict(files), background
        self._started_ns = time.time_ns()
        self._channel = host.channel
        self.number, self._slot = host.channel.open(sink)
        self._logged = False

    @property
    def pid(self) -> int | None:
        return self._slot.pid

    @property
    def host_name(self) -> str:
        return self._host.name

    @property
    def running(self) -> bool:
        return not self._slot.ended

    @property
    def exit_code(self) -> int | None:
        return self._slot.exit_code

    @property
    def stdout(self) -> str:
        """What it printed so far, unless a sink takes it."""
        return self._slot.stdout.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self._slot.stderr.decode(errors="replace")

    def write(self, data: bytes) -> None:
        for at in range(0, len(data), frames.MAX_PAYLOAD):
            self._channel.send(frames.STDIN, self.number, data[at : at + frames.MAX_PAYLOAD])

    def close_stdin(self) -> None:
        self._channel.send(frames.STDIN, self.number)

    def signal(self, signo: int) -> None:
        """To its whole process group."""
        self._channel.send(frames.SIGNAL, self.number, bytes([signo]))

    def read(self) -> bytes:
        """Takes what it has printed, at least one byte; `b""` once it has ended and all is taken."""
        self._slot.wait_for(lambda: bool(self._slot.stdout) or self._slot.ended, None)
        with self._slot.changed:
            data = bytes(self._slot.stdout)
            self._slot.stdout.clear()
            return data

    def take_stderr(self) -> bytes:
        """Takes what it has printed on standard error so far; does not wait."""
        with self._slot.changed:
            data = bytes(self._slot.stderr)
            self._slot.stderr.clear()
            return data

    @property
    def sink_failed(self) -> bool:
        """Whether its sink raised. It is given nothing more; `wait` raises the same."""
        return self._slot.sink_error is not None

    def wait_for_output(self, text: str, timeout_s: float) -> bool:
        """Whether `text` was printed on standard output before the time was over or the program ended."""
        needle = text.encode()
        self._slot.wait_for(lambda: needle in self._slot.stdout or self._slot.ended, timeout_s)
        return needle in self._slot.stdout

    def wait_until_ended(self, timeout_s: float) -> bool:
        """Whether it ended before the time was over."""
        self._slot.wait_for(lambda: self._slot.ended, timeout_s)
        return self._slot.ended

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code. HostError when it could not be started, when the host was lost, or when the time is over.

        What its sink raised is raised here, once it has ended.
        """
        self._slot.wait_for(lambda: self._slot.ended, timeout_s)
        if not self._slot.ended:
            raise StalledError(self._host.name, f"`{self._shown()}` did not end within {timeout_s:g} s")
        self._record()
        if self._slot.sink_error is not None:
            raise self._slot.sink_error
        if self._slot.failed is not None:
            hint = f"Install {self.argv[0]} there." if "No such file" in self._slot.failed else ""
            raise HostError(self._host.name, f"`{' '.join(self.argv)}`: {self._slot.failed}", hint=hint)
        if self._slot.exit_code is None:
            raise HostError(self._host.name, f"the connection was lost while `{self._shown()}` ran")
        return self._slot.exit_code

    def _shown(self) -> str:
        """The command for an error's one line; commands.jsonl has all of it."""
        whole = " ".join(self.argv)
        return whole if len(whole) <= SHOWN_COMMAND else f"{whole[:SHOWN_COMMAND].rstrip()} ..."

    def stop(self, timeout_s: float = 3) -> int:
        """SIGTERM, and SIGKILL when that does not help. Its exit code."""
        if self.running:
            self.signal(signal.SIGTERM)
            if not self._slot.wait_for(lambda: self._slot.ended, timeout_s):
                self.signal(signal.SIGKILL)
        return self.wait(timeout_s)

    def _record(self) -> None:
        if self._logged:
            return
        self._logged = True
        self._host.log.add(
            CommandRecord(
                host=self._host.name, argv=self.argv, started_ns=self._started_ns,
                duration_ns=max(0, self._slot.ended_ns - self._started_ns), exit_code=self._slot.exit_code,
                stdout=clip(self._slot.stdout), stderr=clip(self._slot.stderr) or self._slot.failed or "",
                files=self._files, background=self._background,
            )
        )  # fmt: skip


class Undo:
    """What must be run, newest first, so that the host is as it was found. Kept by the host's agent, on the host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._stack: list[list[str]] = []

    def defer(self, argv: Sequence[str]) -> None:
        """Say this before making the change: it must do no harm when the change was not made."""
        self._host.channel.ask(frames.DEFER, frames.encode_command(argv))
        self._stack.append(list(argv))

    def forget(self) -> None:
        """The newest one is needed no more: its change was not made."""
        self._stack.pop()
        self._host.channel.ask(frames.DROP)

    @property
    def mark(self) -> int:
        return len(self._stack)

    def unwind(self, mark: int = 0) -> list[HostError]:
        """Runs what was deferred since `mark`. All of it is tried; what failed is returned, and stays deferred: what is
        busy now may be free when the agent has ended everything and goes.

        HostError when the host is lost: its agent, or the next one there, does the rest.
        """
        failures: list[HostError] = []
        again: list[list[str]] = []
        while len(self._stack) > mark:
            argv = self._stack[-1]
            try:
                self._host.run(argv, timeout_s=UNDO_LIMIT_S)
            except HostError as error:
                if isinstance(error, StalledError) and not self._host.answers():
                    # Each of the others would take its whole limit. The agent does the rest when we have gone.
                    self._host.channel.abandon()
                if self._host.channel.lost:
                    raise
                failures.append(error)
                again += [argv] if isinstance(error, CommandError) else []
            self.forget()
        for argv in reversed(again):
            self.defer(argv)
        return failures


class Host:
    """One machine, or one network namespace of it."""

    carried: Callable[[Path], Path] | None = None
    """What brings it files of the controller's (see `hosts.carried`); None: it sees them itself."""

    far = False
    """Whether it is reached over a network: no command on this machine undoes what was changed there."""

    def __init__(self, name: str, channel: Channel, *, probe: str, log: CommandLog | None = None,
                 netns: str | None = None, undo: Undo | None = None,
                 carried: Callable[[Path], Path] | None = None) -> None:  # fmt: skip
        self.name, self.channel, self.netns = name, channel, netns
        self.probe = probe
        """Path of the probe on this host."""
        self.log = log or CommandLog()
        self.undo = undo or Undo(self)
        self.carried = carried

    @property
    def facts(self) -> Facts:
        return self.channel.facts

    def within(self, netns: str, name: str) -> Host:
        """The same host, seen from a network namespace."""
        return Host(
            name, self.channel, probe=self.probe, log=self.log, netns=netns, undo=self.undo, carried=self.carried
        )

    def _place(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.netns, *argv] if self.netns else list(argv)

    def start(
        self,
        argv: Sequence[str],
        *,
        sink: Callable[[bytes], None] | None = None,
        files: Mapping[int, str] | None = None,
        env: Mapping[str, str] | None = None,
        terminal: tuple[int, int] | None = None,
        stdin: bool = False,
        background: bool = True,
    ) -> Process:
        """Runs a program beside us; it ends when we do.

        `sink` takes its standard output as it comes, on the reading thread. `files` are opened on the host and given
        to it by number. HostError when the host is gone.
        """
        placed = self._place(argv)
        files = files or {}
        self.log.starting(self.name, placed, files, background)
        process = Process(self, placed, files, background, sink)
        payload = frames.encode_command(placed, env=env, files=files, terminal=terminal, stdin=stdin)
        self.channel.send(frames.START, process.number, payload)
        return process

    def run_plain(self, argv: Sequence[str], *, feed: bytes | None = None, timeout_s: float = 60) -> Result:
        """Like `run`, but a non-zero exit code is for the caller to judge."""
        process = self.start(argv, stdin=feed is not None, background=False)
        if feed is not None:
            process.write(feed)
            process.close_stdin()
        try:
            exit_code = process.wait(timeout_s)
        except (HostError, KeyboardInterrupt):
            # What undoes it must find it ended, one way or the other.
            if process.running:
                with suppress(HostError):
                    process.signal(signal.SIGKILL)
                    process.wait(3)
            raise
        return Result(exit_code, process.stdout, process.stderr)

    def run(self, argv: Sequence[str], *, feed: bytes | None = None, timeout_s: float = 60) -> str:
        """Runs a program to its end; what it printed. CommandError when its exit code is not 0."""
        result = self.run_plain(argv, feed=feed, timeout_s=timeout_s)
        if result.exit_code:
            raise CommandError(self.name, self._place(argv), result.exit_code, result.stderr or result.stdout)
        return result.stdout

    def defer(self, argv: Sequence[str]) -> None:
        """`undo.defer`, in this namespace."""
        self.undo.defer(self._place(argv))

    def change(self, argv: Sequence[str], *, undo: Sequence[str], feed: bytes | None = None) -> str:
        """Runs a change whose undoing is written down before it is made."""
        self.defer(undo)
        try:
            return self.run(argv, feed=feed)
        except CommandError as error:
            self.undo.forget()
            if "File exists" in error.stderr:
                remedy = shlex.join(self._place(undo))
                error.hint = f"Something of that name is there already. If nobody needs it: {remedy}"
            raise

    def read(self, path: str | Path) -> str:
        """A small file's text. CommandError when it cannot be read."""
        return self.run(["cat", str(path)])

    def write(self, path: str | Path, text: str) -> None:
        self.run(["tee", str(path)], feed=text.encode())

    def bring(self, path: Path) -> Path:
        """Where the host sees a file of the controller's: copied there, if it is another machine."""
        return self.carried(path) if self.carried else path

    def answers(self) -> bool:
        """Whether it still does the simplest thing. A machine whose processors are stuck does not."""
        try:
            return self.run_plain(["true"], timeout_s=ANSWER_LIMIT_S).exit_code == 0
        except HostError:
            return False

    def has(self, program: str) -> bool:
        return self.run_plain(["sh", "-c", 'command -v "$0"', program]).exit_code == 0

    def close(self) -> None:
        """Everything that runs there ends, everything deferred is undone. Only for the host, not for a namespace."""
        self.channel.close()
