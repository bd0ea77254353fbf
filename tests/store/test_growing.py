# SPDX-License-Identifier: Apache-2.0
"""A run directory that grows is read to its end: while it is written, renamed, cut off, left by its writer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latlab.errors import StoreError
from latlab.store import growing
from latlab.store.growing import GrowingRun as Reader
from latlab.store.growing import file_system
from latlab.timing.reading import Reading
from tests.growing_run import GrowingRun, packets
from tests.samples_maker import START_NS


def readings(first: int, count: int) -> list[Reading]:
    return [Reading(START_NS + n, "reflector", "kvm-tsc", "sender", n, 7) for n in range(first, first + count)]


def test_samples_are_read_as_they_come(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    with Reader(run.path) as reader:
        assert reader.samples.read(1_000) == b""
        run.begin()
        assert reader.samples.read(1_000) == run.header.pack()
        assert reader.samples.read(1_000) == b""
        run.add(packets(0, 20))
        assert reader.samples.read(100) + reader.samples.read(10_000) == packets(0, 20).tobytes()
        assert reader.samples.size == reader.samples.at
    run.run.close()


def test_the_change_to_parquet_takes_nothing_from_who_reads(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    run.begin()
    run.add(packets(0, 20))
    with Reader(run.path) as reader:
        whole = reader.samples.read(128)
        run.add(packets(20, 30))
        assert reader.status() == "running"
        run.finish()
        assert not run.raw.exists()
        assert reader.status() == "done"
        while data := reader.samples.read(999):
            whole += data
    assert whole == run.header.pack() + packets(0, 20).tobytes() + packets(20, 30).tobytes()


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    run.begin()
    with Reader(run.path) as reader:
        reader.samples.read(128)
        os.truncate(run.raw, 5)
        with pytest.raises(StoreError, match=r"samples\.raw failed: it became shorter"):
            reader.samples.read(128)
    run.run.close()


def test_a_run_that_its_writer_left_is_interrupted(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    with Reader(run.path) as reader:
        assert reader.status() == "running"
        run.run.close()
        assert reader.status() == "interrupted"
        assert reader.document().status == "running"


def test_so_is_one_whose_writer_was_killed(tmp_path: Path) -> None:
    """SIGKILL: nothing is cleaned, and the kernel drops the lock."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.growing_run", str(tmp_path), "60"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout
        with Reader(Path(writer.stdout.readline().strip())) as reader:
            assert reader.status() == "running"
            writer.kill()
            writer.wait(10)
            assert reader.status() == "interrupted"
    finally:
        writer.kill()
        writer.wait(10)
        if writer.stdout:
            writer.stdout.close()


def test_the_document_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    with Reader(run.path) as reader:
        assert reader.document().timing.method == "shared"
        assert reader.document() is reader.document()
        run.run.document.timing.method = "ptp"
        run.run.save()
        assert reader.document().timing.method == "ptp"
    run.run.close()


def test_a_document_that_is_gone_or_damaged_is_an_error(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    with Reader(run.path) as reader:
        (run.path / "run.json").write_text("{")
        with pytest.raises(StoreError, match=r"run\.json is cut off or damaged"):
            reader.document()
        (run.path / "run.json").unlink()
        with pytest.raises(StoreError, match=r"run\.json"):
            reader.status()
    run.run.close()


def test_readings_are_read_as_they_come(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    with Reader(run.path) as reader:
        assert reader.readings() == []
        run.hear(*readings(0, 3))
        assert reader.readings() == readings(0, 3)
        with (run.path / "timing.jsonl").open("a") as file:
            file.write('{"time_ns": 5, "host": "sender", ')
            file.flush()
            assert reader.readings() == []
            file.write('"source": "phc"}\n')
        assert reader.readings() == [Reading(5, "sender", "phc")]
    run.run.close()


def test_of_a_long_sync_log_the_latest_ones_are_enough(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    run.hear(*readings(0, 2_000))
    with Reader(run.path) as reader:
        found = reader.readings()
        run.hear(*readings(2_000, 5))
        found += reader.readings()
    assert 100 < len(found) < 1_000
    assert found == readings(2_005 - len(found), len(found))
    run.run.close()


def test_a_damaged_sync_log_is_named_by_its_offset(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path)
    run.hear(*readings(0, 2))
    offset = (run.path / "timing.jsonl").stat().st_size
    with (run.path / "timing.jsonl").open("a") as file:
        file.write("no json\n")
    with (
        Reader(run.path) as reader,
        pytest.raises(StoreError, match=rf"timing\.jsonl: damaged at byte {offset}: no reading of a clock"),
    ):
        reader.readings()
    run.run.close()


MOUNTS = r"""sysfs /sys sysfs rw 0 0
/dev/sda1 / ext4 rw 0 0
server:/lab /mnt/the\040lab nfs4 rw 0 0
me@board:/srv /mnt/board fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "distant"),
    [
        ("/home/me/runs", "ext4", False),
        ("/mnt/the lab/runs/x", "nfs4", True),
        ("/mnt/board", "fuse.sshfs", True),
        ("/mnt/boarding", "ext4", False),
    ],
)
def test_file_systems(path: str, kind: str, distant: bool) -> None:
    assert file_system(Path(path), MOUNTS) == kind
    assert (growing.FROM_ELSEWHERE.fullmatch(kind) is not None) is distant


def test_where_locks_do_not_reach_a_run_goes_on_while_anything_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Time:
        now_s = 1_000.0

        def monotonic(self) -> float:
            return self.now_s

    clock = Time()
    monkeypatch.setattr(growing, "time", clock)
    monkeypatch.setattr(growing, "file_system", lambda _path: "nfs4")
    run = GrowingRun(tmp_path)
    run.run.close()  # as if the lock were on another machine
    with Reader(run.path) as reader:
        assert reader.status() == "running"
        clock.now_s += growing.UNCHANGED_S - 1
        run.begin()
        os.utime(run.raw, (time.time() + 5, time.time() + 5))
        assert reader.status() == "running"
        clock.now_s += growing.UNCHANGED_S - 1
        assert reader.status() == "running"
        clock.now_s += 2
        assert reader.status() == "interrupted"
