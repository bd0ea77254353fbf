# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor, wherever that QEMU runs: qemu.qmp speaks, a host's `connect` carries the bytes.

qemu.qmp is asynchronous; its loop has a thread of its own, and so do the two directions of the relay.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from qemu.qmp import QMPClient, QMPError

from latlab.errors import GuestError
from latlab.hosts.host import Host

T = TypeVar("T")

ANSWER_LIMIT_S = 10
GREETING_LIMIT_S = 60
"""QEMU listens long before it answers: it makes the devices first, and VFIO pins the guest's memory."""
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)  # its errors come to us as exceptions


class Monitor:
    """A QMP conversation over a Unix socket on `host`. GuestError when QEMU does not answer."""

    def __init__(self, host: Host, path: str) -> None:
        self._near, self._far = socket.socketpair()
        self._relay = host.start([host.probe, "connect", path], stdin=True)
        self._loop = asyncio.new_event_loop()
        # What goes wrong reaches us through `_await`; the loop would print the same again when QEMU is killed.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._open = True
        self._speaker = threading.Thread(target=self._loop.run_forever, name=f"qmp {host.name}", daemon=True)
        self._speaker.start()
        for direction in (self._outward, self._inward):
            threading.Thread(target=direction, name=f"qmp {host.name} bytes", daemon=True).start()
        self._client = QMPClient(host.name)
        try:
            self._await(self._client.connect(self._far), GREETING_LIMIT_S)
        except GuestError as error:
            self.close()
            raise GuestError(f"QEMU's monitor does not answer: {self._relay.stderr.strip() or error}") from error

    def _await(self, work: Coroutine[Any, Any, T], limit_s: float = ANSWER_LIMIT_S) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(limit_s)
        except (QMPError, OSError, EOFError, TimeoutError) as error:
            raise GuestError(str(error) or type(error).__name__) from error

    def _outward(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._near.recv(1 << 16):
                self._relay.write(data)
        self._relay.close_stdin()

    def _inward(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._relay.read():
                self._near.sendall(data)
            self._near.shutdown(socket.SHUT_WR)

    def command(self, name: str, **arguments: Any) -> Any:
        """The command's result. GuestError when QEMU refuses, or is gone."""
        try:
            return self._await(self._client.execute(name, arguments))
        except GuestError as error:
            raise GuestError(f"QEMU refused `{name}`: {error}") from error

    def human(self, line: str) -> str:
        """A command of the human monitor that QMP lacks, such as `info usernet`."""
        return str(self.command("human-monitor-command", **{"command-line": line}))

    def close(self) -> None:
        """May be said again."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(GuestError):
            self._await(self._client.disconnect())
        self._near.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._speaker.join(ANSWER_LIMIT_S)
        self._far.close()
        self._loop.close()
