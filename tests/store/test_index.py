# SPDX-License-Identifier: Apache-2.0
"""The index never says anything but what the runs themselves say, whatever was done to them or to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latlab.store import index
from latlab.store.document import RunDocument
from latlab.store.entry import Entry, entry_of
from latlab.store.index import INDEX_NAME, entries
from latlab.store.labels import change_labels
from latlab.store.run_dir import RunDirectory, iter_runs, read_document
from tests.store.runs_made import CLOCKS, add, change, interrupted


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve runs, all indexed whatever their number and age."""
    monkeypatch.setattr(index, "WORTH_IT", 1)
    monkeypatch.setattr(index, "_SETTLED_NS", -(10**18))
    for number in range(12):
        add(tmp_path, _name(number), {"load": f"{number} udp same"}, like=CLOCKS if number == 3 else _first())
    return tmp_path


def _first() -> Path:
    return CLOCKS.with_name("run-format-1")


def _name(number: int) -> str:
    return f"20261120T1403{number:02}Z-tap-a1b2c3"


def truth(root: Path) -> list[Entry]:
    return [entry_of(run) for run in iter_runs(root)]


def kept(root: Path) -> list[str]:
    return [json.loads(line)[0] for line in (root / INDEX_NAME).read_bytes().splitlines()[1:]]


def test_the_index_says_what_the_runs_say_and_reads_none_of_them_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entries(root) == truth(root)
    assert kept(root) == [_name(number) for number in range(12)]
    read: list[Path] = []

    def reading(path: Path) -> RunDocument:
        read.append(path)
        return read_document(path)

    monkeypatch.setattr(index, "read_document", reading)
    assert entries(root) == truth(root)
    assert read == []
    change(root / _name(4), {"load": "none"})
    assert [entry.load for entry in entries(root)][4] == "none"
    assert read == [root / _name(4)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(
    ["add", "remove", "change", "touch", "break", "label", "cut index", "drop index", "swap", "list"]),
    st.integers(0, 11)), max_size=8))  # fmt: skip
def test_whatever_is_done_by_hand_the_entries_are_the_truth(root: Path, steps: list[tuple[str, int]]) -> None:
    for step, number in steps:
        path, there = root / _name(number), (root / _name(number) / "run.json").exists()
        if step == "add" and not path.exists():
            add(root, path.name, {"load": "new"})
        elif step == "remove" and path.exists():
            shutil.rmtree(path)
        elif step == "change" and there and truth_of(path).status != "broken":
            change(path, {"verdict": {"value": "invalid", "reasons": ["by hand"]}})
        elif step == "touch" and there:
            os.utime(path / "run.json", (1, 1))
        elif step == "break" and there:
            (path / "run.json").write_bytes((path / "run.json").read_bytes()[:300])
        elif step == "label" and path.exists():
            change_labels(path, ["seen"], [])
        elif step == "cut index" and (root / INDEX_NAME).exists():
            content = (root / INDEX_NAME).read_bytes()
            (root / INDEX_NAME).write_bytes(content[: len(content) * number // 11])
        elif step == "drop index":
            (root / INDEX_NAME).unlink(missing_ok=True)
        elif step == "swap" and there and (root / _name(0) / "run.json").exists():
            (root / _name(0)).rename(root / "aside")  # two directories change their names
            if path.exists():
                path.rename(root / _name(0))
            (root / "aside").rename(path)
        elif step == "list":
            entries(root)
        assert entries(root) == truth(root)
    assert entries(root) == truth(root)


def truth_of(path: Path) -> Entry:
    return next(entry for entry in truth(path.parent) if entry.path == path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{}\n[]\n",
        b'{"latlab index": ["other"], "by": "9.9"}\n["x", [1], {"status": 3}]\n',
        b"[" * 99,
    ],
)
def test_an_index_that_is_damaged_or_another_versions_is_made_anew(root: Path, content: bytes) -> None:
    entries(root)
    whole = (root / INDEX_NAME).read_bytes()
    (root / INDEX_NAME).write_bytes(content)
    assert entries(root) == truth(root)
    assert (root / INDEX_NAME).read_bytes() == whole


def test_a_damaged_line_costs_no_more_than_reading_again(root: Path) -> None:
    entries(root)
    lines = (root / INDEX_NAME).read_bytes().splitlines(keepends=True)
    (root / INDEX_NAME).write_bytes(b"".join([*lines[:5], lines[5][:80] + b"\n", *lines[6:]]))
    assert entries(root) == truth(root)


def test_what_cannot_be_written_is_done_without(root: Path) -> None:
    (root / INDEX_NAME).mkdir()
    assert entries(root) == truth(root)
    assert (root / INDEX_NAME).is_dir()


def test_a_run_that_says_it_runs_is_interrupted_as_soon_as_nobody_writes_it(root: Path) -> None:
    change(root / _name(2), {"status": "running"})
    assert entries(root)[2].status == "interrupted"
    import fcntl

    fd = os.open(root / _name(2), os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert entries(root)[2].status == "running"  # from the index
    finally:
        os.close(fd)
    assert entries(root)[2].status == "interrupted"


def test_few_runs_leave_no_index_and_young_ones_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, _name(1))
    assert len(entries(tmp_path)) == 1
    assert not (tmp_path / INDEX_NAME).exists()
    monkeypatch.setattr(index, "WORTH_IT", 1)
    assert len(entries(tmp_path)) == 1
    assert not (tmp_path / INDEX_NAME).exists() or kept(tmp_path) == []
    assert entries(tmp_path / "absent") == []


def test_the_writer_of_one_index_does_not_disturb_the_others(root: Path) -> None:
    """Several processes list, others give labels: all end well, and the index is whole."""
    code = (
        "import sys; from pathlib import Path; from latlab.store import index, labels\n"
        "index.WORTH_IT, index._SETTLED_NS = 1, -(10**18)\n"
        "root = Path(sys.argv[1])\n"
        "for n in range(15):\n"
        "    assert len(index.entries(root)) == 12\n"
        "    labels.change_labels(root / '20261120T140301Z-tap-a1b2c3', [f'{sys.argv[2]}-{n}'])\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(root), name]) for name in ("a", "b", "c")]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    assert entries(root) == truth(root)
    assert len(kept(root)) == 12
    assert not (root / f"{INDEX_NAME}.tmp").exists()


def test_an_entry_has_what_a_list_needs(root: Path) -> None:
    clocks = entries(root)[3]
    assert clocks.kernels == {"hypervisor": "6.12.95+deb12-amd64", "guest": "6.12.95+deb12-amd64"}
    assert clocks.labels == ["baseline/6.12", "good"]
    assert clocks.anomaly_counts == {"clock": 1, "network": 2}
    assert clocks.timescales["sender"] == clocks.timescales["reflector"]
    assert clocks.measured("down") is not None
    run = interrupted(root, "20261121T000000Z-x-a1b2c3", 9)
    assert (entry_of(RunDirectory(run.path, run.document)).round_trip, entries(root)[12].status) == (
        None,
        "interrupted",
    )
