# SPDX-License-Identifier: Apache-2.0
"""isochron's log is read as its bytes say, or refused by name and offset; whatever they are, nothing else happens."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from latlab.errors import StoreError
from latlab.isochron.convert import to_records
from latlab.isochron.dat import (
    CHUNK_SLOTS,
    HEADER_BYTES,
    LATEST_NS,
    MOST_PACKETS,
    RECEIVED,
    SENT,
    Reader,
    Settings,
    Writer,
)
from tests.isochron.logs import Log, received, sent, whole

SHARED_TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
HOSTILE = settings(SHARED_TMP, max_examples=300)


def stored(folder: Path, log: Log | bytes) -> Path:
    path = folder / "isochron.dat"
    path.write_bytes(log if isinstance(log, bytes) else log.bytes())
    return path


def read(path: Path) -> tuple[Reader, list[tuple[int, ...]], list[tuple[int, ...]]]:
    reader = Reader(path)
    sent_rows: list[tuple[int, ...]] = []
    received_rows: list[tuple[int, ...]] = []
    for _, sent_slots, received_slots in reader.chunks():
        assert len(sent_slots) == len(received_slots) <= CHUNK_SLOTS
        sent_rows += sent_slots[["seqid", "scheduled", "wakeup", "hwts", "swts", "sched_ts"]].tolist()
        received_rows += received_slots[["seqid", "arrival", "hwts", "swts"]].tolist()
    return reader, sent_rows, received_rows


def test_every_field_is_read_where_it_lies(tmp_path: Path) -> None:
    log = replace(whole(3), frame_size=1_500, flags=0x21, times=(1, 2, -3, 4, 5))
    reader, sent_rows, received_rows = read(stored(tmp_path, log))
    assert reader.packets == 3
    assert reader.settings == Settings(1_500, 0x21, 1, 2, -3, 4, 5)
    assert reader.settings.flag_names == ["OMIT_SYNC", "0x20"]
    assert (sent_rows, received_rows) == (log.sent, log.received)


def test_logs_may_lie_anywhere_and_the_receivers_may_end_early(tmp_path: Path) -> None:
    log = whole(4)
    data = bytearray(replace(log, sent_start=200, received_start=100, received_bytes=2 * 32).bytes()[:96])
    data += bytes(4) + replace(log, sent=[]).bytes()[96 : 96 + 64] + bytes(36) + replace(log, received=[]).bytes()[96:]
    data[12:16], data[80:84] = (4).to_bytes(4, "big"), (4 * 48).to_bytes(4, "big")
    _, sent_rows, received_rows = read(stored(tmp_path, bytes(data)))
    assert sent_rows == log.sent
    assert received_rows == [*log.received[:2], (0, 0, 0, 0), (0, 0, 0, 0)]


def test_a_log_longer_than_a_chunk(tmp_path: Path) -> None:
    count = CHUNK_SLOTS + 7
    log = whole(count)
    _, sent_rows, received_rows = read(stored(tmp_path, log))
    assert (sent_rows, received_rows) == (log.sent, log.received)


@SHARED_TMP
@given(st.integers(0, 8), st.integers(1, 800))
@example(count=8, cut=1)
def test_a_file_cut_anywhere_is_said_to_be_cut(tmp_path: Path, count: int, cut: int) -> None:
    whole_bytes = whole(count).bytes()
    length = max(0, len(whole_bytes) - cut)
    path = stored(tmp_path, whole_bytes[:length])
    expected = "does not begin with ISOCHRON" if length < 8 else "is cut short"
    with pytest.raises(StoreError, match=expected) as caught:
        Reader(path)
    assert str(path) in caught.value.message


def changed_slot(field: int, value: int) -> Log:
    """`value` in one field of the third packet's slot, in the sender's log."""
    log = whole(5)
    slots = list(log.sent)
    row = list(slots[2])
    row[field] = value
    slots[2] = (row[0], row[1], row[2], row[3], row[4], row[5])
    return replace(log, sent=slots)


@pytest.mark.parametrize(
    ("log", "complaint"),
    [
        (replace(whole(), magic=b"ISOCHROM"), "is not a log of isochron: it does not begin with ISOCHRON"),
        (replace(whole(), version=3), "at offset 8, the log's version is 3; latlab reads version 4"),
        (replace(whole(), version=2**32 - 1), "at offset 8, the log's version is 4294967295"),
        (replace(whole(), packets=11), "at offset 12, the log counts 11 packets, but the sender's log holds 10"),
        (replace(whole(), packets=2**32 - 1), "at offset 12, the log counts 4294967295 packets"),
        (Log([], []), "at offset 12, the log counts 0 packets"),
        (replace(whole(), times=(0, 2**63 - 1, 0, 0, 0)), "at offset 32, 9223372036854775807 ns is no time of"),
        (replace(whole(), times=(0, 0, 0, -(2**63), 0)), "at offset 48, -9223372036854775808 ns is no time of"),
        (replace(whole(), times=(0, LATEST_NS, 0, 1, 0)), f"at offset 32, {LATEST_NS} ns is no time to wake before"),
        (replace(whole(), sent_start=8), "at offset 64, the sender's log begins at 8, within the header"),
        (replace(whole(), received_start=0), "at offset 72, the receiver's log begins at 0, within the header"),
        (
            replace(whole(), sent_start=2**64 - 1),
            "damaged at offset 64: the sender's log ends at byte 18446744073709552",
        ),
        (replace(whole(), received_start=2**63), "damaged at offset 72: the receiver's log ends at byte"),
        (replace(whole(), received_start=200), "at offset 64, the sender's and the receiver's log overlap"),
        (replace(whole(), sent_bytes=47), "at offset 80, the sender's log has 47 bytes, which is no whole number"),
        (replace(whole(), sent_bytes=2**32 - 16), "damaged at offset 64: the sender's log ends at byte 4294967376"),
        (
            replace(whole(), received_bytes=33),
            "at offset 84, the receiver's log has 33 bytes, which is no whole number",
        ),
        (replace(whole(3), sent=whole(2).sent), "at offset 84, the receiver's log holds 3 packets, but only 2"),
        (changed_slot(0, 7), "at offset 192, the sender's log has packet 7 in the place of packet 3"),
        (changed_slot(0, 2), "at offset 192, the sender's log has packet 2 in the place of packet 3"),
        (changed_slot(1, -1), "at offset 200, -1 ns is no time of a packet"),
        (changed_slot(5, 2**63 - 1), "at offset 232, 9223372036854775807 ns is no time of a packet"),
        (changed_slot(1, 199_999), "at offset 32, 200000 ns is no time to wake before packet 3"),
        (changed_slot(1, 200_000), "at offset 32, 200000 ns is no time to wake before packet 3"),
        (
            replace(whole(2), received=[received(1), received(1)]),
            "at offset 224, the receiver's log has packet 1 in the place of packet 2",
        ),
    ],
)
def test_a_log_that_breaks_its_own_rules_is_refused(tmp_path: Path, log: Log, complaint: str) -> None:
    path = stored(tmp_path, log)
    with pytest.raises(StoreError) as caught:
        read(path)
    assert complaint in caught.value.message
    assert str(path) in caught.value.message


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, complaint in (
        (tmp_path, "is not a file"),
        (tmp_path / "pipe", "is not a file"),
        (tmp_path / "x", "No such"),
    ):
        with pytest.raises(StoreError, match=complaint):
            Reader(path)


@HOSTILE
@given(st.lists(st.tuples(st.integers(0, 96 + 4 * 80 - 1), st.binary(min_size=1, max_size=8)), max_size=6), st.data())
def test_whatever_the_bytes_there_are_records_or_one_error(
    tmp_path: Path, changes: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    content = bytearray(whole(4).bytes())
    for offset, new in changes:
        content[offset : offset + len(new)] = new
    path = stored(tmp_path, bytes(content[: data.draw(st.integers(80, len(content)))]))
    with suppress(StoreError):
        reader = Reader(path)
        for chunk in reader.chunks():
            records = to_records(*chunk, reader.settings)
            assert len(records) <= 4
            for stamp in "SwstTRra":
                assert ((records[stamp] >= 0) & (records[stamp] <= LATEST_NS)).all()


times = st.integers(0, LATEST_NS)


@SHARED_TMP
@given(st.lists(st.tuples(*[times] * 8), min_size=1, max_size=20), st.integers(1, 20), st.data())
def test_what_is_written_is_what_is_read(
    tmp_path: Path, rows: list[tuple[int, ...]], piece: int, data: st.DataObject
) -> None:
    kept = Settings(
        data.draw(st.integers(0, 65_535)), data.draw(st.integers(0, 65_535)),
        *(data.draw(st.integers(-LATEST_NS, LATEST_NS)) if name != "advance" else 0
          for name in ("base", "advance", "shift", "cycle", "window")),
    )  # fmt: skip
    sent_slots = np.array([(n, 0, *row[:5]) for n, row in enumerate(rows, 1)], SENT)
    received_slots = np.array([(n, 0, *row[5:]) for n, row in enumerate(rows, 1)], RECEIVED)
    path = tmp_path / "isochron.dat"
    with Writer(path, len(rows), kept).writing() as writer:
        for first in range(0, len(rows), piece):
            writer.put(first, sent_slots[first : first + piece], received_slots[first : first + piece])
    reader = Reader(path)
    assert reader.settings == kept
    ((_, sent_read, received_read),) = reader.chunks()
    assert (sent_read.tobytes(), received_read.tobytes()) == (sent_slots.tobytes(), received_slots.tobytes())
    assert path.stat().st_size == HEADER_BYTES + 80 * len(rows)


def test_the_writers_bytes_are_isochrons(tmp_path: Path) -> None:
    log = whole(3)
    path = tmp_path / "isochron.dat"
    with Writer(path, 3, Settings(128, 2, 0, 200_000, 0, 1_000_000, 0)).writing() as writer:
        sent_slots = np.array([(row[0], 0, *row[1:]) for row in log.sent], SENT)
        writer.put(0, sent_slots, np.array([(row[0], 0, *row[1:]) for row in log.received], RECEIVED))
    assert path.read_bytes() == log.bytes()


def test_an_error_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    path = stored(tmp_path, b"before")
    with pytest.raises(ZeroDivisionError), Writer(path, 1, Settings()).writing():
        raise ZeroDivisionError
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_not_replaced_by_a_log(tmp_path: Path) -> None:
    device = tmp_path / "device"
    os.mkfifo(device)
    with pytest.raises(StoreError, match="device is not a file"), Writer(device, 1, Settings()).writing():
        pass
    assert device.is_fifo()


@pytest.mark.parametrize("packets", [0, MOST_PACKETS + 1])
def test_a_log_that_isochron_could_not_hold_is_not_begun(tmp_path: Path, packets: int) -> None:
    with pytest.raises(StoreError, match=f"1 to {MOST_PACKETS} packets, and these are {packets}"):
        Writer(tmp_path / "x", packets, Settings())


def test_layout_is_that_of_isochrons_header() -> None:
    assert (HEADER_BYTES, SENT.itemsize, RECEIVED.itemsize) == (96, 48, 32)
    assert MOST_PACKETS * 48 < 2**32 <= (MOST_PACKETS + 1) * 48
    assert struct.calcsize(">8sIIHHIqqqqqQQIIQ") == 96
    assert sent(1)[0] == received(1)[0] == 1
