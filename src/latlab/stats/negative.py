# SPDX-License-Identifier: Apache-2.0
"""Packets that arrived before they were sent: no network does that, so a clock was wrong, by at least so much."""

from __future__ import annotations

import numpy as np

from latlab.stats.anomalies import Anomaly, us
from latlab.stats.columns import Columns
from latlab.stats.records import Records
from latlab.stats.ways import ABSENT, Times, Ways, ways

JOIN_NS = 1_000_000_000
"""What is nearer together than this is one anomaly."""


class NegativeFinder:
    """Give it a run's records in order with their clocks' offset and bound (`add`), then ask for the `anomalies`."""

    def __init__(self) -> None:
        self._found: list[tuple[int, int, int, int]] = []
        """When it began and ended, how many packets, and by how much the worst was beyond its bound."""

    def add(self, records: Records | Columns, offset_ns: Times, error_ns: Times) -> None:
        self.join(negative(ways(records), offset_ns, error_ns))

    def join(self, found: list[tuple[int, int]]) -> None:
        """What `negative` found in the next records."""
        for when, size in found:
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


def negative(found: Ways, offset_ns: Times, error_ns: Times) -> list[tuple[int, int]]:
    """When each packet set out that arrived before, and by how much it is beyond its bound."""
    forward, back = found.forward_ns - offset_ns, found.back_ns + offset_ns
    if not len(forward) or min(int(forward.min()), int(back.min())) >= 0:
        return []
    forward[np.flatnonzero(found.forward_ns == ABSENT)] = 0
    back[np.flatnonzero(found.back_ns == ABSENT)] = 0
    beyond = -np.minimum(forward, back) - error_ns
    places = np.flatnonzero(beyond > 0)
    return list(zip(found.sent_ns[places].tolist(), beyond[places].tolist(), strict=True))


def _told(packets: int, worst_ns: int) -> str:
    return (
        f"{packets} packets arrived before they were sent, by up to {us(worst_ns)} more than the bound of the clocks "
        "allows: they were further apart than their method said"
    )
