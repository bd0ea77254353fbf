# SPDX-License-Identifier: Apache-2.0
"""isochron logs made up for tests, byte by byte, without the code under test."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

START_NS = 1_800_000_000_000_000_000
CYCLE_NS = 1_000_000
ADVANCE_NS = 200_000

Sent = tuple[int, int, int, int, int, int]
"""seqid, scheduled, wakeup, hwts, swts, sched_ts"""
Received = tuple[int, int, int, int]
"""seqid, arrival, hwts, swts"""


def sent(number: int) -> Sent:
    """Packet `number` (from 1), which woke 1 us late; 2 us later in the qdisc, 3 with the driver, 10 on the wire."""
    wire = START_NS + (number - 1) * CYCLE_NS
    wake = wire - ADVANCE_NS + 1_000
    return number, wire, wake, wake + 10_000, wake + 3_000, wake + 2_000


def received(number: int, way_ns: int = 500) -> Received:
    """The same packet, `way_ns` after it left the NIC, 4 us later in the stack, 9 us later with the application."""
    there = sent(number)[3] + way_ns
    return number, there + 9_000, there, there + 4_000


@dataclass
class Log:
    """What a file consists of. `None` in the header: what the logs themselves give."""

    sent: Sequence[Sent]
    received: Sequence[Received]
    magic: bytes = b"ISOCHRON"
    version: int = 4
    packets: int | None = None
    frame_size: int = 128
    flags: int = 2
    times: Sequence[int] = field(default=(0, ADVANCE_NS, 0, CYCLE_NS, 0))
    sent_start: int = 96
    received_start: int | None = None
    sent_bytes: int | None = None
    received_bytes: int | None = None

    def bytes(self) -> bytes:
        send_log = b"".join(struct.pack(">IIqqqqq", row[0], 0, *row[1:]) for row in self.sent)
        receive_log = b"".join(struct.pack(">IIqqq", row[0], 0, *row[1:]) for row in self.received)
        header = self.magic + struct.pack(
            ">IIHHIqqqqqQQIIQ",
            self.version,
            len(self.sent) if self.packets is None else self.packets,
            self.frame_size,
            self.flags,
            0,
            *self.times,
            self.sent_start,
            96 + len(send_log) if self.received_start is None else self.received_start,
            len(send_log) if self.sent_bytes is None else self.sent_bytes,
            len(receive_log) if self.received_bytes is None else self.received_bytes,
            0,
        )
        return header + send_log + receive_log


def whole(count: int = 10) -> Log:
    """A log in which every packet arrived with all its stamps."""
    numbers = range(1, count + 1)
    return Log([sent(number) for number in numbers], [received(number, 500 + number) for number in numbers])
