# SPDX-License-Identifier: Apache-2.0
"""A run of an older latlab gets the intervals of its quantiles from its samples."""

from __future__ import annotations

import shutil
from pathlib import Path

from latlab.comparison import compare
from latlab.stats.summary import Summary
from latlab.store.find import with_intervals
from latlab.store.run_dir import open_run

FORMAT_1 = Path(__file__).parent.parent / "data" / "run-format-1"


def test_intervals_come_from_the_samples(tmp_path: Path) -> None:
    old = open_run(FORMAT_1)
    assert all(not found.intervals_ns for found in old.document.metrics.values() if isinstance(found, Summary))
    found = with_intervals(old).metrics["round_trip"]
    before = old.document.metrics["round_trip"]
    assert isinstance(found, Summary)
    assert isinstance(before, Summary)
    assert found.quantiles_ns == before.quantiles_ns
    interval, middle = found.intervals_ns["p50"], found.quantiles_ns["p50"]
    assert interval is not None
    assert middle is not None
    assert interval[0] < middle < interval[1]
    one_way = with_intervals(old).metrics["up"]
    assert isinstance(one_way, Summary)
    assert one_way.intervals_ns == {}, "their clocks were compared by more than the samples"


def test_without_samples_the_document_is_as_it_was(tmp_path: Path) -> None:
    shutil.copytree(FORMAT_1, tmp_path / "run")
    (tmp_path / "run" / "samples.parquet").unlink()
    run = open_run(tmp_path / "run")
    assert with_intervals(run) == run.document


def test_two_old_runs_are_compared(tmp_path: Path) -> None:
    for name in ("20261120T150000Z-a", "20261120T160000Z-b"):
        shutil.copytree(FORMAT_1, tmp_path / name)
    document = tmp_path / "20261120T160000Z-b" / "run.json"
    document.write_text(document.read_text().replace("20261120T140311Z-tap", "20261120T160000Z-tap"))
    gate = compare("20261120T15", "20261120T16", tmp_path).pairs[0].comparison.gates[0]
    assert (gate.quantity, gate.word) == ("p90", "undecided")
    assert gate.found is not None
    assert gate.found.difference == 0
    assert gate.found.low is not None
    assert gate.found.low < 0
