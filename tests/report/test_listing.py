# SPDX-License-Identifier: Apache-2.0
"""`list` and `show` read any run again, by path, id, beginning or `latest`, and tell programs what they tell people."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from latlab.errors import StoreError
from latlab.report.listing import list_json, list_text, short_names
from latlab.report.show import show_json, show_text
from latlab.stats.summary import Summary
from latlab.store.document import BenchFacts
from latlab.store.find import find_run, with_statistics
from latlab.store.index import entries
from latlab.store.run_dir import RunDirectory, iter_runs, open_run
from tests.samples_maker import exchanges, stream

FORMAT_1 = Path(__file__).parent.parent / "data" / "run-format-1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three good runs and one that was cut off in the middle."""
    root = tmp_path / "runs"
    for name in ("20261120T140311Z-tap-a1b2c3", "20261120T140311Z-user-d4e5f6", "20261121T090000Z-tap-a1b2c3"):
        shutil.copytree(FORMAT_1, root / name)
    cut = root / "20261120T150000Z-cut-a1b2c3"
    cut.mkdir()
    (cut / "run.json").write_bytes((FORMAT_1 / "run.json").read_bytes()[:500])
    (cut / "samples.raw").write_bytes(stream(exchanges(9)) + b"half")
    return root


def test_list_tells_programs_the_same_keys_for_every_run(root: Path) -> None:
    rows = list_json(entries(root))
    assert json.loads(json.dumps(rows)) == rows
    assert len(rows) == 4
    assert len({tuple(row) for row in rows}) == 1
    good, broken = rows[0], rows[2]
    assert (good["attachment"], good["load"], good["verdict"]) == ("tap-bridge", "3 udp same", "suspect")
    assert (good["n"], good["lost"], good["quantiles_ns"]["p50"]) == (119, 1, 27_750)
    assert good["quantiles_ns"]["p99.9"] is None
    assert good["metrics"]["up"]["quantiles_ns"]["p50"] == 6_000
    assert (broken["status"], broken["verdict"], broken["n"]) == ("broken", "invalid", 0)
    assert "is cut off or damaged" in broken["reasons"][0]
    assert "9 whole records" in broken["reasons"][1]


def test_list_tells_people_about_broken_runs_too(root: Path) -> None:
    text = list_text(entries(root), root).plain
    assert text.count("tap-bridge, 3 udp same") == 3
    assert "is cut off or damaged" in text


def test_a_short_name_finds_its_run(root: Path) -> None:
    ids = [run.id for run in iter_runs(root)]
    assert short_names(ids)[0] == "20261120T140311Z-tap-a1b2c3"
    assert short_names(ids)[3] == "20261121T090000Z"
    for name, run_id in zip(short_names(ids), ids, strict=True):
        if "cut" not in run_id:
            assert find_run(root, name).id == run_id


def test_a_run_is_found_by_id_beginning_path_and_latest(root: Path) -> None:
    wanted = "20261121T090000Z-tap-a1b2c3"
    for name in (wanted, "20261121", "latest", str(root / wanted), str(root / wanted / "run.json")):
        assert find_run(root, name).id == wanted
    assert find_run(root / "absent", str(root / wanted)).id == wanted


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2026112", "is the beginning of 4 runs"),
        ("20261120T140311Z", "is the beginning of 2 runs"),
        ("nothing", "there is no run 'nothing'"),
        ("", "there is no run ''"),
        ("/", "is not the directory of a run"),
        ("20261120T15", "is cut off or damaged"),
    ],
)
def test_a_run_that_cannot_be_told_is_an_error(root: Path, name: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        find_run(root, name)
    assert caught.value.hint


def test_no_runs_have_no_latest(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there are no runs"):
        find_run(tmp_path, "latest")


def test_show_tells_programs_the_document_and_the_headline_numbers(root: Path) -> None:
    values = show_json(find_run(root, "latest"))
    assert json.loads(json.dumps(values)) == values
    assert (values["attachment"], values["load"], values["n"], values["lost"]) == ("tap-bridge", "3 udp same", 119, 1)
    assert values["quantiles_ns"] == values["metrics"]["round_trip"]["quantiles_ns"]
    assert values["verdict"] == {"value": "suspect", "reasons": ["1 of 120 packets was lost"]}
    assert set(values["files"]) == {"run.json", "samples.parquet"}


def test_show_tells_people_every_rule_and_reason(root: Path) -> None:
    text = show_text(find_run(root, "latest")).plain
    for part in ("suspect: 1 of 120 packets was lost", "tap0 rx packets: 4 -> 125", "grows by at least 120",
                 "no hardware stamps", "achieved_bps 14950000", "apt install netperf", "(emulated)"):  # fmt: skip
        assert part in text


def test_show_says_that_a_guest_under_tcg_is_emulated(tmp_path: Path) -> None:
    document = open_run(FORMAT_1).document.model_copy(deep=True)
    document.bench = BenchFacts(kind="local", accelerator="tcg")
    text = show_text(RunDirectory(tmp_path, document)).plain
    assert text.splitlines()[0].endswith("(guest emulated)")
    assert "metrics (us, guest emulated)" in text
    assert "ping (us, guest emulated)" in text


def interrupted_run(root: Path, raw: bytes) -> RunDirectory:
    run = RunDirectory.create(
        root,
        slug="tap",
        scenario="s",
        point={"flow": {"direction": "up"}},
        point_id="a1b2c3d4e5f6",
        attachment="tap-bridge",
        load="none",
        bench=BenchFacts(kind="local"),
        created=datetime(2026, 11, 20, tzinfo=UTC),
    )
    with run.raw_writer() as writer:
        writer.append(raw)
    run.close()
    return open_run(run.path)


def test_an_interrupted_run_still_gives_the_numbers_of_its_samples(tmp_path: Path) -> None:
    found = interrupted_run(tmp_path, stream(exchanges(60))[:-7])
    document = with_statistics(found)
    round_trip = document.metrics["round_trip"]
    assert isinstance(round_trip, Summary)
    assert (round_trip.n, document.counts.sent, document.status) == (59, 59, "interrupted")
    assert "the run did not finish" in show_text(found).plain
    assert show_json(found)["n"] == 59


def test_an_interrupted_run_without_readable_samples_is_shown_with_the_reason(tmp_path: Path) -> None:
    found = interrupted_run(tmp_path, b"LATLAB1")
    text = " ".join(show_text(found).plain.split())
    assert "the run did not finish" in text
    assert "the stream is cut off within its header: 7 of 128 bytes" in text
    assert show_json(found)["n"] == 0
