# SPDX-License-Identifier: Apache-2.0
"""A run directory has one name, one writer, a run.json that is always whole, and never a traceback for its reader."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latlab.errors import StoreError
from latlab.stats.stamps import ONE_KERNEL
from latlab.stats.summary import MetricResult, NotMeasured, Summary, summarise
from latlab.store.document import BenchFacts, Evidence, InstrumentResult, LoadResult, RunDocument, Verdict
from latlab.store.run_dir import BrokenRun, RunDirectory, is_locked, iter_runs, open_run
from tests.samples_maker import exchanges, stream

MOMENT = datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC)
FORMAT_1 = Path(__file__).parent.parent / "data" / "run-format-1"


def create(root: Path, moment: datetime = MOMENT) -> RunDirectory:
    return RunDirectory.create(
        root,
        slug="tap-bridge-3 UDP same",
        scenario="first-look",
        point={"attachment": {"kind": "tap-bridge", "vhost": True}, "flow": {"direction": "up"}},
        point_id="a1b2c3d4e5f6",
        attachment="tap-bridge",
        load="3 udp same",
        bench=BenchFacts(kind="emulated", name="emulated"),
        created=moment,
    )


def test_the_name_tells_time_point_and_identity(tmp_path: Path) -> None:
    with create(tmp_path / "runs") as run:
        assert run.id == "20261120T140311Z-tap-bridge-3-udp-same-a1b2c3"
        assert json.loads((run.path / "run.json").read_text())["format"] == 1


def test_runs_that_begin_in_the_same_second_get_different_names(tmp_path: Path) -> None:
    runs: list[RunDirectory] = []
    threads = [threading.Thread(target=lambda: runs.append(create(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.path for run in runs}) == 8
    for run in runs:
        run.close()


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        document = run.document
        statistics = summarise([exchanges(40)], "up", {})
        document.metrics, document.counts = statistics.metrics, statistics.counts
        document.status = "done"
        document.verdict = Verdict(value="suspect", reasons=["late wake-ups: 3"])
        document.instruments = {"ping": InstrumentResult.model_validate({"n": 10, "mean_ns": 5e5, "options": ["-c"]})}
        document.load_achieved = LoadResult(streams=3, achieved_bps=5e6)
        document.evidence = [Evidence(what="vb0 packets", before=1, after=41, rule="grows by 40", ok=True)]
        run.save()
    again = open_run(run.path).document
    assert again == document
    assert isinstance(again.metrics["round_trip"], Summary)
    assert again.metrics["up"] == NotMeasured("clocks not compared")
    assert json.loads(document.to_json())["instruments"]["ping"]["options"] == ["-c"]


def test_a_running_run_is_locked_and_an_abandoned_one_counts_as_interrupted(tmp_path: Path) -> None:
    run = create(tmp_path)
    assert is_locked(run.path)
    assert open_run(run.path).document.status == "running"
    run.close()
    assert not is_locked(run.path)
    abandoned = open_run(run.path).document
    assert (abandoned.status, abandoned.verdict.value) == ("interrupted", "invalid")


def test_a_killed_writer_leaves_an_interrupted_run_with_its_samples(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tests.store.test_run_dir import create;"
        "from tests.samples_maker import exchanges, stream; run = create(Path(sys.argv[1]));"
        "run.raw_writer().append(stream(exchanges(7)) + b'half'); print('ready', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGKILL)
    (found,) = iter_runs(tmp_path)
    assert isinstance(found, RunDirectory)
    assert found.document.status == "interrupted"
    samples = found.samples()
    assert samples is not None
    assert (samples.records, samples.cut_bytes) == (7, 4)


def test_no_space_keeps_the_previous_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with create(tmp_path) as run:
        before = (run.path / "run.json").read_bytes()
        monkeypatch.setattr(os, "write", full)
        run.document.status = "done"
        with pytest.raises(StoreError, match=r"no space left while writing .*run\.json") as caught:
            run.save()
        monkeypatch.undo()
        assert caught.value.hint
        assert [path.name for path in run.path.iterdir()] == ["run.json"]
        assert (run.path / "run.json").read_bytes() == before


def test_a_root_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match=r"creating .*runs failed: File exists"):
        create(tmp_path / "runs")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_document_cut_anywhere_is_listed_with_a_reason(tmp_path: Path, data: st.DataObject) -> None:
    whole = (FORMAT_1 / "run.json").read_bytes()
    path = tmp_path / "20261120T140311Z-cut-a1b2c3"
    path.mkdir(exist_ok=True)
    (path / "run.json").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 3))])
    (found,) = iter_runs(tmp_path)
    assert isinstance(found, BrokenRun)
    assert "is cut off or damaged" in found.reason or "is empty" in found.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "not a latlab run"),
        (b'{"format": "1"}', "not a latlab run"),
        (b'{"format": 1}', "damaged at id"),
        (b'{"format": 2, "anything": []}', "has format 2; this latlab reads up to 1"),
        (b"\xff\xfe", "cut off or damaged"),
    ],
)
def test_a_strange_document_is_listed_with_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "20261120T140311Z-x-a1b2c3"
    path.mkdir()
    (path / "run.json").write_bytes(content)
    (found,) = iter_runs(tmp_path)
    assert isinstance(found, BrokenRun)
    assert reason in found.reason


def test_a_newer_format_says_to_upgrade(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": 2}')
    with pytest.raises(StoreError) as caught:
        open_run(tmp_path)
    assert "upgrade latlab" in caught.value.hint


@pytest.mark.parametrize(
    ("raw", "salvage"),
    [
        (None, "it holds no samples"),
        (stream(exchanges(9)) + b"cut", "can still be read: 9 whole records"),
        (b"LAT", "cannot be read either"),
    ],
)
def test_a_directory_without_a_document_says_what_is_left(tmp_path: Path, raw: bytes | None, salvage: str) -> None:
    path = tmp_path / "20261120T140311Z-x-a1b2c3"
    path.mkdir()
    if raw is not None:
        (path / "samples.raw").write_bytes(raw)
    (found,) = iter_runs(tmp_path)
    assert isinstance(found, BrokenRun)
    assert "has no run.json" in found.reason
    assert salvage in found.salvage


def test_other_directories_are_left_alone_and_no_directory_is_no_runs(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "20261120T140311Z-file-a1b2c3").write_text("")
    assert list(iter_runs(tmp_path)) == []
    assert list(iter_runs(tmp_path / "absent")) == []


def test_runs_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    for second in (30, 5, 17):
        create(tmp_path, MOMENT.replace(second=second)).close()
    assert [run.id[9:16] for run in iter_runs(tmp_path)] == ["140305Z", "140317Z", "140330Z"]


def _without_intervals(result: MetricResult) -> MetricResult:
    return replace(result, intervals_ns={}) if isinstance(result, Summary) else result


def test_format_1_stays_readable() -> None:
    run = open_run(FORMAT_1)
    assert run.document.status == "done"
    assert run.document.direction == "up"
    samples = run.samples()
    assert samples is not None
    statistics = summarise(samples.chunks(), run.document.direction, run.document.timescales)
    # Intervals came later.
    assert {key: _without_intervals(result) for key, result in statistics.metrics.items()} == run.document.metrics
    assert statistics.counts == run.document.counts
    assert run.document.timescales == ONE_KERNEL


def test_format_1_has_these_fields() -> None:
    """A field that goes or changes its meaning needs a new format number; one that comes is added here."""
    first = (
        "format id created scenario point point_id repeat attachment load bench status finished verdict timescales "
        "metrics counts instruments load_achieved evidence versions env"
    )
    since = "metrics_trusted curves timing anomalies anomaly_counts shapes failed_on again"
    assert set(RunDocument.model_fields) == {*first.split(), *since.split()}
    assert list(json.loads((FORMAT_1 / "run.json").read_text())) == first.split()
    kept = [field for field in RunDocument.model_fields if field not in since.split()]
    assert kept == first.split()


def test_a_run_of_before_the_clocks_were_compared_says_so() -> None:
    document = open_run(FORMAT_1).document
    assert document.timing.method == "none"
    assert (document.anomalies, document.anomaly_counts, document.metrics_trusted) == ([], {}, {})
