# SPDX-License-Identifier: Apache-2.0
"""latlab as a library: what the commands show, as data, with units; and an import that costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import latlab
from latlab.cli import cli
from latlab.stats.summary import Summary
from tests.store.runs_made import CUT, NEW, OLD, add, three


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = three(tmp_path)
    broken = root / "20261123T000000Z-broken-a1b2c3"
    broken.mkdir()
    return root


def printed(*arguments: str | Path) -> Any:
    done = CliRunner().invoke(cli, [str(word) for word in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_importing_latlab_loads_nothing() -> None:
    code = (
        "import sys, latlab; latlab.__all__\n"
        "heavy = {'numpy', 'duckdb', 'pydantic', 'rich', 'click', 'latlab.library'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_name_is_there_and_no_other() -> None:
    for name in latlab.__all__:
        assert getattr(latlab, name) is not None
        assert name in dir(latlab)
    assert issubclass(latlab.LatlabError, Exception)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        latlab.nothing  # noqa: B018 - the access is the test


def test_runs_are_opened_by_folder_path_pattern_and_name(root: Path) -> None:
    assert [run.id for run in latlab.open(root)] == [OLD, NEW, CUT]
    assert [run.id for run in latlab.open(root / NEW)] == [NEW]
    assert [run.id for run in latlab.open(f"{root}/*-c[lu]*")] == [NEW, CUT]
    assert [run.id for run in latlab.open("20261121", "20261120", runs=root)] == [NEW, OLD]
    assert [run.id for run in latlab.open(root, root / OLD, label="good")] == [NEW]
    assert [run.id for run in latlab.open(root, attachment=["tap*", "vfio"], until="2026-11-20")] == [OLD]
    assert list(latlab.open(root).broken) == [root / "20261123T000000Z-broken-a1b2c3"]
    assert [run.id for run in latlab.open(root).sorted("-p50")[:2]] == [NEW, OLD]


def test_what_is_not_there_or_cannot_be_is_an_error_with_a_hint(root: Path) -> None:
    (run,) = latlab.open(root / OLD)
    for call in (
        lambda: latlab.open("nothing", runs=root),
        lambda: latlab.open(root / "absent"),
        lambda: latlab.open(root, attachement="ovs"),  # type: ignore[call-arg]
        lambda: latlab.open(root, since="yesterday"),
        lambda: run.values("roundtrip"),
        lambda: run.packets("nothing"),
        lambda: run.packets("seq")["flags"],
        lambda: latlab.sql("DROP TABLE runs", root),
        lambda: latlab.export_runs(latlab.open(root), "flent", root / "x"),
    ):
        with pytest.raises(latlab.LatlabError) as caught:
            call()
        assert caught.value.hint


def test_numbers_that_a_run_has_not_are_refused_with_the_reason(root: Path) -> None:
    (old,) = latlab.open(root / OLD)
    with pytest.raises(latlab.LatlabError, match="has no up_wire_to_wire: no hardware stamps"):
        old.values("up_wire_to_wire")
    document = json.loads((root / NEW / "run.json").read_text())
    document["metrics"]["up"] = {"not_measured": "clocks not compared"}
    (root / NEW / "run.json").write_text(json.dumps(document))
    (new,) = latlab.open(root / NEW)
    with pytest.raises(latlab.LatlabError, match="has no up: clocks not compared"):
        new.values("up")


@pytest.mark.parametrize("name", [OLD, NEW, CUT])
def test_values_are_integers_whose_summary_is_that_of_the_document(root: Path, name: str) -> None:
    (run,) = latlab.open(root / name)
    for metric, summary in run.document.metrics.items():
        if isinstance(summary, Summary):
            values = run.values(metric)
            assert values.dtype == np.int64
            assert (len(values), values.min(), values.max()) == (summary.n, summary.min_ns, summary.max_ns)
            assert values.mean() == pytest.approx(summary.mean_ns, abs=0.1)


def test_records_are_the_probes(root: Path) -> None:
    (run,) = latlab.open(root / CUT)
    records = run.records()
    assert (len(records), records.dtype.itemsize) == (49, 136)
    assert records["seq"].tolist() == list(range(49))
    (root / OLD / "samples.parquet").unlink()
    assert len(latlab.open(root / OLD)[0].records()) == 0


def test_a_table_becomes_frames_that_lose_nothing(root: Path) -> None:
    (run,) = latlab.open(root / OLD)
    table = run.packets("seq", "return_read_ns", "round_trip_ns", "method", "lost")
    rows = list(table.rows())
    assert rows[60] == {"seq": 60, "return_read_ns": None, "round_trip_ns": None, "method": None, "lost": True}
    assert table.units == {"return_read_ns": "ns TAI", "round_trip_ns": "ns"}
    frame, polar = table.pandas(), table.polars()
    assert frame.attrs["units"] == table.units
    assert str(frame["return_read_ns"].dtype) == "Int64"
    for place in (0, 59, 61, 119):
        exact = rows[place]["return_read_ns"]
        assert exact % 1_000 != 0 or exact > 2**53  # a float would have lost it
        assert frame["return_read_ns"][place] == exact == polar["return_read_ns"][place]
    assert frame["return_read_ns"].isna().sum() == polar["return_read_ns"].null_count() == 1
    assert polar["lost"].to_list() == table["lost"].tolist() == frame["lost"].tolist()
    assert polar["seq"].to_list() == list(range(120))


def test_frames_of_all_kinds_of_columns(root: Path) -> None:
    table = latlab.open(root).sql(
        "SELECT run, created, labels, p50_ns, p99_ns, mean_ns, verdict = 'valid' AS ok, NULL::BOOLEAN AS b "
        "FROM runs ORDER BY run"
    )
    assert len(table) == 3
    assert repr(table).startswith("<3 rows of run, created")
    frame, polar = table.pandas(), table.polars()
    assert list(frame.columns) == polar.columns == list(table.columns)
    assert frame["p50_ns"].tolist()[0] == polar["p50_ns"][0] == 27_750
    assert (frame["p99_ns"].isna().sum(), polar["p99_ns"].null_count()) == (2, 2)
    assert (str(frame["created"][0]), str(polar["created"][0])) == ("2026-11-20 14:03:11", "2026-11-20 14:03:11")
    assert polar["labels"].to_list()[1] == list(frame["labels"][1]) == ["baseline/6.12", "good"]
    assert (frame["b"].isna().sum(), polar["b"].null_count(), polar["ok"].to_list()) == (3, 3, [False] * 3)


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_without_the_package_the_error_says_what_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    table = latlab.open(root).table()
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(latlab.LatlabError, match=f"{name} is not installed") as caught:
        getattr(table, name)()
    assert f"pip install {name}" in caught.value.hint


def test_the_functions_give_what_the_commands_print(root: Path, tmp_path: Path) -> None:
    assert latlab.list_runs(root) == printed("list", "--runs", root, "--json")
    assert latlab.list_runs(root, label="good") == printed("list", "--runs", root, "--label", "good", "--json")
    assert latlab.open(root).summaries() == latlab.list_runs(root)[:3]
    assert latlab.show_run(NEW, runs=root) == printed("show", NEW, "--runs", root, "--json")
    query = "SELECT run, p50_ns, reasons FROM runs ORDER BY run"
    found = [row | {"reasons": list(row["reasons"])} for row in latlab.open(root).sql(query).rows()]
    assert found == [row for row in printed("sql", query, "--runs", root, "--json") if "broken" not in row["run"]]
    assert latlab.label_runs(latlab.open(root / OLD), ["x"]) == {OLD: ["x"]}
    assert latlab.open(root / OLD)[0].labels == ["x"]
    told = latlab.export_runs(latlab.open(root / OLD), "csv", tmp_path / "a.csv")
    assert told == ["120 packets of 1 runs"]
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 121
    assert latlab.plan_scenario("first-look") == printed("plan", "first-look", "--json")


def test_the_sync_log_is_a_table(root: Path) -> None:
    (old,), (new,) = latlab.open(root / OLD), latlab.open(root / NEW)
    assert len(old.timing()) == 0
    timing = new.timing()
    assert timing.units["time_ns"] == "ns TAI"
    assert (np.diff(np.asarray(timing["time_ns"])) >= 0).all()
    assert set(timing["source"].tolist()) == {"exchange", "pmc"}


def test_reports_and_comparisons_are_there_as_well(root: Path, tmp_path: Path) -> None:
    path = latlab.report_runs(latlab.open(root / OLD), tmp_path / "page.html")
    assert path.read_text().lstrip().lower().startswith("<!doctype html>")
    again = add(root, "20261120T150000Z-again-c46e16")
    compared = latlab.compare_runs(str(root / OLD), str(again), runs=root)
    (row,) = [row for row in compared["comparisons"][0]["rows"] if row["gate"]]
    assert row["word"] == "undecided"
    assert latlab.compare_runs(OLD, "20261120T150000Z", runs=root) == compared
