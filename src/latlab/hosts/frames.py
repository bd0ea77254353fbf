# SPDX-License-Identifier: Apache-2.0
"""Frames between the controller and an agent, as `probe/frame.h` and `probe/command.h` define them. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

MAGIC = b"\xc1LATLAB\x01"
HEAD = struct.Struct("<IBI")
MAX_PAYLOAD = 1 << 20

START, STDIN, SIGNAL, DEFER, DROP, BYE = b"SIKDPB"
HELLO, STARTED, FAILED, STDOUT, STDERR, EXIT, ACK = b"Hsfoexa"


@dataclass(frozen=True)
class Frame:
    kind: int
    number: int
    payload: bytes


def encode(kind: int, number: int, payload: bytes = b"") -> bytes:
    """`ValueError` when the payload is longer than an agent takes."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"{len(payload)} bytes are too long for a frame")
    return HEAD.pack(len(payload) + 5, kind, number) + payload


def encode_command(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    files: Mapping[int, str] | None = None,
    terminal: tuple[int, int] | None = None,
    stdin: bool = False,
) -> bytes:
    """The payload of START and DEFER. A string with a NUL in it is a `ValueError`."""
    words = ["a" + arg for arg in argv]
    words += [f"e{name}={value}" for name, value in (env or {}).items()]
    words += [f"f{fd}={path}" for fd, path in (files or {}).items()]
    words += [f"p{terminal[0]}x{terminal[1]}"] if terminal else []
    words += ["i"] if stdin else []
    if any("\0" in word for word in words):
        raise ValueError("a command cannot carry a NUL byte")
    return b"".join(word.encode() + b"\0" for word in words)


class Decoder:
    """Bytes in, frames out. Before the greeting with our nonce everything is thrown away."""

    def __init__(self, nonce: bytes) -> None:
        self._greeting = MAGIC + nonce
        self._buffer = bytearray()
        self._greeted = False

    @property
    def greeting(self) -> bytes:
        return self._greeting

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yields whole frames. `ValueError` when the stream is not an agent's."""
        self._buffer += data
        if not self._greeted:
            at = self._buffer.find(self._greeting)
            if at < 0:
                del self._buffer[: max(0, len(self._buffer) - len(self._greeting))]
                return
            del self._buffer[: at + len(self._greeting)]
            self._greeted = True
        while len(self._buffer) >= HEAD.size:
            length, kind, number = HEAD.unpack_from(self._buffer)
            if not 5 <= length <= MAX_PAYLOAD + 5:
                raise ValueError("not an agent's stream")
            if len(self._buffer) < 4 + length:
                return
            payload = bytes(self._buffer[HEAD.size : 4 + length])
            del self._buffer[: 4 + length]
            yield Frame(kind, number, payload)
