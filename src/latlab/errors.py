# SPDX-License-Identifier: Apache-2.0
"""Every error that latlab shows to a user, in one tree.

    LatlabError
    ├── UsageError             exit 3   the command line or a file it names is wrong
    │   ├── FileError                   a file that people write: all problems at once, with file:line:column
    │   │   ├── ScenarioError           a scenario or bench file
    │   │   └── JournalError            a journal beside the runs
    │   └── NotComparableError          runs that must not stand beside each other
    ├── BenchError             exit 4   the bench cannot do what was asked
    │   ├── HostError                   a machine: unreachable, lost, or a program missing on it
    │   │   └── CommandError            a command that ended with a non-zero exit code
    │   ├── UndoError                   something could not be changed back
    │   ├── GuestError                  a virtual machine that did not start, or died
    │   └── BenchLostError              a bench that was ended, or answers no more
    ├── MeasurementError       exit 2   a run that must not be believed
    └── StoreError             exit 3   a run directory that cannot be read or written

An error carries what happened (`message`), where, and what to do next (`hint`); `cli` decides how to show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LatlabError(Exception):
    """Base of the tree. `hint` says what the user can do next, as one sentence or one command."""

    exit_code = 4

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LatlabError):
    exit_code = 3


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a file. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{text}. {self.hint}" if self.hint else text


class FileError(UsageError):
    """All the mistakes of a file that people write, in the order of their places."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class ScenarioError(FileError):
    """Of a scenario or bench file."""


class JournalError(FileError):
    """Of a journal."""


class NotComparableError(UsageError):
    """Every reason why two runs must not be compared."""

    def __init__(self, reasons: Sequence[str], *, hint: str = "") -> None:
        self.reasons = list(reasons)
        super().__init__(f"these runs must not be compared: {'; '.join(self.reasons)}", hint=hint)


class BenchError(LatlabError):
    exit_code = 4


class HostError(BenchError):
    """`host` is the name of the machine in the bench's words (hypervisor, peer, guest, ...)."""

    def __init__(self, host: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{host}: {message}", hint=hint)
        self.host = host


class StalledError(HostError):
    """A machine that is there, and did not do in time what it was told."""


class CommandError(HostError):
    """A command that failed on a host."""

    def __init__(self, host: str, argv: Sequence[str], exit_code: int, stderr: str) -> None:
        self.argv = list(argv)
        self.command_exit_code = exit_code
        self.stderr = stderr.strip()
        last = self.stderr.splitlines()[-1] if self.stderr else "it printed nothing"
        super().__init__(host, f"`{' '.join(argv)}` ended with exit code {exit_code}: {last}")


class UndoError(BenchError):
    """Something that was changed could not be changed back. What was measured before is not touched by that."""


class GuestError(BenchError):
    """`console` is what the machine's kernel had printed, as far as that is known. `silent`: its processor was reset,
    which ends QEMU, and it had not said a word.
    """

    def __init__(self, message: str, *, hint: str = "", console: str = "", silent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.console, self.silent = console, silent


class BenchLostError(BenchError):
    """A bench that was ended, or answers no more. `emulator`: how its emulator failed, if it did that by itself."""

    def __init__(self, message: str, *, hint: str = "", emulator: str = "") -> None:
        super().__init__(message, hint=hint)
        self.emulator = emulator


class MeasurementError(LatlabError):
    exit_code = 2


class StoreError(LatlabError):
    exit_code = 3
