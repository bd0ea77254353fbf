# SPDX-License-Identifier: Apache-2.0
"""What DuckDB computes arrives in numpy as it is, NULLs as zeros, in batches, and its errors as its own."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.store.arrow import batches
from latlab.store.parquet import convert
from latlab.store.samples import RawReader, open_samples
from tests.samples_maker import exchanges, lose, stream

INT64 = np.dtype(np.int64)


def fetched(values: Sequence[int | None]) -> list[int]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE numbers (place BIGINT, value BIGINT)")
        if values:
            connection.executemany("INSERT INTO numbers VALUES (?, ?)", list(enumerate(values)))
        result = connection.sql("SELECT value, place FROM numbers ORDER BY place")
        found = [batch["value"].values() for batch in batches(result, {"value": INT64, "place": INT64})]
    return np.concatenate(found).tolist() if found else []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=40))
def test_values_are_those_of_the_query(values: list[int | None]) -> None:
    assert fetched(values) == [value or 0 for value in values]


@pytest.mark.parametrize("every", [0, 2, 63, 5_000, 99_999])
def test_nulls_of_many_rows_are_zeros_wherever_they_are(every: int) -> None:
    value = f"CASE WHEN (range + 1) % {every} = 0 THEN NULL ELSE range + 1 END" if every else "range + 1"
    with duckdb.connect() as connection:
        result = connection.sql(f"SELECT {value} FROM range(300_000)")
        columns = [batch["value"] for batch in batches(result, {"value": INT64})]
    expected = np.arange(1, 300_001)
    if every:
        expected[every - 1 :: every] = 0
    assert len(columns) > 1
    assert np.array_equal(np.concatenate([column.values() for column in columns]), expected)
    assert sum(column.nulls for column in columns) == int((expected == 0).sum())


def test_an_array_outlives_its_batch_and_its_query() -> None:
    with duckdb.connect() as connection:
        batch = next(batches(connection.sql("SELECT range FROM range(1_000)"), {"range": INT64}))
        values = batch["range"].values()
    del batch
    gc.collect()
    assert values.tolist() == list(range(1_000))
    assert not values.flags.writeable


def test_a_query_that_fails_on_its_way_says_so() -> None:
    with duckdb.connect() as connection:
        result = connection.sql(
            "SELECT CASE WHEN range < 250_000 THEN 1 ELSE error('it broke') END FROM range(300_000)"
        )
        with pytest.raises(duckdb.Error, match="it broke"):
            list(batches(result, {"one": INT64}))


def test_columns_of_both_kinds_of_samples_are_their_chunks(tmp_path: Path) -> None:
    records = exchanges(150_000, extra_ns=7)
    for place in (0, 77_777, 149_999):
        lose(records, place)
    (tmp_path / "samples.raw").write_bytes(stream(records))
    raw = RawReader(tmp_path / "samples.raw")
    assert b"".join(columns.records().tobytes() for columns in raw.columns()) == records.tobytes()
    convert(tmp_path)
    kept = open_samples(tmp_path)
    assert kept is not None
    assert b"".join(columns.records().tobytes() for columns in kept.columns()) == records.tobytes()
    assert b"".join(chunk.tobytes() for chunk in kept.chunks()) == records.tobytes()
    # Others read its encoding, too.
    path = tmp_path / "samples.parquet"
    for column, field in (("seq", "seq"), ("woke_ns", "w"), ("return_read_ns", "a2")):
        expected = records[field].astype(np.int64)
        assert np.array_equal(polars.read_parquet(path)[column].fill_null(0).to_numpy().astype(np.int64), expected)
