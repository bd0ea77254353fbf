# SPDX-License-Identifier: Apache-2.0
"""What was run, where, when, and what came of it: `commands.jsonl`, and the script that a person could paste."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

KEPT_OUTPUT = 20_000
"""Characters of a command's output that the log keeps; the rest is counted."""

KEPT_SETUP = 500
"""Commands that the log keeps while it has no file; a bench's set-up takes some dozens."""


@dataclass(frozen=True)
class CommandRecord:
    host: str
    argv: list[str]
    started_ns: int
    """CLOCK_REALTIME of the controller."""
    duration_ns: int
    exit_code: int | None
    """Minus the signal's number when one ended it; `None`: it could not be started."""
    stdout: str
    stderr: str
    files: dict[int, str] = field(default_factory=dict)
    background: bool = False


def clip(data: bytes | bytearray) -> str:
    text = data[:KEPT_OUTPUT].decode(errors="replace")
    return text if len(data) <= KEPT_OUTPUT else f"{text}... ({len(data)} bytes in all)"


def as_shell(argv: Sequence[str], *, files: Mapping[int, str] | None = None, background: bool = False) -> str:
    """One line for a POSIX shell that does what `run` or `start` did."""
    words = [shlex.join(argv)]
    words += [f"{fd}<>{shlex.quote(path)}" for fd, path in (files or {}).items()]
    words += ["&"] if background else []
    return " ".join(words)


class CommandLog:
    """Takes every command of a bench's hosts: to a file, and to `show` as a line of a script.

    What is run while there is no file is what made the bench, for all of its runs: the first `KEPT_SETUP` of these
    commands are written at the head of every file.
    """

    def __init__(self, *, show: Callable[[str], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._file: Path | None = None
        self._setup: list[str] = []
        self._show = show
        self.failure: OSError | None = None
        """Why the file could not be written. Kept, not raised: a full disk must not stop what undoes things."""

    def to(self, path: Path | None) -> None:
        with self._lock:
            self._file, self.failure = path, None
            if self._setup:
                self._write("".join(self._setup))

    def starting(self, host: str, argv: Sequence[str], files: Mapping[int, str], background: bool) -> None:
        if self._show:
            self._show(f"{as_shell(argv, files=files, background=background)}  # on {host}")

    def add(self, record: CommandRecord) -> None:
        line = json.dumps(asdict(record)) + "\n"
        with self._lock:
            if self._file:
                self._write(line)
            elif len(self._setup) < KEPT_SETUP:
                self._setup.append(line)

    def _write(self, text: str) -> None:
        if self._file and not self.failure:
            try:
                with self._file.open("a") as f:
                    f.write(text)
            except OSError as error:
                self.failure = error
