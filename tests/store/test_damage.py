# SPDX-License-Identifier: Apache-2.0
"""A damaged file is one error, which names it and the byte; whatever the damage, never anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latlab.errors import LatlabError, StoreError
from latlab.store.find import with_statistics
from latlab.store.index import entries
from latlab.store.parquet import ParquetReader, damage, whole
from latlab.store.run_dir import open_run
from latlab.store.samples import open_samples
from latlab.store.sql.session import asking
from latlab.store.timing_log import LINES_NAME, SyncLog
from tests.samples_maker import HEADER, exchanges, stream
from tests.store.runs_made import FORMAT_1, add, change, interrupted

PARQUET = (FORMAT_1 / "samples.parquet").read_bytes()
FOOTER = len(PARQUET) - 8 - int.from_bytes(PARQUET[-8:-4], "little")
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@FUZZ
@given(st.lists(st.tuples(st.one_of(st.integers(0, len(PARQUET) - 1), st.integers(FOOTER, len(PARQUET) - 1)),
                          st.integers(0, 255)), min_size=1, max_size=3))  # fmt: skip
def test_any_damage_to_a_parquet_file_is_one_error_or_none(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(PARQUET)
    for place, value in changes:
        content[place] = value
    path = tmp_path / "samples.parquet"
    path.write_bytes(content)
    told = complaint(lambda: sum(len(chunk) for chunk in ParquetReader(path).chunks()))
    assert told == "" or str(path) in told
    assert "\n" not in told


def complaint(action: Callable[[], object]) -> str:
    """What a user is told of it; any other error is the test's."""
    try:
        action()
    except LatlabError as error:
        return error.message
    return ""


@FUZZ
@given(st.lists(st.tuples(st.integers(FOOTER, len(PARQUET) - 1), st.integers(0, 255)), min_size=1, max_size=2))
def test_any_damage_to_a_footer_leaves_sql_one_line_to_say(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    path = tmp_path / "20261120T140311Z-a-a1b2c3"
    if not path.exists():
        add(tmp_path, path.name)
    content = bytearray(PARQUET)
    for place, value in changes:
        content[place] = value
    (path / "samples.parquet").write_bytes(content)

    def asked() -> None:
        with asking(entries(tmp_path), "SELECT count(*), sum(seq), max(round_trip_ns) FROM samples") as answer:
            answer.rows()
            assert not any("\n" in remark for remark in answer.remarks)

    assert "\n" not in complaint(asked)


@given(st.integers(0, len(PARQUET) - 1))
@FUZZ
def test_a_parquet_file_that_was_cut_off_says_where_it_ends(tmp_path: Path, length: int) -> None:
    path = tmp_path / "samples.parquet"
    path.write_bytes(PARQUET[:length])
    assert not whole(path)
    told = damage(path)
    end = f"at byte {length}: it ends in the middle, without its footer"
    assert told == (end if length >= 4 else "at byte 0: it does not begin as a Parquet file")
    with pytest.raises(StoreError, match="is damaged at byte") as caught:
        open_samples(tmp_path)
    assert str(path) in caught.value.message


def test_a_whole_file_has_no_damage() -> None:
    assert damage(FORMAT_1 / "samples.parquet") is None
    assert whole(FORMAT_1 / "samples.parquet")


def test_a_damaged_run_json_names_its_byte_and_line(tmp_path: Path) -> None:
    path = add(tmp_path, "20261120T140311Z-a-a1b2c3")
    text = (FORMAT_1 / "run.json").read_text()
    place = text.index('"point_id"')
    (path / "run.json").write_text(text[:place] + "?" + text[place:], encoding="utf-8")
    with pytest.raises(StoreError) as caught:
        open_run(path)
    line, size = text[:place].count("\n") + 1, (path / "run.json").stat().st_size
    where = f"run.json is cut off or damaged at byte {place} of {size} (line {line}, column 2)"
    assert where in caught.value.message
    (path / "run.json").write_bytes(text[:place].encode() + b"\xff" + text[place:].encode())
    with pytest.raises(StoreError, match=f"damaged at byte {place} of"):
        open_run(path)


def test_the_byte_is_a_byte_where_letters_are_more(tmp_path: Path) -> None:
    path = add(tmp_path, "20261120T140311Z-a-a1b2c3")
    (path / "run.json").write_text('{"scenario": "größe µs", ?', encoding="utf-8")
    with pytest.raises(StoreError, match="damaged at byte 28 of 29"):
        open_run(path)


def test_numbers_in_another_unit_are_refused(tmp_path: Path) -> None:
    path = add(tmp_path, "20261120T140311Z-a-a1b2c3")
    metrics = json.loads((path / "run.json").read_text())["metrics"]
    metrics["round_trip"]["unit"] = "us"
    change(path, {"metrics": metrics})
    with pytest.raises(StoreError, match="gives round_trip in 'us', and format 1 has nanoseconds only") as caught:
        open_run(path)
    assert "upgrade" in caught.value.hint


def test_a_run_that_was_cut_off_is_read_up_to_its_last_whole_record_and_says_so(tmp_path: Path) -> None:
    document = with_statistics(interrupted(tmp_path, "20261122T000000Z-c-a1b2c3", 50, cut=7))
    assert document.counts.sent == 49
    assert (
        "the samples end in the middle of a record: read up to the last whole one, 49 records; 129 bytes are left out"
        in document.verdict.reasons
    )


def test_a_stream_of_a_newer_version_asks_for_an_upgrade(tmp_path: Path) -> None:
    raw = bytearray(stream(exchanges(3)))
    raw[16:20] = (2).to_bytes(4, "little")
    (tmp_path / "samples.raw").write_bytes(raw)
    with pytest.raises(StoreError, match="the stream has version 2; this latlab reads up to 1") as caught:
        open_samples(tmp_path)
    assert "upgrade" in caught.value.hint
    assert HEADER.version == 1
    raw[0] = 0
    (tmp_path / "samples.raw").write_bytes(raw)
    with pytest.raises(StoreError, match=r"samples.raw: .* does not begin, at byte 0, with LATLAB1"):
        open_samples(tmp_path)


def test_a_damaged_line_of_the_sync_log_names_its_byte(tmp_path: Path) -> None:
    (tmp_path / LINES_NAME).write_text('{"time_ns": 1, "host": "a", "source": "b"}\n{"time_ns": 2, "ho\n')
    with pytest.raises(StoreError, match=r"timing.jsonl is damaged in the line that begins at byte 43"):
        list(SyncLog(tmp_path).readings())
