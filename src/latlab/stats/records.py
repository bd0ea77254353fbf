# SPDX-License-Identifier: Apache-2.0
"""The probe's binary stream: its header, its records, its flags. `probe/record.h` defines the same layout in C.

A stream is one header of 128 bytes, then records of 136 bytes; all integers are little-endian. A stamp of 0 was not
taken. Header and record carry their own sizes, so a later probe may append to either.

A packet has one record of its own, with SENT or SEND_FAILED, in the order of seq. A record with neither is an extra
about a packet whose own record went out before: its reply came LATE, or was DUPLICATED. An extra is no sample.
"""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from latlab.stats.stamps import STAMPS

SENT, REPLIED, LATE, DUPLICATED, REORDERED = 1, 2, 4, 8, 16
SEND_FAILED, TX_STAMPS_REQUESTED, LATE_WAKEUP = 32, 64, 128
RECEIVED = 256
"""Of an imported measurement that goes one way only: the packet arrived, as its receiver logged. The probe never sets
it: it learns of an arrival by the reply."""
CLOCK_SUSPECT = 512
"""Set in the store, never by the probe: a clock was not to be trusted when this packet was on its way."""

ARRIVED = REPLIED | RECEIVED
"""A packet with one of these got to the other end."""

OWN = SENT | SEND_FAILED
"""A record with one of these is a packet's own; one with neither is an extra."""

MAGIC = b"LATLAB1\n"
HEADER_BYTES = 128
STREAM_VERSION = 1
_CLOCK_MONOTONIC, _CLOCK_TAI = 1, 11  # as in <time.h>
_HEADER = struct.Struct("<8sIIIIqqQIIq")

RECORD: np.dtype[np.void] = np.dtype(
    [("seq", "<u8"), ("flags", "<u4"), ("reserved", "<u4"), *((stamp.field, "<i8") for stamp in STAMPS)]
)
RECORD_BYTES = 136
assert RECORD.itemsize == RECORD_BYTES

Records = npt.NDArray[np.void]
"""A one-dimensional array of dtype `RECORD`: one row per packet, stamps in ns of TAI, 0 = not taken."""


@dataclass(frozen=True)
class StreamHeader:
    """What the probe says about a stream before its first record."""

    clock: str
    """The clock that paces: `tai` or `monotonic`. Stamps are on TAI in both cases."""
    tai_offset_ns: int
    period_ns: int
    count: int
    size_bytes: int
    start_ns: int
    tx_stamps_every: int = 1
    """Transmit stamps were asked for on one in so many packets; 0 = none."""
    header_bytes: int = HEADER_BYTES
    record_bytes: int = RECORD_BYTES
    version: int = STREAM_VERSION

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def pack(self) -> bytes:
        clock = _CLOCK_MONOTONIC if self.clock == "monotonic" else _CLOCK_TAI
        packed = _HEADER.pack(
            MAGIC,
            self.header_bytes,
            self.record_bytes,
            self.version,
            clock,
            self.tai_offset_ns,
            self.period_ns,
            self.count,
            self.size_bytes,
            self.tx_stamps_every,
            self.start_ns,
        )
        return packed.ljust(self.header_bytes, b"\0")


def parse_header(data: bytes) -> StreamHeader:
    """Header of a stream that begins with `data`. Raises ValueError, saying what is wrong with it."""
    if len(data) < HEADER_BYTES:
        raise ValueError(f"the stream is cut off within its header: {len(data)} of {HEADER_BYTES} bytes")
    magic, header_bytes, record_bytes, version, clock, tai_offset, period, count, size, every, start = (
        _HEADER.unpack_from(data)
    )
    if magic != MAGIC:
        raise ValueError("this is not a stream of latlab-probe: it does not begin, at byte 0, with LATLAB1")
    if version > STREAM_VERSION:
        raise ValueError(f"the stream has version {version}; this latlab reads up to {STREAM_VERSION}")
    if not HEADER_BYTES <= header_bytes <= 65_536 or not RECORD_BYTES <= record_bytes <= 65_536:
        raise ValueError(f"the header is damaged at byte 8: header of {header_bytes} bytes, records of {record_bytes}")
    return StreamHeader(
        clock="monotonic" if clock == _CLOCK_MONOTONIC else "tai",
        tai_offset_ns=tai_offset,
        period_ns=period,
        count=count,
        size_bytes=size,
        start_ns=start,
        tx_stamps_every=every,
        header_bytes=header_bytes,
        record_bytes=record_bytes,
        version=version,
    )


def records_in(data: bytes | memoryview, record_bytes: int = RECORD_BYTES) -> Records:
    """The records that `data`, a whole number of them, holds. Fields that a later probe appended are left out."""
    if record_bytes == RECORD_BYTES:
        return np.frombuffer(data, RECORD)
    rows = np.frombuffer(data, np.uint8).reshape(-1, record_bytes)
    return np.ascontiguousarray(rows[:, :RECORD_BYTES]).view(RECORD).reshape(len(rows))
