# SPDX-License-Identifier: Apache-2.0
"""CSV, Parquet and JSON hold each packet as samples.parquet does; DuckDB, pandas, polars and pyarrow read them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import numpy as np
import pandas
import polars
import pytest
from pyarrow import parquet

from latlab.errors import StoreError, UsageError
from latlab.export.formats import FORMATS, export
from latlab.store.run_dir import RunDirectory, open_run
from latlab.store.sql.columns import SAMPLES
from tests.store.runs_made import CLOCKS, FORMAT_1, add, interrupted

NAMES = [column.name for column in SAMPLES]


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDirectory]:
    return [
        open_run(FORMAT_1),
        open_run(CLOCKS),
        interrupted(tmp_path / "runs", "20261122T000000Z-c-a1b2c3", 50, cut=1),
    ]


def truth() -> tuple[int, int, int]:
    """Packets, the last time at which a reply was read, and replies, as numpy has them of the samples."""
    packets = last = replies = 0
    for path in (FORMAT_1, CLOCKS):
        samples = open_run(path).samples()
        assert samples is not None
        for chunk in samples.chunks():
            packets += len(chunk)
            last = max(last, int(chunk["a2"].max()))
            replies += int(np.count_nonzero(chunk["a2"]))
    return packets, last, replies


def test_parquet_opens_in_duckdb_pandas_polars_and_pyarrow(tmp_path: Path, runs: list[RunDirectory]) -> None:
    path = tmp_path / "out.parquet"
    told = export(runs[:2], "parquet", path)
    assert told == ["6120 packets of 2 runs"]
    sql = f"SELECT count(*), max(return_read_ns), count(return_read_ns) FROM '{path}'"
    assert duckdb.connect().execute(sql).fetchall() == [truth()]
    frame = pandas.read_parquet(path, dtype_backend="numpy_nullable")
    assert list(frame.columns) == NAMES
    assert (len(frame), frame["return_read_ns"].max(), frame["return_read_ns"].count()) == truth()
    table = polars.read_parquet(path)
    assert table.columns == NAMES
    assert (table.height, table["return_read_ns"].max(), table["return_read_ns"].count()) == truth()
    assert table["run"].unique(maintain_order=True).to_list() == ["run-format-1", "run-format-1-clocks"]
    units = json.loads(parquet.read_metadata(path).metadata[b"latlab_units"])
    assert (units["round_trip_ns"], units["return_read_ns"], set(units)) == ("ns", "ns TAI", set(NAMES))


def test_csv_has_a_line_for_each_packet_in_order(tmp_path: Path, runs: list[RunDirectory]) -> None:
    told = export(runs, "csv", tmp_path / "out.csv")
    assert told[0] == "6169 packets of 3 runs"
    assert "49 whole records, and 135 bytes of one that is not whole" in told[1]
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == NAMES
    by_run = {name: [row for row in rows if row["run"] == name] for name in dict.fromkeys(row["run"] for row in rows)}
    assert [len(found) for found in by_run.values()] == [120, 6_000, 49]
    for found in by_run.values():
        assert [int(row["seq"]) for row in found] == list(range(len(found)))
    first = by_run["run-format-1"]
    assert (first[0]["round_trip_ns"], first[0]["bench"], first[60]["round_trip_ns"], first[60]["lost"]) == (
        "13000", "emulated", "", "true",
    )  # fmt: skip


def test_json_has_the_document_and_the_packets_of_each_run(tmp_path: Path, runs: list[RunDirectory]) -> None:
    told = export(runs, "json", tmp_path / "out.json")
    assert told[0] == "6169 packets of 3 runs"
    values = json.loads((tmp_path / "out.json").read_text())
    assert [run["id"] for run in values["runs"]] == [run.id for run in runs]
    clocks = values["runs"][1]
    assert (clocks["labels"], clocks["anomaly_counts"]) == (["baseline/6.12", "good"], {"clock": 1, "network": 2})
    assert len(clocks["packets"]) == 6_000
    assert "nic_out_ns" not in clocks["columns"]  # no packet has it
    place = clocks["columns"].index("round_trip_ns")
    values_ns = [row[place] for row in clocks["packets"] if row[place] is not None]
    assert max(values_ns) == clocks["metrics"]["round_trip"]["max_ns"]
    assert values["units"]["round_trip_ns"] == "ns"


def test_a_run_without_samples_has_no_packets(tmp_path: Path) -> None:
    path = add(tmp_path / "runs", "20261120T140311Z-a-a1b2c3")
    (path / "samples.parquet").unlink()
    for form in ("csv", "parquet", "json"):
        assert export([open_run(path)], form, tmp_path / "out") == ["0 packets of 1 runs"]
    assert json.loads((tmp_path / "out").read_text())["runs"][0]["packets"] == []


def test_a_damaged_file_is_named_with_its_offset_and_nothing_is_written(tmp_path: Path) -> None:
    path = add(tmp_path / "runs", "20261120T140311Z-a-a1b2c3")
    content = bytearray((path / "samples.parquet").read_bytes())
    content[1_595:1_625] = b"\xaa" * 30
    (path / "samples.parquet").write_bytes(content)
    (tmp_path / "out").write_text("as it was")
    for form in ("csv", "parquet", "json"):
        with pytest.raises(StoreError, match=r"samples.parquet is damaged in the part that begins at byte 1565"):
            export([open_run(path)], form, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "as it was"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "runs"]


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, runs: list[RunDirectory]) -> None:
    with pytest.raises(UsageError, match="there is no format 'xls'") as caught:
        export(runs, "xls", tmp_path / "x")
    assert all(name in caught.value.hint for name in FORMATS)
    for form in ("flent", "isochron"):
        with pytest.raises(UsageError, match=f"a file of {form} holds one run, and these are 3"):
            export(runs, form, tmp_path / "x")
    with pytest.raises(UsageError, match="--return is isochron's"):
        export(runs, "csv", tmp_path / "x", "return")
    with pytest.raises(UsageError, match="there are no runs"):
        export([], "csv", tmp_path / "x")
    with pytest.raises(StoreError, match=r"writing .*/absent/x failed"):
        export(runs, "csv", tmp_path / "absent" / "x")
    assert not (tmp_path / "x").exists()
    with pytest.raises(StoreError, match="is not a file, and cannot become one"):
        export(runs, "csv", tmp_path)
    (tmp_path / "real").write_text("as it was")
    (tmp_path / "link").symlink_to("real")
    export(runs[:1], "csv", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().startswith("run,")
