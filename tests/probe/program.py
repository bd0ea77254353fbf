# SPDX-License-Identifier: Apache-2.0
"""Builds the probe once per test session, runs it, and reads what it says; shared by unit and lab tests."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
KEY = "000102030405060708090a0b0c0d0e0f"
RECORD = np.dtype([("seq", "<u8"), ("flags", "<u4"), ("reserved", "<u4"), ("stamps", "<i8", 15)])
HEADER_BYTES = 128
S, w, s, t, T, R, r, a, w2, s2, t2, T2, R2, r2, a2 = range(15)
SOFTWARE_ORDER = [S, w, s, t, r, a, w2, s2, t2, r2, a2]
SENT, REPLIED, LATE, DUPLICATED, REORDERED, SEND_FAILED, TX_STAMPS, LATE_WAKEUP = (1 << bit for bit in range(8))


@functools.cache
def probe_program() -> str:
    """The path of the probe: the environment's LATLAB_PROBE, or one built now."""
    given = os.environ.get("LATLAB_PROBE")
    if given:
        return given
    folder = Path(tempfile.mkdtemp(prefix="latlab-probe-"))
    atexit.register(shutil.rmtree, folder)
    target = folder / "latlab-probe"
    flags = ["-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wshadow"]
    sources = sorted(str(path) for path in (ROOT / "probe").glob("*.c"))
    machine = os.uname().machine
    argv = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        f"{machine}-linux-musl",
        *flags,
        "-o",
        str(target),
        *sources,
    ]
    subprocess.run(argv, check=True, timeout=300)
    return str(target)


@dataclass
class Outcome:
    """What a sender left: exit code, its summary, and its stream of records."""

    exit_code: int
    summary: dict[str, Any]
    stream: bytes

    @property
    def records(self) -> NDArray[np.void]:
        return np.frombuffer(self.stream[HEADER_BYTES:], RECORD)

    @property
    def samples(self) -> NDArray[np.void]:
        """One record per packet sent; the extras are left out."""
        samples: NDArray[np.void] = self.records[(self.records["flags"] & (SENT | SEND_FAILED)) != 0]
        return samples


def spawn(verb: str, *arguments: str, key: str = KEY, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Starts the probe with its key on stdin, which stays open."""
    argv = [*prefix, probe_program(), verb, *arguments]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(f"{key}\n".encode())
    process.stdin.flush()
    return process


def summary_of(stderr: bytes) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(stderr.decode().splitlines()[-1])
    return summary


def finish(process: subprocess.Popen[bytes], timeout_s: float = 60) -> Outcome:
    """Reads a sender's records to the end. Its stdin stays open until it has ended by itself."""
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdin is not None
    try:
        stream = process.stdout.read()
        stderr = process.stderr.read()
        exit_code = process.wait(timeout_s)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
    return Outcome(exit_code, summary_of(stderr), stream)


def send(*arguments: str, key: str = KEY, prefix: Sequence[str] = ()) -> Outcome:
    return finish(spawn("send", *arguments, key=key, prefix=prefix))


@dataclass
class Reflector:
    ready: dict[str, Any]
    summary: dict[str, Any]

    @property
    def port(self) -> int:
        port: int = self.ready["port"]
        return port


@contextmanager
def reflector(*arguments: str, key: str = KEY, prefix: Sequence[str] = ()) -> Iterator[Reflector]:
    """A running reflector; its summary is filled in at the end, when closing its stdin has stopped it."""
    process = spawn("reflect", *arguments, key=key, prefix=prefix)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, stderr = process.communicate()
        raise AssertionError(f"the reflector did not start: {stderr.decode()}")
    running = Reflector(json.loads(line), {})
    try:
        yield running
    finally:
        try:
            _, stderr = process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, stderr.decode()
    running.summary.update(summary_of(stderr))
