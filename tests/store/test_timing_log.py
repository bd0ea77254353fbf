# SPDX-License-Identifier: Apache-2.0
"""The sync log is written whole, in order of time, with NULL for what was not said."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from latlab.errors import StoreError
from latlab.stats.bins import make_bins
from latlab.stats.clock_path import clock_path
from latlab.store.timing_log import COLUMNS, LINES_NAME, TIMING_NAME, SyncLog, from_path
from latlab.timing.reading import Reading
from tests.stats.exchanges_maker import START_NS, Fault, World, make

READINGS = [
    Reading(
        time_ns=START_NS + 5,
        host="reflector",
        source="ptp4l",
        offset_ns=-(2**60),
        frequency_ppb=-12.5,
        port_state="SLAVE",
    ),
    Reading(time_ns=START_NS, host="sender", source="pmc", event='port 1: "SLAVE" to\nFAULTY, \u00fc'),
]


def rows(path: Path) -> list[dict[str, object]]:
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM '{path}'")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def written(directory: Path, readings: Iterable[Reading]) -> Path:
    log = SyncLog(directory)
    log.append(readings)
    log.finish()
    return directory / TIMING_NAME


def test_rows_come_back_in_order_of_time_as_they_were(tmp_path: Path) -> None:
    path = written(tmp_path, READINGS)
    assert [entry.name for entry in tmp_path.iterdir()] == [TIMING_NAME]
    assert rows(path) == [{name: getattr(reading, name) for name in COLUMNS} for reading in reversed(READINGS)]
    with duckdb.connect() as connection:
        columns = connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    assert [row[:2] for row in columns] == list(COLUMNS.items())


def test_what_was_appended_is_there_before_the_end(tmp_path: Path) -> None:
    log = SyncLog(tmp_path)
    assert list(log.readings()) == []
    log.append([])
    for reading in READINGS:
        log.append([reading])
    with (tmp_path / LINES_NAME).open("a") as file:
        file.write('{"time_ns": 12, "ho')  # the controller was killed here
    assert list(log.readings()) == READINGS


def test_no_reading_is_no_file(tmp_path: Path) -> None:
    SyncLog(tmp_path).finish()
    assert list(tmp_path.iterdir()) == []
    assert SyncLog(tmp_path).comparison() is None


def test_the_reflector_s_readings_with_a_bound_compare_the_clocks(tmp_path: Path) -> None:
    log = SyncLog(tmp_path)
    log.append(READINGS)
    assert log.comparison() is None
    for time in (9, 3):
        log.append(
            [Reading(time_ns=time, host="reflector", source="x", reference="sender", offset_ns=time, error_ns=1)]
        )
    found = log.comparison()
    assert found is not None
    assert (found.time_ns.tolist(), found.offset_ns.tolist(), found.error_ns.tolist()) == ([3, 9], [3, 9], [1, 1])


def test_a_directory_that_is_gone_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"timing\.jsonl"):
        SyncLog(tmp_path / "gone").append(READINGS)


def test_the_exchanges_give_a_row_each_second_with_truth_inside_its_bound(tmp_path: Path) -> None:
    made = make(World(count=20_000, skew_ppb=50_000, offset_ns=10**15, faults=(Fault("step", 9.5, 0, 2e6),)))
    path = clock_path(make_bins(made.chunks(), 100, 1_000_000))
    assert path is not None
    readings = list(from_path(path))
    assert len(readings) == 20
    assert {(row.host, row.reference, row.source) for row in readings} == {("reflector", "sender", "exchange")}
    assert np.diff([row.time_ns for row in readings]) == pytest.approx(1e9, abs=1e6)
    for row in readings:
        truth = int(made.offset_ns[(row.time_ns - START_NS) // 1_000_000])
        assert row.offset_ns is not None
        assert row.error_ns is not None
        assert abs(row.offset_ns - truth) <= row.error_ns
    assert len(rows(written(tmp_path, readings))) == 20


def test_a_sender_that_was_set_back_still_gives_rows(tmp_path: Path) -> None:
    made = make(World(count=20_000, faults=(Fault("sender-step", 9.5, 0, -3.6e12),)))
    path = clock_path(make_bins(made.chunks(), 100, 1_000_000))
    assert path is not None
    assert len(list(from_path(path))) == 20
