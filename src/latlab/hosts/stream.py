# SPDX-License-Identifier: Apache-2.0
"""Byte streams to an agent: a child process of ours, or a program that another host runs.

A stream that ends says `b""`; one that is broken when written to raises `BrokenPipeError`.
What carries it may say at its end why it ended: `last_words`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol


class Stream(Protocol):
    def read(self) -> bytes:
        """Blocks until there are bytes; `b""` at the end of the stream."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Ends the stream in both directions and waits for what carried it."""

    @property
    def last_words(self) -> str:
        """The last line that what carried it printed as an error; empty when it printed none. Known once closed."""


class ChildStream:
    """Standard input and output of a program that this process runs.

    The program gets a session of its own, so that a Ctrl-C at the terminal reaches only us. It learns of our death
    by the end of its standard input.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        env = os.environ | {"LC_ALL": "C"}
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=env,
        )
        assert self._child.stdin
        assert self._child.stdout
        assert self._child.stderr
        self._stdin, self._stdout, self._stderr = self._child.stdin, self._child.stdout, self._child.stderr
        self._words = ""

    @property
    def pid(self) -> int:
        return self._child.pid

    def read(self) -> bytes:
        if self._stdout.closed:
            return b""
        data = os.read(self._stdout.fileno(), 1 << 16)
        if not data:
            self._stdout.close()  # here, where nobody else can be reading
        return data

    def write(self, data: bytes) -> None:
        self._stdin.write(data)
        self._stdin.flush()

    def close(self) -> None:
        with suppress(BrokenPipeError):  # it is gone already: what is buffered has no reader
            self._stdin.close()
        try:
            self._child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if not self._stderr.closed:
            self._words = self._stderr.read().decode(errors="replace")
            self._stderr.close()

    @property
    def last_words(self) -> str:
        return (self._words.strip().splitlines() or [""])[-1]
