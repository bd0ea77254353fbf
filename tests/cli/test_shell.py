# SPDX-License-Identifier: Apache-2.0
"""`latlab bench shell`: what a command prints is there while it still runs; typing goes to the shell."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.yard import Yard, yard

__all__ = ["yard"]

SHELL = """
import sys
from latlab import session
from latlab.hosts.channel import Channel
from latlab.hosts.host import Host
from latlab.hosts.stream import ChildStream

host = Host("here", Channel("here", ChildStream({agent!r})), probe="")
try:
    code = session.{call}
finally:
    host.close()
sys.exit(code)
"""


def program(yard: Yard, call: str) -> list[str]:
    return [sys.executable, "-c", SHELL.format(agent=yard.command(str(yard.probe), "agent"), call=call)]


def test_output_comes_as_it_is_printed(yard: Yard) -> None:
    script = "echo one; echo two >&2; sleep 0.6; echo three; exit 7"
    started = time.monotonic()
    child = subprocess.Popen(
        program(yard, f"_stream(host, ['sh', '-c', {script!r}])"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    assert child.stderr
    with child.stdout, child.stderr:
        assert child.stdout.readline() == "one\n"
        assert child.stderr.readline() == "two\n"
        first = time.monotonic()
        assert child.stdout.read() == "three\n"
        assert time.monotonic() - first > 0.3, f"all of it came at the end, after {first - started:.1f} s"
    assert child.wait(10) == 7


def test_a_command_whose_output_nobody_reads_is_ended(yard: Yard) -> None:
    child = subprocess.Popen(program(yard, "_stream(host, ['yes'])"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout
    with child.stdout:
        child.stdout.readline()
    assert child.wait(10) != 0


def test_typing_goes_to_the_shell_and_the_terminal_stays_blocking(yard: Yard) -> None:
    ours, theirs = os.openpty()
    child = subprocess.Popen(program(yard, "_interactive(host)"), stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        seen = b""
        while b"here# " not in seen:
            seen += os.read(ours, 4096)
        assert os.get_blocking(theirs)
        # More than a terminal takes at once: a writer that must not wait would fail.
        os.write(ours, b"head -c 200000 /dev/zero | tr '\\0' x; echo; exit 5\n")
        time.sleep(0.5)
        while b"\n" not in seen.rpartition(b"xxxx")[2]:
            seen += os.read(ours, 65536)
        assert seen.count(b"x") >= 200_000
        assert child.wait(10) == 5
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(theirs)
