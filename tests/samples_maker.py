# SPDX-License-Identifier: Apache-2.0
"""Records made up for tests: exchanges whose stages have known lengths."""

from __future__ import annotations

import numpy as np

from latlab.stats import records as rec
from latlab.stats.records import RECORD, Records, StreamHeader
from latlab.stats.stamps import STAMPS

START_NS = 1_800_000_000_000_000_000
STEP_NS = 1_000
"""Every stamp comes this long after the one before it, plus what `extra_ns` says."""

HEADER = StreamHeader(
    clock="tai", tai_offset_ns=37_000_000_000, period_ns=1_000_000, count=100, size_bytes=128, start_ns=START_NS
)


def exchanges(count: int, *, hardware: bool = False, extra_ns: int = 0, first_seq: int = 0) -> Records:
    """`count` answered exchanges with all stamps (those of the NICs if `hardware`); packet i's way back to the sender
    takes i * `extra_ns` longer."""
    records = np.zeros(count, RECORD)
    records["seq"] = np.arange(first_seq, first_seq + count)
    records["flags"] = rec.SENT | rec.REPLIED | rec.TX_STAMPS_REQUESTED
    scheduled = START_NS + records["seq"].astype(np.int64) * HEADER.period_ns
    for place, stamp in enumerate(STAMPS):
        if stamp.clock.endswith("-nic") and not hardware:
            continue
        records[stamp.field] = scheduled + place * STEP_NS
        if stamp.letter in ("R'", "r'", "a'"):
            records[stamp.field] += np.arange(count) * extra_ns
    return records


def lose(records: Records, index: int) -> None:
    """Turn an exchange into a packet without a reply: only the sender's own stamps remain."""
    records["flags"][index] &= ~np.uint32(rec.REPLIED)
    for stamp in STAMPS:
        if stamp.letter not in ("S", "w", "s", "t", "T"):
            records[stamp.field][index] = 0


def stream(records: Records) -> bytes:
    """The bytes that a probe would send for `records`."""
    return HEADER.pack() + records.tobytes()
