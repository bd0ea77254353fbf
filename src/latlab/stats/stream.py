# SPDX-License-Identifier: Apache-2.0
"""A probe's stream, read while it comes: bytes in any pieces go in, whole records come out.

What is not whole yet waits for the rest; at most one header or record is kept. The stream is checked on its way: a
packet's own records come in the order of seq, below the number of packets wanted, each with a flag and with zeros in
its reserved field (see `records`). What breaks that is damage, and it is named by its offset.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from latlab.stats.records import HEADER_BYTES, OWN, Records, StreamHeader, parse_header, records_in

LONGEST_RUN_NS = 1 << 62
"""A run of more than a hundred years is a damaged header."""


class DamagedStreamError(ValueError):
    """`offset`: the byte, from the stream's beginning, of the header or record that is damaged."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"damaged at byte {offset}: {reason}")
        self.offset = offset


class StreamParser:
    """Of one stream. `header` is None until it has come whole."""

    def __init__(self) -> None:
        self.header: StreamHeader | None = None
        self.records = 0
        """Whole ones so far."""
        self.own = 0
        """Those of them that are a packet's own."""
        self._rest = b""
        self._offset = 0
        self._last_seq = -1

    @property
    def waiting_bytes(self) -> int:
        """Of a header or a record that is not whole yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[Records]:
        """The records that are whole by now, in arrays. DamagedStreamError at the first that cannot be one."""
        data = self._rest + data
        if self.header is None:
            self._rest = data
            if len(data) < HEADER_BYTES:
                return
            header = _checked_header(data)
            if len(data) < header.header_bytes:
                return
            self.header, self._offset, data = header, header.header_bytes, data[header.header_bytes :]
        size = self.header.record_bytes
        whole = len(data) // size * size
        self._rest = data[whole:]
        if whole:
            found = records_in(memoryview(data)[:whole], size)
            self._check(found, self.header)
            self._offset += whole
            self.records += len(found)
            yield found

    def _check(self, found: Records, header: StreamHeader) -> None:
        seq, flags = found["seq"], found["flags"]
        own = np.flatnonzero(flags & OWN != 0)
        numbers = seq[own].astype(np.int64)
        disordered = np.zeros(len(found), bool)
        disordered[own] = np.diff(numbers, prepend=self._last_seq) <= 0
        problems = (
            (flags == 0, "a record without a flag"),
            (found["reserved"] != 0, "a record whose reserved field is not 0"),
            (
                (seq >= header.count) & (header.count > 0),
                f"a record of a packet beyond the {header.count} that were wanted",
            ),
            (disordered, "a packet's record out of order"),
        )
        bad = np.logical_or.reduce([wrong for wrong, _ in problems])
        if bad.any():
            first = int(np.argmax(bad))
            reason = next(words for wrong, words in problems if wrong[first])
            raise DamagedStreamError(self._offset + first * header.record_bytes, reason)
        self.own += len(own)
        if len(own):
            self._last_seq = int(numbers[-1])


def _checked_header(data: bytes) -> StreamHeader:
    try:
        header = parse_header(data)
    except ValueError as error:
        raise DamagedStreamError(0, str(error)) from error
    if header.period_ns < 0 or header.count * header.period_ns > LONGEST_RUN_NS:
        raise DamagedStreamError(0, f"{header.count} packets, one each {header.period_ns} ns")
    return header
