# SPDX-License-Identifier: Apache-2.0
"""The OpenMetrics text keeps to its specification, whatever a run is called, and loses no nanosecond."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.export.formats import export
from latlab.export.openmetrics import openmetrics
from latlab.stats.summary import Summary
from latlab.store.document import RunDocument
from latlab.store.find import with_statistics
from latlab.store.run_dir import open_run
from tests.export.om_checker import parse
from tests.store.runs_made import CLOCKS, FORMAT_1


def test_the_text_holds_every_number_of_the_runs(tmp_path: Path) -> None:
    runs = [open_run(FORMAT_1), open_run(CLOCKS)]
    told = export(runs, "openmetrics", tmp_path / "x.txt")
    assert told == ["the numbers of 2 runs"]
    families = parse((tmp_path / "x.txt").read_text())
    assert all(family.help for family in families.values())
    assert {name for name, family in families.items() if family.unit == "seconds"} == {
        f"latlab_latency_{name}_seconds" for name in ("min", "mean", "max", "stddev", "bound", "quantile")
    }
    for run in runs:
        document = run.document
        assert families["latlab_packets"].samples[("_total", (("outcome", "lost"), ("run", run.id)))][0] == (
            document.counts.lost
        )
        for name, result in document.metrics.items():
            labels = (("bench", document.bench.kind), ("metric", name), ("run", run.id))
            measured = isinstance(result, Summary)
            assert (("", labels) in families["latlab_latency_max_seconds"].samples) == measured
            if isinstance(result, Summary):
                value, time = families["latlab_latency_max_seconds"].samples[("", labels)]
                assert round(value * 1e9) == result.max_ns
                assert document.finished is not None
                assert time == document.finished.timestamp()
                known = [value for value in result.quantiles_ns.values() if value is not None]
                found = [
                    number for key, number in families["latlab_latency_quantile_seconds"].samples.items()
                    if set(labels) <= set(key[1])
                ]  # fmt: skip
                assert [round(value * 1e9) for value, _ in found] == known
    states = {key[1]: number for key, (number, _) in families["latlab_verdict"].samples.items()}
    assert states[(("latlab_verdict", "suspect"), ("run", "run-format-1"))] == 1
    assert states[(("latlab_verdict", "valid"), ("run", "run-format-1"))] == 0


def test_nanoseconds_survive() -> None:
    lines = list(openmetrics([("a", open_run(FORMAT_1).document, [])]))
    (line,) = [line for line in lines if line.startswith("latlab_latency_max_seconds{") and '"round_trip"' in line]
    assert Decimal(line.split(" ")[1]) == Decimal("0.000042750")


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.text(min_size=1, max_size=9), max_size=3))
def test_any_text_of_a_run_is_written_so_that_it_is_read_again(name: str, load: str, labels: list[str]) -> None:
    document = open_run(FORMAT_1).document.model_copy(update={"load": load, "scenario": name})
    families = parse("".join(openmetrics([("id", document, labels)])))
    ((_, found),) = families["latlab_run"].samples
    assert dict(found).get("load", "") == load
    assert dict(found).get("scenario", "") == name
    assert dict(found).get("labels", "") == ",".join(labels)


@pytest.mark.parametrize("status", ["failed", "running"])
def test_a_run_without_numbers_still_is_one(status: str) -> None:
    document = RunDocument.model_validate(
        with_statistics(open_run(FORMAT_1)).model_dump() | {"metrics": {}, "status": status, "finished": None}
    )
    families = parse("".join(openmetrics([("id", document, [])])))
    assert set(families) == {"latlab_run", "latlab_verdict", "latlab_packets"}
