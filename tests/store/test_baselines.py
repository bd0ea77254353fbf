# SPDX-License-Identifier: Apache-2.0
"""Baselines by name, and all the ways to say which runs are meant."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from latlab.errors import MeasurementError, StoreError, UsageError
from latlab.store.baselines import FILE_NAME, baseline_runs, read_baselines, remove_baseline, set_baseline
from latlab.store.document import RunDocument
from latlab.store.run_dir import run_paths
from latlab.store.sides import runs_of
from tests.runs_maker import run


def keep(root: Path, document: RunDocument) -> Path:
    folder = root / document.id
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(document.to_json())
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(3):
        keep(tmp_path / "runs", run(number, {}))
    keep(tmp_path / "runs", run(3, {}, attachment="macvtap"))
    return tmp_path / "runs"


def ids(root: Path, words: str) -> list[str]:
    return [path.path.name[9:13] for path in runs_of(root, words)]


def test_a_baseline_is_set_listed_used_and_removed(root: Path) -> None:
    assert set_baseline(root, "main", runs_of(root, "*-tap-bridge-*")) == 0
    assert [found.path.name for found in baseline_runs(root, "main")] == read_baselines(root)["main"].runs
    assert ids(root, "baseline:main") == ["1403", "1404", "1405"]
    assert set_baseline(root, "main", runs_of(root, "latest")) == 3
    assert ids(root, "baseline:main") == ["1406"]
    remove_baseline(root, "main")
    assert read_baselines(root) == {}
    assert len(run_paths(root)) == 4


def test_the_folder_may_be_copied_as_a_whole(root: Path, tmp_path: Path) -> None:
    set_baseline(root, "main", runs_of(root, "latest"))
    shutil.copytree(root, tmp_path / "copy")
    shutil.rmtree(root)
    assert ids(tmp_path / "copy", "baseline:main") == ["1406"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("latest", ["1406"]),
        ("20261120T1404", ["1404"]),
        ("20261120T1404,latest", ["1404", "1406"]),
        ("latest,latest,*-macvtap-*", ["1406"]),
        ("*-tap-*", ["1403", "1404", "1405"]),
        ("*T140[34]*", ["1403", "1404"]),
    ],
)
def test_what_a_side_can_be(root: Path, words: str, found: list[str]) -> None:
    assert ids(root, words) == found


def test_folders_paths_and_labels(root: Path, tmp_path: Path) -> None:
    assert ids(tmp_path / "none", str(root)) == ["1403", "1404", "1405", "1406"]
    assert ids(tmp_path / "none", f"{root}/*1404*") == ["1404"]
    first, second, *_ = run_paths(root)
    (first / "labels.json").write_text('{"format": 1, "labels": ["good"]}')
    (second / "labels.json").write_text('{"format": 1, "labels": ["good", "slow"]}')
    assert ids(root, "label:good") == ["1403", "1404"]
    assert ids(root, "label:slow") == ["1404"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "there is no run ''"),
        ("2030", "there is no run '2030'"),
        ("20261120", "is the beginning of 4 runs"),
        ("*-xdp-*", "no run matches '\\*-xdp-\\*'"),
        ("label:good", "no run in .* has the label 'good'"),
        ("baseline:main", "has no baseline 'main'"),
        ("latest,,latest", "there is no run ''"),
    ],
)
def test_words_that_mean_no_run(root: Path, words: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        runs_of(root, words)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 81, "a/b", "ä"])
def test_a_name_that_is_none(root: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a baseline"):
        set_baseline(root, name, runs_of(root, "latest"))
    assert not (root / FILE_NAME).exists()


def test_runs_that_cannot_be_a_baseline(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="would have no runs"):
        set_baseline(root, "main", [])
    keep(root, run(9, {}, status="failed"))
    with pytest.raises(MeasurementError, match="cannot be a baseline"):
        set_baseline(root, "main", runs_of(root, "latest"))
    elsewhere = keep(tmp_path / "elsewhere", run(0, {}))
    with pytest.raises(UsageError, match="are kept beside it") as caught:
        set_baseline(root, "main", runs_of(root, str(elsewhere)))
    assert str(elsewhere.parent) in caught.value.hint
    assert not (root / FILE_NAME).exists()


def test_a_run_of_it_that_is_gone(root: Path) -> None:
    set_baseline(root, "main", runs_of(root, "*-tap-*"))
    gone = run_paths(root)[1]
    shutil.rmtree(gone)
    with pytest.raises(StoreError, match=f"run {gone.name} of baseline main is not in") as caught:
        baseline_runs(root, "main")
    assert "latlab baseline set main" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged"),
        (b"[]", "is damaged"),
        (b"\xff", "is damaged"),
        (b'{"format": 1, "baselines": {"main": {"runs": []}}}', "is damaged"),
        (b'{"format": 2}', "has format 2; this latlab reads up to 1"),
    ],
)
def test_a_file_that_cannot_be_read_is_left_as_it_is(root: Path, content: bytes, message: str) -> None:
    (root / FILE_NAME).write_bytes(content)
    for change in (
        lambda: read_baselines(root), lambda: set_baseline(root, "new", runs_of(root, "latest")),
        lambda: remove_baseline(root, "main"),
    ):  # fmt: skip
        with pytest.raises(StoreError, match=message) as caught:
            change()
        assert caught.value.hint
    assert (root / FILE_NAME).read_bytes() == content


def test_a_run_outside_of_the_folder_cannot_be_smuggled_in(root: Path) -> None:
    values = {"format": 1, "baselines": {"main": {"set": "2026-11-21T14:03:11Z", "runs": ["../../etc"]}}}
    (root / FILE_NAME).write_text(json.dumps(values))
    with pytest.raises(StoreError, match="is not in"):
        baseline_runs(root, "main")


def test_removing_what_is_not_there(root: Path) -> None:
    with pytest.raises(StoreError, match="has no baseline 'main'"):
        remove_baseline(root, "main")
