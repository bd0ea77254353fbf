# SPDX-License-Identifier: Apache-2.0
"""How a system's clock is set: what tells a step, its TAI offset, its frequency."""

from __future__ import annotations

import json
from dataclasses import dataclass

from latlab.errors import MeasurementError
from latlab.hosts.host import Host


@dataclass(frozen=True)
class ClockState:
    """How a system's clock is set (`latlab-probe clock state`)."""

    wall_offset_ns: int
    """CLOCK_REALTIME - CLOCK_MONOTONIC: only a step changes it."""
    tai_offset_ns: int
    """CLOCK_TAI - CLOCK_REALTIME."""
    frequency_scaled: int
    """In adjtimex(2)'s own unit, 2^-16 ppm."""


def read_state(host: Host) -> ClockState:
    """MeasurementError when the probe there prints something else."""
    text = host.run([host.probe, "clock", "state"])
    try:
        found = json.loads(text)
        return ClockState(*(int(found[k]) for k in ("wall_offset_ns", "tai_offset_ns", "frequency_scaled")))
    except (ValueError, KeyError, TypeError):
        raise MeasurementError(f"{host.name}: the probe printed what is no state of a clock: {text[:80]!r}") from None
