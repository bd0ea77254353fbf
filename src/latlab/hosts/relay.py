# SPDX-License-Identifier: Apache-2.0
"""A stream to an agent that a process on another host carries: into a virtual machine's port, or over ssh."""

from __future__ import annotations

from latlab.hosts.host import Process


class RelayStream:
    """A stream (see hosts.stream) that a process on another host carries."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def read(self) -> bytes:
        return self._process.read()

    def write(self, data: bytes) -> None:
        if not self._process.running:
            raise BrokenPipeError("the relay ended")
        self._process.write(data)

    def close(self) -> None:
        self._process.close_stdin()
        self._process.stop()

    @property
    def last_words(self) -> str:
        return (self._process.stderr.strip().splitlines() or [""])[-1]
