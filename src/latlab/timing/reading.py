# SPDX-License-Identifier: Apache-2.0
"""The sync log: what was read of the clocks while a run went on. One `Reading` is one row of timing.parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LOCKED = ("s2", "s3")
"""States of a servo that follows: see `Reading.servo_state`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source said at one moment. What it did not say is None.

    `offset_ns` is the clock of `host` minus its reference; `error_ns` bounds how far that may be off.
    """

    time_ns: int
    """TAI, on the sender's clock where rows compare both ends, else on that of `host`."""
    host: str
    """`sender`, `reflector`, or the name of another machine of the bench."""
    source: str
    """`ptp4l`, `phc2sys`, `pmc`, `kvm-tsc`, `ptp-kvm`, `phc`, `exchange`."""
    reference: str = ""
    """What it is compared with: `sender`, `master`, a NIC's clock."""
    offset_ns: int | None = None
    error_ns: int | None = None
    path_delay_ns: int | None = None
    frequency_ppb: float | None = None
    port_state: str | None = None
    """As IEEE 1588 names it: `SLAVE`, `MASTER`, `UNCALIBRATED`, `FAULTY`, ..."""
    servo_state: str | None = None
    """As linuxptp names it: `s0` unlocked, `s1` about to step, `s2` locked, `s3` locked and stable."""
    grandmaster: str | None = None
    event: str | None = None
    """Something that happened, in the words of its source: `port 1: SLAVE to UNCALIBRATED on SYNCHRONIZATION_FAULT`."""


class Watch(Protocol):
    """A timing method at work."""

    def take(self) -> list[Reading]:
        """The readings that have come since the last call. Does not wait."""

    @property
    def failure(self) -> str | None:
        """Why it works no longer; None while it does."""
