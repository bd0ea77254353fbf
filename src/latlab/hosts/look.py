# SPDX-License-Identifier: Apache-2.0
"""Looking at a machine without changing anything: files, devices, folders, by few commands and no privilege.

What cannot be looked at is not there for these functions, or is told apart as closed to this user: they do not raise
for it. A command costs an emulated host 10 to 50 ms, so each takes all paths at once.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from latlab.errors import HostError
from latlab.hosts.channel import Facts
from latlab.hosts.host import Host, Result

Run = Callable[[Sequence[str]], Result]
"""Runs a program to its end. One that is not there has the exit code 127, as in a shell."""

NOT_THERE = 127
LIMIT_S = 10
_DENIED = re.compile(r"^grep: (.*): Permission denied$", re.MULTILINE)


@dataclass(frozen=True)
class Node:
    """A path that is there. `kind` is find's letter, of what a link leads to: `f`, `d`, `c`, ..., `N` for nothing."""

    kind: str
    link: str = ""
    """Where it leads to, as written in it; "" when it is no link."""
    readable: bool = True


@dataclass(frozen=True)
class Files:
    """What files hold, by path, and which of them only somebody else may read."""

    texts: Mapping[str, str]
    closed: frozenset[str] = frozenset()


def on_this_machine(argv: Sequence[str]) -> Result:
    """Without an agent."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False,
            env={**os.environ, "LC_ALL": "C", "PATH": path},
        )  # fmt: skip
    except (FileNotFoundError, PermissionError) as error:
        return Result(NOT_THERE, "", str(error))
    except subprocess.TimeoutExpired:
        return Result(NOT_THERE, "", f"it did not end within {LIMIT_S} s")
    return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


class OnlyLooking(Host):
    """This machine, for what asks a host and changes nothing. There is no agent behind it, so it can start nothing, and
    what a dead agent has left stays as it is: undoing that is a change.
    """

    def __init__(self, name: str) -> None:
        self.name, self.netns = name, None
        found = os.uname()
        cpus = len(os.sched_getaffinity(0))
        self._facts = Facts("", os.getpid(), os.geteuid(), found.machine, found.release, "", cpus, [])

    @property
    def facts(self) -> Facts:
        return self._facts

    def run_plain(self, argv: Sequence[str], *, feed: bytes | None = None, timeout_s: float = 60) -> Result:  # noqa: ARG002
        return on_this_machine(argv)


def on_host(host: Host) -> Run:
    """HostError when the host is lost."""

    def run(argv: Sequence[str]) -> Result:
        try:
            return host.run_plain(argv)
        except HostError as error:
            if host.channel.lost:
                raise
            return Result(NOT_THERE, "", error.message)

    return run


def read_files(run: Run, paths: Iterable[str]) -> Files:
    """One command."""
    wanted = list(dict.fromkeys(paths))
    if not wanted:
        return Files({})
    # -a: no text is called binary. -Z: a path ends with a zero byte, whatever is in its name.
    done = run(["grep", "-aHZ", "", *wanted])
    lines: dict[str, list[str]] = {}
    for line in done.stdout.split("\n"):
        path, zero, text = line.partition("\0")
        if zero:
            lines.setdefault(path, []).append(text)
    closed = frozenset(_DENIED.findall(done.stderr)) & frozenset(wanted)
    return Files({path: "\n".join(text) for path, text in lines.items()}, closed)


def find_nodes(run: Run, paths: Iterable[str], *, depth: int = 0) -> dict[str, Node]:
    """These paths and, down to `depth`, what is in them. One command. A slash at the end follows a link."""
    wanted = list(dict.fromkeys(paths))
    if not wanted:
        return {}
    form = r"\t%Y\t%p\t%l\n"
    tests = ["(", "-readable", "-printf", f"r{form}", ")", "-o", "-printf", f"-{form}"]
    done = run(["find", *wanted, "-maxdepth", str(depth), *tests])
    found = {}
    for line in done.stdout.splitlines():
        parts = line.split("\t")
        if len(parts) == 4:
            access, kind, path, link = parts
            found[path] = Node(kind, link, access == "r")
    return found


def find_paths(run: Run, folder: str, patterns: Sequence[str], *, depth: int) -> list[str]:
    """What is in a folder and matches one of the patterns (whole paths; `*` matches slashes too). One command."""
    alternatives = [word for pattern in patterns for word in ("-o", "-path", pattern)][1:]
    done = run(["find", folder, "-maxdepth", str(depth), "(", *alternatives, ")", "-print"])
    return sorted(done.stdout.splitlines())
