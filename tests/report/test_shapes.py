# SPDX-License-Identifier: Apache-2.0
"""What `latlab show` says of shapes: sentence first; repeats once; the clocks' apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from latlab.errors import StoreError
from latlab.report.shapes import append_shapes
from latlab.report.show import show_json, show_text
from latlab.store.document import BenchFacts, RunDocument, ShapeRecord, Verdict, parse_document
from latlab.store.run_dir import RunDirectory, open_run
from latlab.store.statistics import fill
from tests.report.cases import FORMAT_1, run
from tests.stats.exchanges_maker import Fault, World, make


def shape(**values: Any) -> ShapeRecord:
    usual: dict[str, Any] = {
        "kind": "drift", "metric": "round_trip", "sentence": "the level rose by 9.00 us at 30.0 s, and stayed",
        "value": 9_000.0, "unit": "ns", "confidence": 0.9999, "start_ns": 30 * 10**9, "end_ns": 30 * 10**9,
        "packets": 10, "verdict": "network", "details": {"doubt_ns": 2e9},
    }  # fmt: skip
    return ShapeRecord(**{**usual, **values})


def told(*shapes: ShapeRecord) -> str:
    document, text = run("tap-bridge", "none"), Text()
    document.shapes = list(shapes)
    append_shapes(text, document)
    return " ".join(text.plain.split())


def test_a_shape_is_a_sentence_with_whose_it_is_and_how_sure_that_is() -> None:
    assert told(shape()) == (
        "over time round trip: the level rose by 9.00 us at 30.0 s, and stayed (network, 99.99 % sure)"
    )
    assert told() == ""


def test_a_one_way_time_that_repeats_the_round_trip_is_told_with_it() -> None:
    text = told(shape(), shape(metric="up", value=8_000.0))
    assert text.endswith("(network, 99.99 % sure, and in up)")
    assert text.count("rose") == 1
    assert told(shape(), shape(metric="up", value=8_000.0, start_ns=50 * 10**9, end_ns=50 * 10**9)).count("rose") == 2


def test_the_clocks_stand_apart() -> None:
    before, _, after = told(shape(), shape(metric="up", verdict="clock")).partition("of the clocks or not known whose")
    assert before.count("rose") == after.count("rose") == 1
    assert "up: the level rose" in after


@pytest.fixture
def kept(tmp_path: Path) -> RunDirectory:
    world = World(
        count=60_000, queue_ns=(20_000, 20_000),
        faults=tuple(Fault("stall", 2 + 5 * k, 0, 6e6, "forward") for k in range(12)),
    )  # fmt: skip
    found = RunDirectory.create(
        tmp_path, slug="x", scenario="s", point={"flow": {"direction": "up"}}, point_id="abc", attachment="tap-bridge",
        load="none", bench=BenchFacts(kind="local"),
    )  # fmt: skip
    with found.raw_writer() as writer:
        writer.append(world.header.pack())
        for chunk in make(world).chunks():
            writer.append(chunk.tobytes())
    found.document.timescales = {"sender": "here", "reflector": "there"}
    samples = found.samples()
    assert samples is not None
    found.convert_samples(fill(found.document, samples).clocks)
    found.document.status, found.document.verdict = "done", Verdict(value="valid")
    found.save()
    found.close()
    return open_run(found.path)


def test_shapes_are_kept_in_the_run_and_shown(kept: RunDirectory) -> None:
    kinds = [(record.metric, record.kind) for record in kept.document.shapes]
    assert kinds[:2] == [("round_trip", "spikes"), ("round_trip", "periodic")]
    text = " ".join(show_text(kept).plain.split())
    assert "round trip: a spike each 5.00" in text
    assert text.index("over time") < text.index("metrics (us)")
    values = show_json(kept)
    assert values["shapes"][1]["details"]["phase_ns"] == pytest.approx(2e9, abs=5e6)
    assert json.loads(json.dumps(values))["shapes"] == values["shapes"]


def test_a_threshold_makes_other_spikes_and_leaves_the_rest(kept: RunDirectory) -> None:
    over = show_json(kept, 5_000_000)["shapes"]
    assert "spikes over 5.00 ms" in over[0]["sentence"]
    none = show_json(kept, 50_000_000)["shapes"]
    assert [record for record in none if record["kind"] == "spikes"] == []
    assert open_run(kept.path).document.shapes == kept.document.shapes, "what is kept is as it was"


def test_older_runs_have_no_shapes_and_can_be_read() -> None:
    old = open_run(FORMAT_1)
    assert old.document.shapes == []
    assert "over time" not in show_text(old).plain
    assert parse_document(old.document.to_json(), "run.json").shapes == []


def test_without_samples_there_is_nothing_to_look_for_spikes_in(kept: RunDirectory) -> None:
    (kept.path / "samples.parquet").unlink()
    with pytest.raises(StoreError, match="no samples") as error:
        show_text(open_run(kept.path), 1_000)
    assert error.value.hint


def test_a_document_of_a_later_shape_is_read() -> None:
    document = run("tap-bridge", "none")
    document.shapes = [shape(kind="something new")]
    found = parse_document(document.to_json(), "run.json")
    assert isinstance(found, RunDocument)
    assert found.shapes == document.shapes
