# SPDX-License-Identifier: Apache-2.0
"""Starting a keeper: it is ended when it is not wanted any more, and what went wrong with it is said."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from latlab.bench import keeper, lock
from latlab.bench.lock import locked
from latlab.errors import BenchError
from latlab.hosts import interrupt
from latlab.scenario.bench_model import EmulatedBench
from tests.yard import alive, eventually


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State of our own."""
    monkeypatch.setattr(lock, "state_path", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def keeper_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A shell script in the keeper's place, which writes its process number down."""

    def write(script: str) -> None:
        program = folder / "python"
        program.write_text(f"#!/bin/sh\necho $$ >{folder}/pid\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return write


def keeper_pid(folder: Path) -> int:
    path = folder / "pid"
    assert eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def test_ctrl_c_ends_the_keeper_that_is_starting(folder: Path, keeper_is: Callable[[str], None]) -> None:
    keeper_is("exec sleep 60")

    def ctrl_c() -> None:
        keeper_pid(folder)
        os.kill(os.getpid(), signal.SIGINT)

    with interrupt.at_safe_points():
        threading.Thread(target=ctrl_c).start()
        with pytest.raises(KeyboardInterrupt):
            keeper.start("x", folder / "x.yaml")
    assert not alive(keeper_pid(folder))


def test_a_keeper_that_is_ready_is_left_running(folder: Path, keeper_is: Callable[[str], None]) -> None:
    keeper_is("echo ready; exec sleep 60")
    keeper.start("x", folder / "x.yaml")
    pid = keeper_pid(folder)
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_keeper_that_dies_is_told_with_its_log(folder: Path, keeper_is: Callable[[str], None]) -> None:
    keeper_is("echo it fell over >&2; exit 7")
    with pytest.raises(BenchError, match="the keeper of the bench x ended with exit code 7") as caught:
        keeper.start("x", folder / "x.yaml")
    log = folder / "keeper-x.log"
    assert str(log) in caught.value.hint
    assert log.read_text() == "it fell over\n"


def test_what_a_keeper_complains_of_comes_with_its_hint(folder: Path, keeper_is: Callable[[str], None]) -> None:
    keeper_is("""echo '["no kernel", "Fetch one."]'; exit 4""")
    with pytest.raises(BenchError, match="no kernel") as caught:
        keeper.start("x", folder / "x.yaml")
    assert caught.value.hint == "Fetch one."


def test_a_bench_that_a_run_uses_is_not_brought_up(folder: Path, keeper_is: Callable[[str], None]) -> None:
    keeper_is("echo ready")
    with locked("bench-x", what="the bench x"), pytest.raises(BenchError, match="already in use by process"):
        keeper.start("x", folder / "x.yaml")
    assert not (folder / "pid").exists()


def test_a_kept_bench_of_other_settings_is_refused(folder: Path) -> None:
    bench = EmulatedBench(memory_mib=2048)
    spec = {"name": "hypervisor", "kernel": "/k", "initramfs": "/i", "accelerator": "tcg"}
    state = {"pid": 1, "folder": "/f", "spec": spec, "bench": keeper.fingerprint(bench)}
    (folder / "kept-x.json").write_text(json.dumps(state))
    with locked("keeper-x", what="the keeper"):
        assert keeper.kept_for("x", EmulatedBench()) is not None, "the same settings, written or not"
        with pytest.raises(BenchError, match="other settings") as caught:
            keeper.kept_for("x", EmulatedBench(memory_mib=4096))
    assert "latlab bench down" in caught.value.hint
