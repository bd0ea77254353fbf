# SPDX-License-Identifier: Apache-2.0
"""isochron's log file, version 4, which isochron 0.9 writes: read with suspicion, written in one step.

    0   "ISOCHRON"          20  reserved u32           64  where the sender's log begins u64
    8   version u32         24  base time i64          72  where the receiver's log begins u64
    12  packets u32         32  advance time i64       80  bytes of the sender's log u32
    16  frame size u16      40  shift time i64         84  bytes of the receiver's log u32
    18  flags u16           48  cycle time i64         88  reserved u64
                            56  window size i64        96  the sender's log, then the receiver's

All integers are big-endian, all times ns. Both logs are arrays of slots, in which packet q (from 1) has slot q - 1. A
slot with q = 0 was not written: the packet was not sent, or did not arrive. A time of 0 was not taken.
Source: src/log.c and src/log.h of isochron v0.9; v0.9-rc4, which Debian 12 has, does not differ in them.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latlab.errors import StoreError
from latlab.store.disk import os_errors, sync_directory

MAGIC = b"ISOCHRON"
VERSION = 4
_HEADER = struct.Struct(">8sIIHHIqqqqqQQIIQ")
HEADER_BYTES = _HEADER.size

SENT: np.dtype[np.void] = np.dtype(
    [("seqid", ">u4"), ("reserved", ">u4"),
     ("scheduled", ">i8"), ("wakeup", ">i8"), ("hwts", ">i8"), ("swts", ">i8"), ("sched_ts", ">i8")]
)  # fmt: skip
RECEIVED: np.dtype[np.void] = np.dtype(
    [("seqid", ">u4"), ("reserved", ">u4"), ("arrival", ">i8"), ("hwts", ">i8"), ("swts", ">i8")]
)
MOST_PACKETS = (2**32 - 1) // SENT.itemsize
"""The size of a log has 32 bits: 89,478,485 packets, 24.8 hours of one each millisecond."""
LATEST_NS = 2**62
"""No stamp is later (the year 2116), so that no difference of two overflows."""
CHUNK_SLOTS = 20_480

Slots = npt.NDArray[np.void]
"""A one-dimensional array of dtype `SENT` or `RECEIVED`."""

FLAGS = {"OMIT_SYNC": 1, "DO_TS": 2, "TAPRIO": 4, "TXTIME": 8, "DEADLINE": 16}
"""What isochron's sender was told: do not look at the clocks; take transmit stamps; which qdisc holds packets back."""


@dataclass(frozen=True)
class Settings:
    """What a log says besides its packets; the letters B, A, H, C and W. Times in ns, as its sender was told.

    A packet's S is when it should be on the wire; its sender means to wake `advance_ns` before.
    """

    frame_size: int = 0
    """Of a raw frame without its checksum, or the payload of UDP."""
    flags: int = 0
    base_ns: int = 0
    advance_ns: int = 0
    shift_ns: int = 0
    cycle_ns: int = 0
    window_ns: int = 0

    @property
    def flag_names(self) -> list[str]:
        """The flags that are set; one that isochron 0.9 does not know by its number, `0x20`."""
        return [_NAMES.get(1 << bit, hex(1 << bit)) for bit in range(16) if self.flags & 1 << bit]


_NAMES = {bit: name for name, bit in FLAGS.items()}


class Reader:
    """The log in `path`. Memory does not grow with the file.

    Raises StoreError, naming file and offset, for what is not a whole log of version 4 that keeps to its own rules;
    about the header at once, about packets when they are read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with os_errors(path, "reading"):
            if not stat.S_ISREG(path.stat().st_mode):
                raise StoreError(f"{path} is not a file")
            with path.open("rb") as file:
                data = file.read(HEADER_BYTES)
                size = os.fstat(file.fileno()).st_size
        if not data.startswith(MAGIC):
            raise StoreError(f"{path} is not a log of isochron: it does not begin with ISOCHRON")
        if len(data) < HEADER_BYTES:
            raise StoreError(f"{path} is cut short: its header has {len(data)} of {HEADER_BYTES} bytes")
        (_, version, packets, frame_size, flags, _, base, advance, shift, cycle, window,
         sent_start, received_start, sent_bytes, received_bytes, _) = _HEADER.unpack(data)  # fmt: skip
        if version != VERSION:
            raise StoreError(
                f"{path}: at offset 8, the log's version is {version}; latlab reads version {VERSION}",
                hint="isochron 0.9 writes version 4: measure again with it",
            )
        for offset, time in zip((24, 32, 40, 48, 56), (base, advance, shift, cycle, window), strict=True):
            if abs(time) > LATEST_NS:
                raise StoreError(f"{path}: at offset {offset}, {time} ns is no time of isochron's settings")
        self.settings = Settings(frame_size, flags, base, advance, shift, cycle, window)
        self.packets: int = packets
        sent_end = self._check_region("sender", sent_start, sent_bytes, SENT.itemsize, 64, 80, size)
        received_end = self._check_region("receiver", received_start, received_bytes, RECEIVED.itemsize, 72, 84, size)
        if sent_bytes and received_bytes and sent_start < received_end and received_start < sent_end:
            raise StoreError(f"{path}: at offset 64, the sender's and the receiver's log overlap")
        if packets == 0 or packets * SENT.itemsize != sent_bytes:
            raise StoreError(
                f"{path}: at offset 12, the log counts {packets} packets, but the sender's log holds "
                f"{sent_bytes // SENT.itemsize}"
            )
        if received_bytes > packets * RECEIVED.itemsize:
            raise StoreError(
                f"{path}: at offset 84, the receiver's log holds {received_bytes // RECEIVED.itemsize} packets, "
                f"but only {packets} were to be sent"
            )
        self._sent_start, self._received_start = sent_start, received_start
        self._receivable = received_bytes // RECEIVED.itemsize

    def _check_region(self, whose: str, start: int, length: int, slot: int, at: int, size_at: int, size: int) -> int:
        """The end of one log, after it was found to be whole and in the file."""
        if start < HEADER_BYTES:
            raise StoreError(f"{self.path}: at offset {at}, the {whose}'s log begins at {start}, within the header")
        if length % slot:
            raise StoreError(
                f"{self.path}: at offset {size_at}, the {whose}'s log has {length} bytes, which is no whole number of "
                f"packets of {slot} bytes"
            )
        if start + length > size:
            raise StoreError(
                f"{self.path} is cut short, or damaged at offset {at}: the {whose}'s log ends at byte "
                f"{start + length}, the file at {size}"
            )
        return start + length

    def chunks(self) -> Iterator[tuple[int, Slots, Slots]]:
        """Number of the first slot (from 0), slots of the sender, slots of the receiver: as many of each, all zero
        where the receiver's log ends earlier. At most `CHUNK_SLOTS` at a time."""
        with os_errors(self.path, "reading"), self.path.open("rb") as file:
            for first in range(0, self.packets, CHUNK_SLOTS):
                count = min(CHUNK_SLOTS, self.packets - first)
                sent = self._read(file.fileno(), SENT, self._sent_start, first, count)
                received = np.zeros(count, RECEIVED)
                there = max(0, min(count, self._receivable - first))
                received[:there] = self._read(file.fileno(), RECEIVED, self._received_start, first, there)
                yield first, sent, received

    def _read(self, fd: int, dtype: np.dtype[np.void], start: int, first: int, count: int) -> Slots:
        offset = start + first * dtype.itemsize
        data = os.pread(fd, count * dtype.itemsize, offset)
        if len(data) < count * dtype.itemsize:
            raise StoreError(f"{self.path} became shorter while it was read")
        slots = np.frombuffer(data, dtype)
        whose = "sender" if dtype is SENT else "receiver"
        due = np.arange(first + 1, first + count + 1)
        wrong = np.flatnonzero((slots["seqid"] != 0) & (slots["seqid"] != due))
        if len(wrong):
            at = int(wrong[0])
            raise StoreError(
                f"{self.path}: at offset {offset + at * dtype.itemsize}, the {whose}'s log has packet "
                f"{slots['seqid'][at]} in the place of packet {due[at]}"
            )
        for field in (dtype.names or ())[2:]:
            outside = np.flatnonzero((slots[field] < 0) | (slots[field] > LATEST_NS))
            if len(outside):
                at = int(outside[0])
                assert dtype.fields is not None
                place = offset + at * dtype.itemsize + dtype.fields[field][1]
                raise StoreError(f"{self.path}: at offset {place}, {slots[field][at]} ns is no time of a packet")
        if dtype is SENT:
            wake = slots["scheduled"] - self.settings.advance_ns
            outside = np.flatnonzero((slots["scheduled"] != 0) & ((wake <= 0) | (wake > LATEST_NS)))
            if len(outside):
                raise StoreError(
                    f"{self.path}: at offset 32, {self.settings.advance_ns} ns is no time to wake before packet "
                    f"{due[int(outside[0])]}"
                )
        return slots


class Writer:
    """Writes a log of `packets` packets, slot after slot; `path` gets its content when the block ends without an error.

    Slots that were not put are empty. Raises StoreError; a file that was there before then stays as it was.
    """

    def __init__(self, path: Path, packets: int, settings: Settings) -> None:
        if not 0 < packets <= MOST_PACKETS:
            raise StoreError(
                f"a log of isochron holds 1 to {MOST_PACKETS} packets, and these are {packets}",
                hint="its format has no room for more; latlab's own samples.parquet has",
            )
        self.path = path
        self._received_start = HEADER_BYTES + packets * SENT.itemsize
        sizes = packets * SENT.itemsize, packets * RECEIVED.itemsize
        self._size = HEADER_BYTES + sum(sizes)
        s = settings
        self._header = _HEADER.pack(
            MAGIC, VERSION, packets, min(s.frame_size, 65_535), s.flags, 0,
            s.base_ns, s.advance_ns, s.shift_ns, s.cycle_ns, s.window_ns,
            HEADER_BYTES, self._received_start, *sizes, 0,
        )  # fmt: skip
        self._fd = -1

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """The block in which `put` may be called."""
        target = self.path.resolve()
        with os_errors(self.path, "writing"):
            if target.exists() and not target.is_file():
                raise StoreError(f"{self.path} is not a file, and cannot become one")
            self._fd, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        try:
            with os_errors(self.path, "writing"):
                os.ftruncate(self._fd, self._size)
                self._write(self._header, 0)
            yield self
            with os_errors(self.path, "writing"):
                os.fchmod(self._fd, 0o644)
                os.fsync(self._fd)
                temporary.replace(target)
                sync_directory(target.parent)
        finally:
            os.close(self._fd)
            temporary.unlink(missing_ok=True)

    def put(self, first: int, sent: Slots, received: Slots) -> None:
        """The slots from number `first` on, as many of each."""
        with os_errors(self.path, "writing"):
            self._write(sent.tobytes(), HEADER_BYTES + first * SENT.itemsize)
            self._write(received.tobytes(), self._received_start + first * RECEIVED.itemsize)

    def _write(self, data: bytes, offset: int) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._fd, rest, offset)
            rest, offset = rest[written:], offset + written
