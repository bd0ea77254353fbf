# SPDX-License-Identifier: Apache-2.0
"""The machine at hand as a host."""

from __future__ import annotations

import os
from pathlib import Path

from latlab.errors import HostError
from latlab.hosts.channel import Channel
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Host
from latlab.hosts.stream import ChildStream


def probe_path(machine: str) -> str:
    """The static probe for `machine` (as uname says it). `LATLAB_PROBE` overrides it for this machine's own."""
    override = os.environ.get("LATLAB_PROBE")
    if override and machine == os.uname().machine:
        return override
    path = Path(__file__).parent.parent / "_bin" / f"latlab-probe-{machine}"
    if not path.exists():
        raise HostError("controller", f"there is no probe for {machine}", hint="Run scripts/setup, which builds it.")
    return str(path)


def forwarder_path() -> str:
    """The XDP forwarder, an object for every architecture that is little-endian. `LATLAB_BPF` overrides it."""
    path = os.environ.get("LATLAB_BPF") or str(Path(__file__).parent.parent / "_bin" / "forward.bpf.o")
    if not Path(path).exists():
        raise HostError(
            "controller", f"there is no XDP forwarder at {path}", hint="Run scripts/setup, which builds it."
        )
    return path


def open_local_host(name: str = "hypervisor", *, log: CommandLog | None = None) -> Host:
    """Starts an agent on this machine. What dead agents left here is undone by that; `facts.recovered` says what."""
    probe = probe_path(os.uname().machine)
    try:
        stream = ChildStream([probe, "agent"])
    except OSError as error:
        raise HostError(
            name, f"the probe {probe} cannot be started: {error.strerror}", hint="Run scripts/setup, which builds it."
        ) from error
    return Host(name, Channel(name, stream), probe=probe, log=log)
