# SPDX-License-Identifier: Apache-2.0
"""What the XDP forwarder has to do, said once more in Python: the reference that its verdicts are compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

XDP_PASS, XDP_REDIRECT = 2, 4
TAGS = (b"\x81\x00", b"\x88\xa8")

Station = tuple[bytes, int]
"""MAC address and VLAN."""


@dataclass
class Model:
    """`stations`: where each was last heard; `stale`: those of them that were not heard of for longer than allowed."""

    nic: int
    ports: Iterable[int]
    own_mac: bytes
    stations: dict[Station, int] = field(default_factory=dict)
    stale: set[Station] = field(default_factory=set)
    counters: Counter[tuple[str, str]] = field(default_factory=Counter)

    def frame(self, frame: bytes, port: int) -> int:
        """The verdict on a frame that came in on the port."""

        def passed(why: str) -> int:
            self.counters[way, f"passed: {why}"] += 1
            return XDP_PASS

        way, tagged = "nic" if port == self.nic else "tap", frame[12:14] in TAGS
        if len(frame) < (18 if tagged else 14):
            return passed("runt")
        vlan = int.from_bytes(frame[14:16], "big") % 4096 if tagged else 0
        to, sender = (frame[0:6], vlan), (frame[6:12], vlan)
        if sender[0] != bytes(6) and not sender[0][0] & 1:
            self._learn(sender, port, way)
        if to[0][0] & 1:
            return passed("multicast")
        if to[0] == self.own_mac:
            return passed("to the hypervisor")
        if to not in self.stations:
            return passed("unknown")
        if to in self.stale:
            self.counters[way, "aged"] += 1
            self.forget(to)
            return passed("unknown")
        if self.stations[to] == port:
            return passed("same port")
        if self.stations[to] not in self.ports:
            return passed("unknown")
        self.counters[way, "redirected"] += 1
        return XDP_REDIRECT

    def _learn(self, sender: Station, port: int, way: str) -> None:
        known = self.stations.get(sender)
        if known != port:
            self.counters[way, "learnt" if known is None else "moved"] += 1
        self.stations[sender] = port
        self.stale.discard(sender)

    def forget(self, station: Station) -> None:
        del self.stations[station]
        self.stale.discard(station)
