# SPDX-License-Identifier: Apache-2.0
"""Real agents on this machine, apart from every other: with journals of their own, and as nobody when we are root.

Root's journals are this machine's own (/run/latlab), and whatever latlab starts next recovers them: a test that kills
an agent must not be seen there, and must not see others.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from latlab.hosts.channel import Channel
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Host
from latlab.hosts.local import probe_path
from latlab.hosts.stream import ChildStream

NOBODY = 65534


class Yard:
    """A folder with the probe and the journals of the agents that are started here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self.probe = folder / "latlab-probe"
        shutil.copy(probe_path(os.uname().machine), self.probe)
        self.probe.chmod(0o755)
        self.room = folder / "room"
        """A folder that the agents may write to."""
        self.runtime = folder / "runtime"
        for path in (self.room, self.runtime):
            path.mkdir()
        if os.geteuid() == 0:
            for path in (self.room, self.runtime):
                os.chown(path, NOBODY, NOBODY)
        self._streams: list[ChildStream] = []
        self._hosts: list[Host] = []

    def command(self, *argv: str) -> list[str]:
        """`argv` as the user whose agents live here."""
        other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
        # Folders that are closed to nobody would be in the way: the checkout, and what root has on its PATH.
        path = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return [*other, "env", "-C", "/", path, f"XDG_RUNTIME_DIR={self.runtime}", *argv]

    def stream(self) -> ChildStream:
        stream = ChildStream(self.command(str(self.probe), "agent"))
        self._streams.append(stream)
        return stream

    def host(self, name: str = "here", *, log: CommandLog | None = None) -> Host:
        host = Host(name, Channel(name, self.stream()), probe=str(self.probe), log=log)
        self._hosts.append(host)
        return host

    def kill_agent(self, host: Host) -> None:
        """As `kill -9` does; its end is awaited."""
        os.kill(host.facts.pid, signal.SIGKILL)
        assert eventually(lambda: host.channel.lost)

    @property
    def journals(self) -> list[Path]:
        return sorted(self.runtime.glob("latlab/*.journal"))

    def close(self) -> None:
        for host in self._hosts:
            host.close()
        for stream in self._streams:
            end(stream)


def end(stream: ChildStream) -> None:
    """As a controller that says nothing more: the agent undoes, and goes."""
    stream.close()
    while stream.read():
        pass


def eventually(true: Callable[[], object], limit_s: float = 10) -> bool:
    """Whether it came true before the time was over."""
    limit = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


def alive(pid: int) -> bool:
    """Whether the process is there and has not ended: a zombie has."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture
def yard() -> Iterator[Yard]:
    folder = Path(tempfile.mkdtemp(prefix="latlab-yard-"))
    made = Yard(folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)
