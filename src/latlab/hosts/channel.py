# SPDX-License-Identifier: Apache-2.0
"""The controller's end of an agent's stream: many programs over one connection.

One thread reads the stream and hands each frame to the process it is about; whoever waits for a process waits on its
condition. When the stream ends, everything that still runs ends with `lost`.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from latlab.errors import HostError
from latlab.hosts import frames, interrupt
from latlab.hosts.stream import Stream

GOODBYE_LIMIT_S = 60
GREETING_INTERVAL_S = 1.0
"""Undoing takes its time on a slow machine; an agent gives each command 15 s."""

CHECK_S = 0.1
"""How soon a Ctrl-C is noticed while we wait."""


@dataclass(frozen=True)
class Recovered:
    """A command that an agent ran because an earlier one had died before it could undo its change."""

    command: str
    exit_code: int
    """Minus the signal's number when one ended it; 127: it could not be started."""
    newest: bool = False
    """It was the last that the dead agent had written down. Then there may have been nothing to undo: the agent died
    just before it made the change, or just after it had undone it."""

    @property
    def failed(self) -> bool:
        return bool(self.exit_code) and not self.newest

    def __str__(self) -> str:
        if self.exit_code and self.newest:
            return f"nothing to undo, it seems: {self.command} (exit {self.exit_code})"
        if self.exit_code:
            return f"could not undo: {self.command} (exit {self.exit_code})"
        return f"undone: {self.command}"


@dataclass(frozen=True)
class Facts:
    """What an agent says of its host when it is greeted."""

    id: str
    pid: int
    uid: int
    machine: str
    kernel: str
    boot_id: str
    """Names the kernel that runs there, and so its clock: the same in every namespace of one machine."""
    cpus: int
    recovered: list[Recovered]
    """What earlier agents had left, oldest journal first, each one's commands newest first."""


def read_facts(payload: bytes) -> Facts:
    """The facts in a HELLO frame. ValueError when they are not ours: the probe is another version's.

    An agent that cannot read its kernel's boot id leaves it empty. Two such hosts must not pass for one, with one
    clock: the agent's own id, which no other agent has, stands for it.
    """
    fields = json.loads(payload)
    try:
        fields["recovered"] = [Recovered(**entry) for entry in fields["recovered"]]
        fields["boot_id"] = fields["boot_id"] or f"unknown, agent {fields['id']}"
        return Facts(**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the facts of an agent of this version: {error}") from error


class Slot:
    """What arrives for one process."""

    def __init__(self, sink: Callable[[bytes], None] | None) -> None:
        self.changed = threading.Condition()
        self.sink = sink
        self.sink_error: Exception | None = None
        """What the sink raised; it is given nothing more."""
        self.stdout, self.stderr = bytearray(), bytearray()
        self.pid: int | None = None
        self.failed: str | None = None
        self.exit_code: int | None = None
        self.acknowledged: str | None = None
        self.lost = False
        self.ended_ns = 0

    @property
    def ended(self) -> bool:
        return self.exit_code is not None or self.failed is not None or self.lost

    def take(self, frame: frames.Frame) -> None:
        if frame.kind == frames.STDOUT and self.sink:
            self._pour(self.sink, frame.payload)
            return
        with self.changed:
            if frame.kind == frames.STDOUT:
                self.stdout += frame.payload
            elif frame.kind == frames.STDERR:
                self.stderr += frame.payload
            elif frame.kind == frames.STARTED:
                self.pid = int.from_bytes(frame.payload, "little")
            elif frame.kind == frames.FAILED:
                self.failed = frame.payload.decode(errors="replace")
            elif frame.kind == frames.EXIT:
                self.exit_code = int.from_bytes(frame.payload, "little", signed=True)
            elif frame.kind == frames.ACK:
                self.acknowledged = frame.payload.decode(errors="replace")
            if self.ended:
                self.ended_ns = time.time_ns()
            self.changed.notify_all()

    def _pour(self, sink: Callable[[bytes], None], data: bytes) -> None:
        if self.sink_error:
            return
        try:
            sink(data)
        except Exception as error:  # noqa: BLE001 - it is for the one who waits; the reader serves others too
            self.sink_error = error

    def wait_for(self, condition: Callable[[], bool], timeout_s: float | None) -> bool:
        """Whether the condition came true, or the connection was lost, before the time was over."""
        limit = None if timeout_s is None else time.monotonic() + timeout_s
        with self.changed:
            while True:
                left = CHECK_S if limit is None else min(CHECK_S, limit - time.monotonic())
                if self.changed.wait_for(lambda: condition() or self.lost, max(0, left)):
                    return True
                if limit is not None and time.monotonic() >= limit:
                    return False
                interrupt.check()


class Channel:
    """One agent's stream. `name` is the host's name, for errors."""

    def __init__(self, name: str, stream: Stream, *, greeting_timeout_s: float = 10) -> None:
        self._name, self._stream = name, stream
        self._write_lock, self._slots_lock = threading.Lock(), threading.Lock()
        self._slots: dict[int, Slot] = {}
        self._next_id = 0
        self._hello = Slot(None)
        self._slots[0] = self._hello
        self._decoder = frames.Decoder(os.urandom(8))
        self._facts: Facts | None = None
        self._lost = False
        self._reader = threading.Thread(target=self._read, name=f"latlab {name}", daemon=True)
        self._reader.start()
        limit = time.monotonic() + greeting_timeout_s
        while self._facts is None and not self._lost and (left_s := limit - time.monotonic()) > 0:
            # Again and again: an agent that is still undoing for a controller that died does not hear us.
            self._write(self._decoder.greeting)
            self._hello.wait_for(lambda: self._facts is not None, min(left_s, GREETING_INTERVAL_S))
        if self._facts is None:
            self.close()
            if words := stream.last_words:
                raise HostError(name, f"its agent did not answer: {words}")
            raise HostError(name, "its agent did not answer", hint="Look at the machine's console log.")

    @property
    def facts(self) -> Facts:
        assert self._facts
        return self._facts

    @property
    def lost(self) -> bool:
        return self._lost

    def _read(self) -> None:
        try:
            while data := self._stream.read():
                for frame in self._decoder.feed(data):
                    self._dispatch(frame)
        except (OSError, ValueError):
            pass  # the stream is of no use any more: everyone who waits is told below
        finally:
            self.abandon()

    def _dispatch(self, frame: frames.Frame) -> None:
        if frame.kind == frames.HELLO:
            self._facts = read_facts(frame.payload)
            with self._hello.changed:
                self._hello.changed.notify_all()
            return
        with self._slots_lock:
            slot = self._slots.get(frame.number)
        if slot is None:
            return  # the end of a process that nobody waits for any more
        slot.take(frame)
        if slot.ended:
            with self._slots_lock:
                self._slots.pop(frame.number, None)

    def _write(self, data: bytes) -> None:
        with self._write_lock:
            try:
                self._stream.write(data)
            except (OSError, ValueError):
                self._lost = True

    def send(self, kind: int, number: int, payload: bytes = b"") -> None:
        self._write(frames.encode(kind, number, payload))

    def open(self, sink: Callable[[bytes], None] | None = None) -> tuple[int, Slot]:
        """A new process id and the slot where its frames will arrive."""
        with self._slots_lock:
            self._next_id += 1
            slot = Slot(sink)
            slot.lost = self._lost
            self._slots[self._next_id] = slot
            return self._next_id, slot

    def ask(self, kind: int, payload: bytes = b"", *, timeout_s: float = 30) -> None:
        """Sends a frame that the agent acknowledges. HostError when it does not, or refuses."""
        number, slot = self.open()
        self.send(kind, number, payload)
        slot.wait_for(lambda: slot.acknowledged is not None, timeout_s)
        with self._slots_lock:
            self._slots.pop(number, None)
        if slot.acknowledged is None:
            raise HostError(self._name, "the connection to its agent was lost")
        if slot.acknowledged:
            raise HostError(self._name, f"its agent refused: {slot.acknowledged}")

    def abandon(self) -> None:
        """Nothing more is expected of this agent: whoever waits for it is told that it is lost."""
        with self._slots_lock:
            self._lost = True
            slots = list(self._slots.values())
        for slot in slots:
            with slot.changed:
                slot.lost = True
                slot.changed.notify_all()

    def close(self) -> None:
        """The agent ends what it runs, undoes what is deferred, and goes."""
        if not self._lost:
            self.send(frames.BYE, 0)
            # Not the stream's end: a port of a virtual machine stays open for the next controller.
            self._hello.wait_for(lambda: self._hello.acknowledged is not None, GOODBYE_LIMIT_S)
        self._stream.close()
        self._reader.join(timeout=5)
