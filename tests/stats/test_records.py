# SPDX-License-Identifier: Apache-2.0
"""The binary stream is laid out as the probe writes it."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.stats.records import HEADER_BYTES, RECORD, RECORD_BYTES, parse_header
from latlab.stats.stamps import METRICS, STAMP, STAMPS
from tests.samples_maker import HEADER

LETTERS = "S w s t T R r a w' s' t' T' R' r' a'"


def test_records_hold_seq_flags_and_the_stamps_in_their_order() -> None:
    values = [7, 3, 0, *range(100, 115)]
    data = struct.pack("<QII15q", *values)
    assert len(data) == RECORD_BYTES
    row = np.frombuffer(data, RECORD)[0]
    assert (row["seq"], row["flags"]) == (7, 3)
    assert [row[stamp.field] for stamp in STAMPS] == list(range(100, 115))
    assert " ".join(stamp.letter for stamp in STAMPS) == LETTERS


def test_a_header_is_found_at_the_stated_offsets() -> None:
    data = bytearray(HEADER_BYTES)
    data[0:8] = b"LATLAB1\n"
    struct.pack_into("<IIII", data, 8, 128, 136, 1, 1)
    struct.pack_into("<qqQII", data, 24, 37, 1_000_000, 5, 96, 10)
    struct.pack_into("<q", data, 56, 1_234)
    header = parse_header(bytes(data))
    assert (header.clock, header.tai_offset_ns, header.period_ns) == ("monotonic", 37, 1_000_000)
    assert (header.count, header.size_bytes, header.tx_stamps_every, header.start_ns) == (5, 96, 10, 1_234)
    assert header.pack() == bytes(data)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [(0, b"X", "not a stream"), (8, b"\1\0\0\0", "damaged"), (12, b"\0\0\0\0", "damaged"), (16, b"\2", "version 2")],
)
def test_a_damaged_header_is_told(offset: int, value: bytes, message: str) -> None:
    data = bytearray(HEADER.pack())
    data[offset : offset + len(value)] = value
    with pytest.raises(ValueError, match=message):
        parse_header(bytes(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_an_error(data: bytes) -> None:
    for start in (b"", HEADER.pack()[:20]):
        with contextlib.suppress(ValueError):
            assert parse_header(start + data).record_bytes >= RECORD_BYTES


def test_columns_differ_even_without_regard_to_case() -> None:
    assert len({stamp.column.lower() for stamp in STAMPS}) == len(STAMPS) == 15


@pytest.mark.parametrize("direction", ["up", "down"])
def test_every_metric_has_a_key_of_its_own(direction: str) -> None:
    keys = [metric.key("up" if direction == "up" else "down") for metric in METRICS]
    assert len(set(keys)) == len(keys)
    assert {"round_trip", "up", "down", "dwell"} <= set(keys)


def test_metrics_within_one_machine_need_one_clock() -> None:
    clocks = {metric.key("up"): metric.two_clocks for metric in METRICS}
    assert not any(clocks[key] for key in ("round_trip", "dwell", "up_sender_wakeup", "up_send_path", "down_send_path"))
    assert all(clocks[key] for key in ("up", "down", "up_wire_to_wire", "up_stack_to_stack", "up_delivery_nic"))
    assert STAMP["a'"].clock == STAMP["w"].clock
