# SPDX-License-Identifier: Apache-2.0
"""What the probe's benchmarks share: a veth pair between two namespaces of their own, and two probes on it.

Needs root. The namespaces are removed at the end, also after an error or Ctrl-C.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR, FAR = f"latlab-bench-{os.getpid()}-near", f"latlab-bench-{os.getpid()}-far"
FAR_ADDRESS = "10.98.0.2"
RECORD = np.dtype([("seq", "<u8"), ("flags", "<u4"), ("reserved", "<u4"), ("stamps", "<i8", 15)])
HEADER_BYTES = 128
SENT, REPLIED = 1, 2
W, A2 = 1, 14


def default_probe() -> str:
    built = Path(__file__).parents[1] / "src/latlab/_bin" / f"latlab-probe-{os.uname().machine}"
    return os.environ.get("LATLAB_PROBE", str(built))


def check_probe(probe: str) -> None:
    """Ends the benchmark with the next step if there is no such program."""
    if not os.access(probe, os.X_OK):
        raise SystemExit(f"no probe at {probe}: set latlab up first (scripts/setup), or give --probe PATH")


def inside(namespace: str, *argv: str) -> list[str]:
    return ["ip", "netns", "exec", namespace, *argv]


@contextmanager
def veth_pair() -> Iterator[None]:
    """near (10.98.0.1) <-> far (10.98.0.2)."""

    def ip(*argv: str) -> None:
        subprocess.run(["ip", *argv], check=True)

    try:
        ip("netns", "add", NEAR)
        ip("netns", "add", FAR)
        ip("link", "add", "near0", "netns", NEAR, "type", "veth", "peer", "name", "far0", "netns", FAR)
        for namespace, device, address in ((NEAR, "near0", "10.98.0.1"), (FAR, "far0", FAR_ADDRESS)):
            ip("-n", namespace, "addr", "add", f"{address}/24", "dev", device)
            ip("-n", namespace, "link", "set", device, "up")
        subprocess.run(inside(NEAR, "ping", "-q", "-c2", "-w5", FAR_ADDRESS), check=True, stdout=subprocess.DEVNULL)
        yield
    finally:
        for namespace in (NEAR, FAR):
            subprocess.run(["ip", "netns", "del", namespace], check=False)


@contextmanager
def server(*argv: str) -> Iterator[None]:
    """A program at the far end, ended by its own id."""
    process = subprocess.Popen(inside(FAR, *argv), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def probe_pair(probe: str, send: Sequence[str], reflect: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Yields the running sender; the reflector ends after it."""
    key = secrets.token_hex(16).encode() + b"\n"
    far = subprocess.Popen(
        inside(FAR, probe, "reflect", "--bind", f"{FAR_ADDRESS}:0", *reflect),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert far.stdin is not None
        assert far.stdout is not None
        far.stdin.write(key)
        far.stdin.flush()
        port = json.loads(far.stdout.readline())["port"]
        near = subprocess.Popen(
            inside(NEAR, probe, "send", "--udp", f"{FAR_ADDRESS}:{port}", *send),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            assert near.stdin is not None
            near.stdin.write(key)
            near.stdin.flush()
            yield near
        finally:
            near.terminate()
            near.wait()
    finally:
        far.communicate()


def run_probe(
    probe: str, output: Path, send: Sequence[str], reflect: Sequence[str]
) -> tuple[dict[str, Any], NDArray[np.void]]:
    """One measurement: the sender's summary and all its records."""
    with probe_pair(probe, [*send, "--output", str(output)], reflect) as near:
        assert near.stderr is not None
        summary: dict[str, Any] = json.loads(near.stderr.read().splitlines()[-1])
        near.wait()
    return summary, np.fromfile(output, RECORD, offset=HEADER_BYTES)
