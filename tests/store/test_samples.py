# SPDX-License-Identifier: Apache-2.0
"""Samples survive: any split on the way in, a cut at any byte, a full disk, and the change from raw to Parquet."""

from __future__ import annotations

import resource
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latlab.errors import StoreError
from latlab.stats.clocks import NOT_COMPARED, ONE_CLOCK, Clocks
from latlab.stats.columns import Columns
from latlab.stats.records import CLOCK_SUSPECT, HEADER_BYTES, RECORD_BYTES, Records
from latlab.stats.stamps import STAMPS
from latlab.stats.ways import Times
from latlab.store import parquet
from latlab.store.samples import CHUNK_RECORDS, RawReader, RawWriter, Samples, open_samples
from tests.samples_maker import HEADER, exchanges, lose, stream

OLDER = Path(__file__).parent.parent / "data" / "run-format-1" / "samples.parquet"
"""Written by 0.1.0.dev0, with the column clock_uncertainty_ns."""

SHARED_TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read_all(samples: Samples | None) -> bytes:
    assert samples is not None
    return b"".join(chunk.tobytes() for chunk in samples.chunks())


@SHARED_TMP
@given(st.lists(st.integers(1, 400), max_size=12))
def test_any_split_of_the_stream_is_stored_whole(tmp_path: Path, sizes: list[int]) -> None:
    records = exchanges(5)
    rest = stream(records)
    path = tmp_path / "samples.raw"
    path.unlink(missing_ok=True)
    with RawWriter(path) as writer:
        for size in [*sizes, len(rest)]:
            writer.append(rest[:size])
            rest = rest[size:]
        assert writer.bytes_written == path.stat().st_size
    reader = RawReader(path)
    assert (reader.records, reader.cut_bytes, reader.header) == (5, 0, HEADER)
    assert read_all(reader) == records.tobytes()


@SHARED_TMP
@given(st.integers(HEADER_BYTES, HEADER_BYTES + 4 * RECORD_BYTES))
def test_a_cut_stream_is_read_up_to_its_last_whole_record(tmp_path: Path, length: int) -> None:
    records = exchanges(4)
    path = tmp_path / "samples.raw"
    path.write_bytes(stream(records)[:length])
    reader = RawReader(path)
    whole, cut = divmod(length - HEADER_BYTES, RECORD_BYTES)
    assert (reader.records, reader.cut_bytes) == (whole, cut)
    assert read_all(reader) == records[:whole].tobytes()


@pytest.mark.parametrize("length", [0, 1, HEADER_BYTES - 1])
def test_a_stream_cut_within_its_header_is_an_error(tmp_path: Path, length: int) -> None:
    path = tmp_path / "samples.raw"
    path.write_bytes(stream(exchanges(1))[:length])
    with pytest.raises(StoreError, match=f"cut off within its header: {length} of 128 bytes"):
        RawReader(path)


def test_records_of_a_later_probe_are_read_by_their_known_part(tmp_path: Path) -> None:
    records = exchanges(3)
    header = bytearray(HEADER.pack())
    header[8:16] = (160).to_bytes(4, "little") + (RECORD_BYTES + 8).to_bytes(4, "little")
    body = b"".join(row.tobytes() + b"newstamp" for row in records)
    (tmp_path / "samples.raw").write_bytes(bytes(header) + bytes(32) + body)
    assert read_all(open_samples(tmp_path)) == records.tobytes()


def test_no_room_is_one_clear_error_and_what_fitted_is_kept(tmp_path: Path) -> None:
    records = exchanges(100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RawWriter(tmp_path / "samples.raw") as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER_BYTES + 10 * RECORD_BYTES + 5, hard))
        try:
            with pytest.raises(StoreError, match=r"no space left while writing .*samples\.raw") as caught:
                writer.append(stream(records))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "what was written before stays" in caught.value.hint
    reader = RawReader(tmp_path / "samples.raw")
    assert (reader.records, reader.cut_bytes) == (10, 5)
    assert read_all(reader) == records[:10].tobytes()


def test_parquet_holds_every_record_and_the_header(tmp_path: Path) -> None:
    records = exchanges(CHUNK_RECORDS + 123, extra_ns=3)
    lose(records, 17)
    (tmp_path / "samples.raw").write_bytes(stream(records) + b"tail")
    path = parquet.convert(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["samples.parquet"]
    samples = open_samples(tmp_path)
    assert isinstance(samples, parquet.ParquetReader)
    assert (samples.records, samples.cut_bytes, samples.header) == (len(records), 4, HEADER)
    assert read_all(samples) == records.tobytes()
    assert path.stat().st_size < records.nbytes / 2


def test_parquet_columns_are_plain_sql_and_an_absent_stamp_is_null(tmp_path: Path) -> None:
    records = exchanges(10)
    lose(records, 4)
    (tmp_path / "samples.raw").write_bytes(stream(records))
    path = parquet.convert(tmp_path)
    with duckdb.connect() as connection:
        columns = connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        expected = [("seq", "UBIGINT"), ("flags", "UINTEGER")]
        expected += [(stamp.column, "BIGINT") for stamp in STAMPS]
        expected += [("offset_ns", "BIGINT"), ("error_ns", "BIGINT"), ("method", "VARCHAR")]
        assert [row[:2] for row in columns] == expected
        sql = f"SELECT count(return_read_ns - woke_ns), max(return_read_ns - woke_ns), count(nic_out_ns) FROM '{path}'"
        assert connection.execute(sql).fetchall() == [(9, 13_000, 0)]


class Ramped:
    """Ahead by 10 ns more with each packet."""

    def of(self, records: Records | Columns) -> tuple[Times, Times]:
        seq = records["seq"].astype(np.int64)
        return 10 * seq - 7, seq + 100


def test_each_packet_has_its_clocks_offset_bound_and_method(tmp_path: Path) -> None:
    (tmp_path / "samples.raw").write_bytes(stream(exchanges(CHUNK_RECORDS + 5)))
    clocks = Clocks("exchange", Ramped(), numbers=[(3, 4)], usual_error_ns=10**9)
    path = parquet.convert(tmp_path, clocks)
    with duckdb.connect() as connection:
        sql = f"SELECT offset_ns, error_ns, method, flags & {CLOCK_SUSPECT} FROM '{path}' ORDER BY seq"
        rows = connection.execute(sql).fetchall()
    assert rows[0] == (-7, 100, "exchange", 0)
    assert rows[3] == (23, 103, "exchange", CLOCK_SUSPECT)
    assert rows[CHUNK_RECORDS + 1] == (10 * CHUNK_RECORDS + 3, CHUNK_RECORDS + 101, "exchange", 0)
    assert sum(row[3] != 0 for row in rows) == 2


@pytest.mark.parametrize(("clocks", "expected"), [(ONE_CLOCK, (0, 0, "shared")), (NOT_COMPARED, (None, None, "none"))])
def test_one_clock_is_no_difference_and_no_comparison_is_null(
    tmp_path: Path, clocks: Clocks, expected: tuple[object, ...]
) -> None:
    (tmp_path / "samples.raw").write_bytes(stream(exchanges(3)))
    path = parquet.convert(tmp_path, clocks)
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT DISTINCT offset_ns, error_ns, method FROM '{path}'").fetchall()
    assert found == [expected]


def test_samples_of_before_the_clocks_were_compared_stay_readable() -> None:
    samples = parquet.ParquetReader(OLDER)
    with duckdb.connect() as connection:
        columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM '{OLDER}'").fetchall()]
    assert "clock_uncertainty_ns" in columns
    assert "offset_ns" not in columns
    assert sum(len(chunk) for chunk in samples.chunks()) == samples.records == 120


def test_a_run_without_records_converts_too(tmp_path: Path) -> None:
    (tmp_path / "samples.raw").write_bytes(HEADER.pack())
    parquet.convert(tmp_path)
    samples = open_samples(tmp_path)
    assert samples is not None
    assert samples.records == 0
    assert read_all(samples) == b""


def test_a_directory_name_may_hold_quotes_and_wildcards(tmp_path: Path) -> None:
    directory = tmp_path / "it's [a] *run*?"
    directory.mkdir()
    records = exchanges(3)
    (directory / "samples.raw").write_bytes(stream(records))
    parquet.convert(directory)
    assert read_all(open_samples(directory)) == records.tobytes()


def test_a_conversion_that_fails_leaves_the_raw_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = stream(exchanges(100))
    (tmp_path / "samples.raw").write_bytes(data)

    def full(*_: object) -> None:
        raise duckdb.IOException("Could not write file: No space left on device")

    monkeypatch.setattr(parquet, "_write", full)
    with pytest.raises(StoreError, match="no space left while writing"):
        parquet.convert(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["samples.raw"]
    assert (tmp_path / "samples.raw").read_bytes() == data


def test_a_conversion_cut_short_by_a_kill_can_be_repeated(tmp_path: Path) -> None:
    records = exchanges(100)
    (tmp_path / "samples.raw").write_bytes(stream(records))
    (tmp_path / "samples.parquet.tmp").write_bytes(b"half a file")
    (tmp_path / "samples.parts").mkdir()
    (tmp_path / "samples.parts" / "00000099.parquet").write_bytes(b"half a part")
    assert read_all(open_samples(tmp_path)) == records.tobytes()
    parquet.convert(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["samples.parquet"]
    assert read_all(open_samples(tmp_path)) == records.tobytes()


@pytest.mark.parametrize("content", [b"", b"PAR1 but not really PAR1"])
def test_a_damaged_parquet_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "samples.parquet").write_bytes(content)
    with pytest.raises(StoreError, match=r"samples\.parquet"):
        open_samples(tmp_path)


def test_a_parquet_file_of_something_else_is_an_error(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS seq) TO '{tmp_path}/samples.parquet' (FORMAT parquet)")
    with pytest.raises(StoreError, match="was not written by latlab"):
        open_samples(tmp_path)


def test_no_samples_are_none(tmp_path: Path) -> None:
    assert open_samples(tmp_path) is None


def test_records_keep_their_order_over_chunks(tmp_path: Path) -> None:
    records = exchanges(3 * CHUNK_RECORDS)
    records["seq"] = np.random.default_rng(1).permutation(len(records))
    (tmp_path / "samples.raw").write_bytes(stream(records))
    parquet.convert(tmp_path)
    assert read_all(open_samples(tmp_path)) == records.tobytes()


def test_a_kill_between_the_new_file_and_the_old_leaves_a_readable_run(tmp_path: Path) -> None:
    records = exchanges(20)
    (tmp_path / "samples.raw").write_bytes(stream(records))
    parquet.convert(tmp_path)
    (tmp_path / "samples.raw").write_bytes(stream(records))
    assert read_all(open_samples(tmp_path)) == records.tobytes()
    parquet.convert(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["samples.parquet"]
