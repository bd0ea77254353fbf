# SPDX-License-Identifier: Apache-2.0
"""One user for each bench at a time; nothing that a killed one left is in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from latlab.bench import keeper, lock
from latlab.bench.lock import holder, locked, state_folder
from latlab.errors import BenchError

HOLD = """
import sys
from pathlib import Path
from latlab.bench import lock
lock.state_path = lambda: Path(sys.argv[1])
with lock.locked("bench-x", what="the bench x"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of this test alone: root's are the machine's."""
    monkeypatch.setattr(lock, "state_path", lambda: tmp_path)
    return tmp_path


def other_process(folder: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )  # fmt: skip
    assert child.stdout
    with child.stdout:
        assert child.stdout.readline() == b"held\n"
    return child


def test_a_second_process_is_told_who_has_it(folder: Path) -> None:
    child = other_process(folder)
    assert str(child.pid) in (holder("bench-x") or "")
    with pytest.raises(BenchError, match=f"the bench x is already in use by process {child.pid}"), \
            locked("bench-x", what="the bench x"):  # fmt: skip
        pytest.fail("two have the lock")
    with locked("bench-y", what="another"):
        pass
    child.communicate(b"")
    assert holder("bench-x") is None
    with locked("bench-x", what="the bench x"):
        assert str(os.getpid()) in (holder("bench-x") or "")


def test_a_killed_holder_leaves_nothing_in_the_way(folder: Path) -> None:
    child = other_process(folder)
    child.kill()
    child.communicate()
    assert (folder / "bench-x.lock").read_text()
    assert holder("bench-x") is None
    with locked("bench-x", what="the bench x"):
        pass


def test_looking_who_has_it_never_keeps_anybody_out(folder: Path) -> None:
    with locked("bench-x", what="the bench x"):
        pass
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            holder("bench-x")

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            with locked("bench-x", what="the bench x"):
                pass
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_state_without_a_keeper_is_nobody_s(folder: Path) -> None:
    (folder / "kept-x.json").write_text(json.dumps({"pid": os.getpid(), "folder": "/nowhere", "spec": {}}))
    assert keeper.kept("x") is None
    with pytest.raises(BenchError, match="the bench x is not up"):
        keeper.stop("x")


def test_a_keeper_that_is_still_starting_keeps_nothing(folder: Path) -> None:
    with locked("keeper-x", what="the keeper"):
        assert keeper.kept("x") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root's folder is the machine's own")
def test_the_folder_follows_the_runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert state_folder() == tmp_path / "latlab"


@pytest.mark.parametrize("trouble", ["absent", "a file", "writable", "a link"])
def test_a_folder_that_cannot_be_trusted_is_refused(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 65534)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    if trouble != "absent":
        runtime.mkdir()
    if trouble == "a file":
        (runtime / "latlab").write_text("")
    elif trouble == "writable":
        (runtime / "latlab").mkdir()
        (runtime / "latlab").chmod(0o777)
    elif trouble == "a link":
        (runtime / "latlab").symlink_to(tmp_path)
    with pytest.raises(BenchError) as caught:
        state_folder()
    assert str(runtime) in caught.value.message
    assert "XDG_RUNTIME_DIR" in caught.value.hint
