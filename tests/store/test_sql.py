# SPDX-License-Identifier: Apache-2.0
"""SQL sees what the runs hold, of every form; and can do nothing but look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from latlab.errors import LatlabError, UsageError
from latlab.stats.stamps import METRICS
from latlab.stats.summary import Summary
from latlab.stats.values import metric_values
from latlab.store.find import with_statistics
from latlab.store.index import entries
from latlab.store.parquet import quoted
from latlab.store.run_dir import open_run
from latlab.store.sql import session as sessions
from latlab.store.sql.columns import ANOMALIES, METRIC_ROWS, RUNS, SAMPLES, SHAPES
from latlab.store.sql.session import asking
from latlab.store.sql.tables import NAMES
from latlab.store.timing_log import COLUMNS as TIMING
from tests.store.runs_made import CUT, NEW, OLD, add, change, three


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return three(tmp_path)


def ask(root: Path, sql: str) -> list[tuple[Any, ...]]:
    with asking(entries(root), sql) as answer:
        return answer.rows()


def test_the_samples_of_all_runs_whatever_their_form(root: Path) -> None:
    found = ask(
        root, "SELECT run, bench, count(*), count(offset_ns), sum(lost::INT) FROM samples GROUP BY ALL ORDER BY run"
    )
    assert found == [
        (OLD, "emulated", 120, 0, 1), (NEW, "local", 6_000, 6_000, 167), (CUT, "local", 49, 49, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("name", [OLD, NEW, CUT])
def test_metrics_are_those_that_run_json_sums_up(root: Path, name: str) -> None:
    document = with_statistics(open_run(root / name))
    for metric, result in document.metrics.items():
        sql = f"SELECT count({metric}_ns), min({metric}_ns), max({metric}_ns) FROM samples WHERE run = '{name}'"
        expected = (result.n, result.min_ns, result.max_ns) if isinstance(result, Summary) else (0, None, None)
        assert ask(root, sql) == [expected], metric


def test_each_packets_metrics_are_those_of_the_statistics(root: Path) -> None:
    run = open_run(root / NEW)
    samples = run.samples()
    assert samples is not None
    records = np.concatenate(list(samples.chunks()))
    offset = np.array(ask(root, f"SELECT offset_ns FROM samples WHERE run = '{NEW}'"), np.int64)[:, 0]
    compared = [metric for metric in METRICS if metric.between_machines or not metric.two_clocks]
    assert len(compared) == 11
    for metric in compared:
        key = f"{metric.key('down')}_ns"
        found = [row[0] for row in ask(root, f"SELECT {key} FROM samples WHERE run = '{NEW}' AND {key} IS NOT NULL")]
        expected = [
            value
            for record, shift in zip(np.split(records, len(records)), offset.tolist(), strict=True)
            for value in metric_values(record, metric, shift).tolist()
        ]
        assert found == expected


def test_the_tables_say_what_run_json_says(root: Path) -> None:
    change(root / OLD, {"verdict": {"value": "suspect", "reasons": ['it\'s "so"', "ü"]}})
    (row,) = ask(
        root, f"SELECT verdict, reasons, p50_ns, p99_ns, lost, created::VARCHAR, kernel FROM runs WHERE run = '{OLD}'"
    )
    assert row == ("suspect", ['it\'s "so"', "ü"], 27_750, None, 1, "2026-11-20 14:03:11", "6.12.95")
    assert ask(root, "SELECT list_contains(labels, 'good'), guest_kernel FROM runs WHERE anomalies_clock > 0") == [
        (True, "6.12.95+deb12-amd64")
    ]
    assert ask(root, "SELECT kind, unit, round(size / 1000) FROM anomalies ORDER BY start_ns") == [
        ("delay", "ns", 3003), ("step", "ns", 897), ("loss", "packets", 0),
    ]  # fmt: skip
    assert ask(root, f"SELECT not_measured FROM metrics WHERE run = '{OLD}' AND metric = 'up_wire_to_wire'") == [
        ("no hardware stamps",)
    ]
    shape = {
        "kind": "periodic", "metric": "round_trip", "sentence": "a spike each 20 s", "value": 2e10, "unit": "ns",
        "confidence": 0.99, "start_ns": 1, "end_ns": 2, "packets": 3, "members": [4],
    }  # fmt: skip
    change(root / OLD, {"shapes": [shape]})
    assert ask(root, "SELECT run, kind, value, unit, packets, bound FROM shapes") == [
        (OLD, "periodic", 2e10, "ns", 3, None)
    ]
    assert ask(root, "SELECT DISTINCT run, host, port_state FROM timing WHERE port_state IS NOT NULL") == [
        (NEW, "reflector", "SLAVE")
    ]


@pytest.mark.parametrize(
    ("table", "columns"),
    [("runs", RUNS), ("metrics", METRIC_ROWS), ("anomalies", ANOMALIES), ("shapes", SHAPES), ("samples", SAMPLES)],
)
def test_the_columns_are_those_of_the_table(root: Path, table: str, columns: tuple[Any, ...]) -> None:
    assert [row[:2] for row in ask(root, f"DESCRIBE {table}")] == [(column.name, column.type) for column in columns]


def test_all_tables_are_there_even_without_runs(tmp_path: Path) -> None:
    assert [row[0] for row in ask(tmp_path, "SHOW TABLES")] == sorted(NAMES)
    for table in NAMES:
        assert ask(tmp_path, f"SELECT count(*) FROM {table}") == [(0,)]
    assert [row[0] for row in ask(tmp_path, "DESCRIBE timing")] == ["run", *TIMING]


def test_what_is_cut_off_or_damaged_is_told_and_the_rest_is_read(root: Path) -> None:
    parquet = root / OLD / "samples.parquet"
    content = parquet.read_bytes()
    for damaged, told in (
        (content[:5_000], "damaged at byte 5000: it ends in the middle"),
        (b"x" + content[1:], "damaged at byte 0"),
        (content[:-200] + b"\xff" * 100 + content[-100:], "its footer, of 2189 bytes, cannot be read"),
    ):
        parquet.write_bytes(damaged)
        with asking(entries(root), "SELECT count(*) FROM samples") as answer:
            assert answer.rows() == [(6_049,)]
            assert f"{CUT}: interrupted: 49 whole records, and 129 bytes of one that is not whole" in answer.remarks
            (remark,) = [remark for remark in answer.remarks if "left out" in remark]
        assert str(parquet) in remark
        assert told in remark


def test_a_damaged_part_names_its_file_and_its_offset(root: Path) -> None:
    parquet = root / OLD / "samples.parquet"
    offset = 1_565
    content = bytearray(parquet.read_bytes())
    content[offset + 30 : offset + 60] = b"\xaa" * 30
    parquet.write_bytes(content)
    with pytest.raises(
        LatlabError, match=f"damaged in the part that begins at byte {offset} of 7564: driver_ns"
    ) as caught:
        ask(root, "SELECT sum(driver_ns) FROM samples")
    assert str(parquet) in caught.value.message
    assert "\n" not in caught.value.message


WRITING = [
    "COPY (SELECT 1) TO '{runs}/x.csv'",
    "COPY (SELECT 1) TO '{outside}/x.csv'",
    "COPY runs TO '{sample}' (FORMAT parquet)",
    "WITH x AS (COPY (SELECT 1) TO '{runs}/x.csv') SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO '{outside}/x.csv') SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO '{sample}' (FORMAT parquet)) SELECT * FROM samples",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{sample}'",
    "SELECT * FROM query('WITH x AS (COPY (SELECT 1) TO ''{sample}'') SELECT 1')",
    "SELECT * FROM runs; COPY (SELECT 1) TO '{sample}'",
    "EXPORT DATABASE '{outside}/all'",
    "ATTACH '{outside}/new.db'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW samples AS SELECT 1",
    "INSERT INTO runs SELECT * FROM runs",
    "WITH x AS (INSERT INTO runs SELECT * FROM runs RETURNING *) SELECT * FROM x",
    "DELETE FROM runs",
    "UPDATE runs SET verdict = 'valid'",
    "DROP TABLE runs",
    "SET enable_external_access = true",
    "PRAGMA enable_profiling('json')",
    "CALL enable_logging(storage = 'file', storage_path = '{outside}/log')",
    "SELECT * FROM enable_logging(storage = 'file', storage_path = '{outside}/log')",
    "SELECT * FROM enable_profiling(save_location = '{outside}/profile')",
    "INSTALL httpfs",
    "LOAD '{outside}/evil.so'",
    "PREPARE p AS COPY (SELECT 1) TO '{sample}'",
    "BEGIN TRANSACTION",
    "VACUUM",
]
READING = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_csv('{outside}/secret.csv')",
    "SELECT * FROM read_blob('{runs}/../secret.csv')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_parquet('http://127.0.0.1:9/x.parquet')",
    "SELECT getenv('HOME')",
]


@pytest.mark.parametrize("sql", WRITING + READING)
def test_a_hostile_query_is_refused_in_one_line_and_changes_nothing(root: Path, sql: str) -> None:
    (root.parent / "secret.csv").write_text("a,b\n1,2\n")
    before = state(root.parent)
    sample = root / OLD / "samples.parquet"
    with pytest.raises(UsageError) as caught:
        ask(root, sql.format(runs=root, outside=root.parent, sample=sample))
    assert "\n" not in caught.value.message
    assert "\n" not in caught.value.hint
    assert state(root.parent) == before


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def _unchecked(sql: str) -> str:
    return sql


def test_each_guard_holds_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the look at the statement, and at the plan, DuckDB itself still keeps to the runs' files."""
    monkeypatch.setattr(sessions, "one_select", _unchecked)
    monkeypatch.setattr(sessions, "check_plan", print)
    before = state(root.parent)
    for sql in (*WRITING[:2], *WRITING[3:5], "EXPORT DATABASE '{outside}/all'", "ATTACH '{outside}/new.db'"):
        with pytest.raises(LatlabError):
            ask(root, sql.format(runs=root, outside=root.parent, sample=""))
    assert state(root.parent) == before


def test_the_plan_tells_that_a_select_writes(root: Path) -> None:
    sample = quoted(root / "x.csv")
    with duckdb.connect() as connection, pytest.raises(UsageError, match=r"may only read.*COPY"):
        sessions.check_plan(connection, f"WITH x AS (COPY (SELECT 1) TO {sample}) SELECT 1")
    assert not (root / "x.csv").exists()


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        ("SELECT p98_ns FROM runs", 'Referenced column "p98_ns" not found', '"p99_ns"'),
        ("SELECT * FROM samplez", "Table with name samplez does not exist", ""),
        ("SELEC 1", "syntax error", ""),
        ("", "there is no query", "latlab sql"),
        ("-- nothing", "there is no query", "latlab sql"),
        ("SELECT 1; SELECT 2", "one query at a time; these are 2", "latlab sql"),
        ("SELECT * FROM runs WHERE run = ?", "", ""),
        ("SELECT 1 / 'x'", "Could not convert", ""),
        ("DROP TABLE runs", "a query is one SELECT; this is DROP", "only be read"),
    ],
)
def test_a_mistake_is_told_in_one_line(root: Path, sql: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        ask(root, sql)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_columns_of_one_name_get_numbers(root: Path) -> None:
    with asking(entries(root), "SELECT 1 AS a, 2 AS a, 3 AS a_1") as answer:
        assert answer.columns == ["a", "a_1", "a_1_1"]
        assert [array.tolist() for array in answer.arrays().values()] == [[1], [2], [3]]


def test_a_folder_with_quotes_and_patterns_in_its_name(tmp_path: Path) -> None:
    root = tmp_path / "it's [a] *folder*"
    add(root, OLD)
    assert ask(root, "SELECT count(*) FROM samples WHERE round_trip_ns IS NOT NULL") == [(119,)]
