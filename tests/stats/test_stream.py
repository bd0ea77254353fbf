# SPDX-License-Identifier: Apache-2.0
"""A stream in any pieces gives the same records; damage is found and named by its offset; the rest waits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.stats.records import HEADER_BYTES, LATE, RECORD_BYTES, Records
from latlab.stats.stream import DamagedStreamError, StreamParser
from tests.samples_maker import HEADER, exchanges, stream


def parsed(parser: StreamParser, *pieces: bytes) -> Records:
    found = [records for piece in pieces for records in parser.feed(piece)]
    return np.concatenate(found) if found else exchanges(0)


def with_extra() -> Records:
    """A late reply to packet 1 comes between the records of packets 3 and 4."""
    extra = exchanges(1, first_seq=1)
    extra["flags"] = LATE
    return np.concatenate([exchanges(4), extra, exchanges(3, first_seq=4)])


@given(st.lists(st.integers(1, 500), max_size=12))
def test_any_pieces_give_the_same_records(sizes: list[int]) -> None:
    records, parser, data = with_extra(), StreamParser(), stream(with_extra())
    ends = [min(end, len(data)) for end in np.cumsum([0, *sizes]).tolist()]
    pieces = [data[a:b] for a, b in zip(ends, [*ends[1:], len(data)], strict=True)]
    assert parsed(parser, *pieces).tobytes() == records.tobytes()
    assert (parser.records, parser.own, parser.waiting_bytes) == (8, 7, 0)
    assert parser.header == HEADER


@given(st.integers(0, HEADER_BYTES + 3 * RECORD_BYTES))
def test_what_is_not_whole_waits(cut: int) -> None:
    """A header that has not come whole is no damage; nor is a record."""
    parser, data = StreamParser(), stream(exchanges(3))
    whole = max(0, cut - HEADER_BYTES) // RECORD_BYTES
    assert len(parsed(parser, data[:cut])) == whole
    assert parser.waiting_bytes == (cut if cut < HEADER_BYTES else (cut - HEADER_BYTES) % RECORD_BYTES)
    assert len(parsed(parser, data[cut:])) == 3 - whole


def test_fields_of_a_later_probe_are_left_out() -> None:
    header = replace(HEADER, header_bytes=160, record_bytes=RECORD_BYTES + 8)
    records = exchanges(3)
    data = header.pack() + b"".join(row.tobytes() + b"new 8 B." for row in records)
    assert parsed(StreamParser(), data[:700], data[700:]).tobytes() == records.tobytes()


def test_what_is_no_stream_is_damaged_at_its_beginning() -> None:
    with pytest.raises(DamagedStreamError, match="damaged at byte 0: this is not a stream of latlab-probe"):
        parsed(StreamParser(), b"\x00" * 200)


@pytest.mark.parametrize("header", [replace(HEADER, period_ns=-5), replace(HEADER, count=1 << 60)])
def test_so_is_a_header_of_a_run_that_cannot_be(header: object) -> None:
    with pytest.raises(DamagedStreamError, match=r"damaged at byte 0: -?\d+ packets, one each"):
        parsed(StreamParser(), replace(HEADER, **vars(header)).pack())


DAMAGE = {
    "a record without a flag": ("flags", 0),
    "reserved field is not 0": ("reserved", 7),
    "beyond the 100 that were wanted": ("seq", 1 << 63),
    "out of order": ("seq", 0),
}


@given(st.sampled_from(sorted(DAMAGE)), st.integers(1, 9), st.integers(1, 10))
def test_a_damaged_record_is_named_by_its_offset(reason: str, place: int, piece: int) -> None:
    """Wherever the pieces were cut; what came before it was given."""
    field, value = DAMAGE[reason]
    records = exchanges(10)
    records[field][place] = value
    data, parser = stream(records), StreamParser()
    pieces = [data[at : at + piece * RECORD_BYTES] for at in range(0, len(data), piece * RECORD_BYTES)]
    with pytest.raises(DamagedStreamError, match=reason) as caught:
        parsed(parser, *pieces)
    assert caught.value.offset == HEADER_BYTES + place * RECORD_BYTES
    assert parser.records <= place
