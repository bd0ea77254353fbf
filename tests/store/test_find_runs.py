# SPDX-License-Identifier: Apache-2.0
"""The names of several runs: paths, ids, `latest`, folders; each run once, and an error for what is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from latlab.errors import StoreError
from latlab.store.find import find_runs
from latlab.store.run_dir import BrokenRun

FORMAT_1 = Path(__file__).parents[1] / "data" / "run-format-1"
NAMES = ["20261120T140311Z-tap-bridge-a1b2c3", "20261120T150311Z-macvtap-d4e5f6", "20261121T090000Z-user-0a1b2c"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        shutil.copytree(FORMAT_1, tmp_path / "runs" / name)
    return tmp_path / "runs"


def ids(root: Path, *names: str) -> list[str]:
    return [run.id for run in find_runs(root, names)]


def test_no_name_means_all_oldest_first(root: Path) -> None:
    assert ids(root) == NAMES


def test_ids_beginnings_paths_folders_and_latest(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(root, "latest", "20261120T14") == [NAMES[2], NAMES[0]]
    assert ids(Path("elsewhere"), str(root)) == NAMES
    assert ids(Path("elsewhere"), str(root / NAMES[1]), str(root / NAMES[0] / "run.json")) == [NAMES[1], NAMES[0]]
    monkeypatch.chdir(root)
    assert ids(Path("elsewhere"), ".") == NAMES


def test_a_run_that_is_named_twice_is_there_once(root: Path) -> None:
    assert ids(root, "latest", str(root), NAMES[0], str(root / NAMES[2])) == [NAMES[2], NAMES[0], NAMES[1]]


def test_a_broken_run_of_a_folder_is_told_and_one_that_is_named_is_an_error(root: Path) -> None:
    (root / NAMES[1] / "run.json").write_text("{")
    found = find_runs(root, [])
    assert [isinstance(run, BrokenRun) for run in found] == [False, True, False]
    with pytest.raises(StoreError, match="cut off or damaged"):
        find_runs(root, [NAMES[1]])


def test_no_runs_are_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there are no runs in .*nothing"):
        find_runs(tmp_path / "nothing", [])
    with pytest.raises(StoreError, match="there are no runs in"):
        find_runs(tmp_path / "nothing", [str(tmp_path)])
    with pytest.raises(StoreError, match="there is no run 'x'"):
        find_runs(tmp_path, ["x"])
