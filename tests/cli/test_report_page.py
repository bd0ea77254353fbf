# SPDX-License-Identifier: Apache-2.0
"""`latlab report`: what it is asked for, what it writes, and each error with what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from latlab.cli import main
from tests.matrix_maker import make_run
from tests.stats.exchanges_maker import World

WORLD = World(count=1_200, floor_ns=(60_000, 60_000), queue_ns=(5_000, 5_000))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    make_run(root, WORLD, attachment="macvtap")
    make_run(root, replace(WORLD, floor_ns=(300_000, 300_000)), attachment="user", minutes=1)
    return root


def report(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["report", *map(str, arguments)])
    return int(str(ended.value.code))


def test_all_runs_of_a_folder(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--runs", runs, "-o", tmp_path / "report.html") == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/report.html: 0.")
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert report(runs, runs, "-o", tmp_path / "other.html") == 0
    assert " 2 runs" in (tmp_path / "other.html").read_text()


def test_one_run_by_its_name(runs: Path, tmp_path: Path) -> None:
    assert report("--runs", runs, "latest", "-o", tmp_path / "report.html") == 0
    assert " 1 run" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(("budget", "code"), [("5ms", 0), ("300us", 1)])
def test_the_exit_code_says_whether_the_budget_is_kept(runs: Path, tmp_path: Path, budget: str, code: int) -> None:
    assert report("--runs", runs, "-o", tmp_path / "report.html", "--budget", budget) == code


def test_what_cannot_be_read_in_a_folder_is_left_out_and_named(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = runs / "20261120T160311Z-x-a1b2c3"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    assert report("--runs", runs, "-o", tmp_path / "report.html") == 0
    assert f"left out: {broken}/run.json is cut off or damaged" in capsys.readouterr().err
    assert report("--runs", runs, broken, "-o", tmp_path / "report.html") == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "500"], '--budget: a duration needs a unit: "500"\n        Write 500us or 500ms or 500s.'),
        (["--budget", "5Mbit"], '--budget: not a unit of a duration: "5Mbit"'),
        (["--budget", "-1us"], "--budget: a duration cannot be negative"),
        (["--budget", "0us"], "--budget: nothing takes no time at all"),
        (["--at", "p98"], '--at: not a quantile that runs have: "p98"\n        One of: p50, p90'),
        (["nothing"], "there is no run 'nothing' in"),
    ],
)
def test_what_bad_input_gets(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert report("--runs", runs, "-o", tmp_path / "report.html", *arguments) == 3
    assert message in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_no_output_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--runs", runs) == 3
    assert "-o report.html" in capsys.readouterr().err


def test_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--runs", tmp_path / "none", "-o", tmp_path / "report.html") == 3
    assert f"there are no runs in {tmp_path}/none" in capsys.readouterr().err


def test_the_output_cannot_be_written(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder.html").mkdir()
    assert report("--runs", runs, "-o", tmp_path / "folder.html") == 3
    assert "is a folder" in capsys.readouterr().err
    assert report("--runs", runs, "-o", tmp_path / "no" / "such.html") == 3
