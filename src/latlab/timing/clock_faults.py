# SPDX-License-Identifier: Apache-2.0
"""Faults of known size for the clock of an emulated machine: a step, a ramp. Nobody else's clock is ever touched.

Undone with the host's other changes: a frequency is restored to the bit; a step is stepped back, and not twice, because
CLOCK_REALTIME - CLOCK_MONOTONIC tells whether it was made. The time that a ramp has gained stays gained.
"""

from __future__ import annotations

from pathlib import Path

from latlab.bench.site import Site
from latlab.errors import BenchError
from latlab.hosts.host import Host
from latlab.timing.clock_state import read_state

MINE = "--this-clock-is-mine"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def step(site: Site, host: Host, step_ns: int) -> None:
    """Sets the host's clock forward by so much, or back. BenchError unless it is an emulated machine's."""
    _refuse_real_clocks(site, host)
    before_ns = read_state(host).wall_offset_ns
    back = ["--from", str(before_ns + step_ns), MINE]
    command = [host.probe, "clock", "step"]
    host.change([*command, str(step_ns), MINE], undo=[*command, str(-step_ns), *back])


def ramp(site: Site, host: Host, rate_ppb: int) -> None:
    """Lets the host's clock run faster by so much than it does now. BenchError unless it is an emulated machine's."""
    _refuse_real_clocks(site, host)
    now = read_state(host).frequency_scaled
    # adjtimex(2) counts in 2^-16 ppm.
    wanted = now + round(rate_ppb * 65536 / 1000)
    command = [host.probe, "clock", "frequency"]
    host.change([*command, str(wanted), "--scaled", MINE], undo=[*command, str(now), "--scaled", MINE])


def _refuse_real_clocks(site: Site, host: Host) -> None:
    """Twice: by what the bench is, and by whose kernel it is."""
    if site.kind != "emulated" or host.facts.boot_id == BOOT_ID.read_text().strip():
        raise BenchError(
            f"{host.name}: its clock is a real machine's, and is not changed",
            hint="Clock faults need the emulated bench: --bench emulated.",
        )
