# SPDX-License-Identifier: Apache-2.0
"""From what linuxptp says of a slave to how the two ends' clocks compare: the reflector's minus the sender's. Pure.

ptp4l's offset is t2 - t1 - d: a sync message's own delay, less the mean delay of both directions. So it is wrong by the
difference of the two. `error_ns` of a comparison is d, which holds while the message took between nothing and twice
the mean (IEEE 1588-2019, 11.2, with all of the delay as its asymmetry), and the largest step between two of the last
offsets, by which single messages are seen to be held up. It is meant as a 99.9 % bound: what PTP cannot see at all,
such as a way that became slower in one direction than d, is left to the exchanges' cross-check.

With hardware stamps ptp4l compares the NICs' clocks; phc2sys at both ends says how far the kernels' are from these.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from latlab.timing.reading import Reading

RECENT = 16
"""Offsets: two seconds at eight a second."""
LEAST = 4
"""Before there are so many, nothing says how much messages are held up, and the first one may be."""


class Comparer:
    """Takes the readings in order of time; gives a comparison for each of the slave's offsets that can be had."""

    def __init__(self, slave: str, *, hardware: bool) -> None:
        self._slave, self._hardware = slave, hardware
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._systems: dict[str, Reading] = {}

    def take(self, reading: Reading) -> Reading | None:
        """None: nothing to compare by this one."""
        if reading.offset_ns is None:
            return None
        if reading.source == "phc2sys":
            self._systems[reading.host] = reading
        if reading.source != "ptp4l" or reading.host != self._slave or not reading.path_delay_ns:
            return None  # a delay of 0 is one that is not known yet
        if reading.servo_state == "s1":
            # What comes after is another clock.
            self._recent.clear()
            return None
        self._recent.append(reading.offset_ns)
        if len(self._recent) < LEAST:
            return None
        offset_ns, error_ns = reading.offset_ns, abs(reading.path_delay_ns) + self._unrest_ns()
        if self._hardware:
            if len(self._systems) < 2:
                return None
            for system in self._systems.values():
                offset_ns += system.offset_ns or 0
                error_ns += system.error_ns or 0
        # Each is the slave's minus the master's.
        sign = 1 if self._slave == "reflector" else -1
        return Reading(reading.time_ns, "reflector", reading.source, "sender", sign * offset_ns, error_ns)

    def _unrest_ns(self) -> int:
        return max((abs(b - a) for a, b in pairwise(self._recent)), default=0)
