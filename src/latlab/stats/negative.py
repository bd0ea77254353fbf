# SPDX-License-Identifier: Apache-2.0
"""Packets that arrived before they were sent: no network does that, so a clock was wrong, by at least so much."""

from __future__ import annotations

import numpy as np

from latlab.stats.anomalies import Anomaly, us
from latlab.stats.bins import ABSENT, Times, ways
from latlab.stats.records import Records

JOIN_NS = 1_000_000_000
"""What is nearer together than this is one anomaly."""


class NegativeFinder:
    """Give it a run's records in order with their clocks' offset and bound (`add`), then ask for the `anomalies`."""

    def __init__(self) -> None:
        self._found: list[tuple[int, int, int, int]] = []
        """When it began and ended, how many packets, and by how much the worst was beyond its bound."""

    def add(self, records: Records, offset_ns: Times, error_ns: Times) -> None:
        found = ways(records)
        forward = np.where(found.forward_ns == ABSENT, 0, found.forward_ns - offset_ns)
        back = np.where(found.back_ns == ABSENT, 0, found.back_ns + offset_ns)
        beyond = -np.minimum(forward, back) - error_ns
        for place in np.flatnonzero(beyond > 0).tolist():
            when, size = int(found.sent_ns[place]), int(beyond[place])
            if self._found and when - self._found[-1][1] <= JOIN_NS:
                start, _, packets, worst = self._found[-1]
                self._found[-1] = (start, when, packets + 1, max(worst, size))
            else:
                self._found.append((when, when, 1, size))

    def anomalies(self) -> list[Anomaly]:
        return [
            Anomaly("clock", "negative", "clock", start, end, packets, worst, None, (_told(packets, worst),))
            for start, end, packets, worst in self._found
        ]


def _told(packets: int, worst_ns: int) -> str:
    return (
        f"{packets} packets arrived before they were sent, by up to {us(worst_ns)} more than the bound of the clocks "
        "allows: they were further apart than their method said"
    )
