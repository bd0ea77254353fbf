# SPDX-License-Identifier: Apache-2.0
"""A run as flent's data file: flent itself opens it and finds our numbers in it."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

from latlab.errors import StoreError
from latlab.export import flent as module
from latlab.export.formats import export
from latlab.library import open_runs
from latlab.store.run_dir import open_run
from tests.samples_maker import START_NS
from tests.store.runs_made import CLOCKS, FORMAT_1, add, interrupted

FLENT = shutil.which("flent")
needs_flent = pytest.mark.skipif(FLENT is None, reason="flent is not installed: apt install flent")


def flent(tmp_path: Path, *arguments: str | Path) -> str:
    assert FLENT is not None
    environment = {"HOME": str(tmp_path), "PATH": os.defpath}
    done = subprocess.run(
        [FLENT, *arguments], check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    return done.stdout


@needs_flent
@pytest.mark.parametrize("path", [FORMAT_1, CLOCKS])
def test_flent_opens_the_file_and_finds_the_numbers(tmp_path: Path, path: Path) -> None:
    file = tmp_path / "run.flent.gz"
    told = export([open_run(path)], "flent", file)
    summary = flent(tmp_path, "-i", file, "-f", "summary")
    assert (
        f"Title: '{'tap-bridge, 3 udp same, flow up (emulated)' if path == FORMAT_1 else 'tap-bridge, no load'}"
        in summary
    )
    (run,) = open_runs(path)
    for series, metric in (("Ping (ms) UDP", "round_trip"), ("Ping (ms) up, one way", "up"),
                           ("Ping (ms) down, one way", "down")):  # fmt: skip
        values_ms = run.values(metric) / 1e6
        row = re.search(rf"{re.escape(series)} +: +([\d.-]+) +([\d.-]+) +([\d.-]+) ms +(\d+)", summary)
        assert row is not None, summary
        assert int(row[4]) == len(values_ms)
        assert float(row[1]) == pytest.approx(float(values_ms.mean()), abs=0.0051)
        assert float(row[2]) == pytest.approx(statistics.median(values_ms.tolist()), abs=0.0051)
        assert series in told[0]


@needs_flent
def test_flent_reads_each_packet_at_its_time(tmp_path: Path) -> None:
    file = tmp_path / "run.flent.gz"
    export([open_run(FORMAT_1)], "flent", file)
    (metadata,) = json.loads(_without_greeting(flent(tmp_path, "-i", file, "-f", "metadata")))
    assert (metadata["NAME"], metadata["KERNEL_RELEASE"]) == ("ping", "6.12.95")
    assert "suspect; 1 of 120 packets was lost" in metadata["NOTE"]
    rows = list(csv.DictReader(_without_greeting(flent(tmp_path, "-i", file, "-f", "csv")).splitlines()))
    assert len(rows) == 120
    assert float(rows[7]["Ping (ms) UDP"]) == (13_000 + 7 * 250) / 1e6
    assert rows[60]["Ping (ms) UDP"] == ""


def _without_greeting(text: str) -> str:
    return text.split("\n", 1)[1]


def test_the_file_has_every_packet_and_a_lost_one_has_no_value(tmp_path: Path) -> None:
    told = export([open_run(FORMAT_1)], "flent", tmp_path / "x")
    assert told[0].startswith("120 packets")
    with gzip.open(tmp_path / "x", "rt") as file:
        values = json.load(file)
    assert values["version"] == 4
    series = values["results"]["Ping (ms) UDP"]
    assert (len(values["x_values"]), len(series), series[60], series[0]) == (120, 120, None, 0.013)
    assert values["x_values"][1] == pytest.approx(0.001)
    raw = values["raw_values"]["Ping (ms) UDP"]
    assert (raw[60]["val"], raw[61]["seq"]) == (None, 61)
    assert raw[0]["t"] == pytest.approx((START_NS + 1_000) / 1e9 - 37, abs=1e-5)  # UTC, where the stamps are TAI
    assert values["metadata"]["T0"] == "2027-01-15T07:59:23.000001Z"


def test_what_flent_cannot_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PACKETS", 100)
    with pytest.raises(StoreError, match=r"has 120 packets; flent reads files whole, so 100 is the most") as caught:
        export([open_run(FORMAT_1)], "flent", tmp_path / "x")
    assert "parquet" in caught.value.hint
    empty = add(tmp_path, "20261120T140311Z-a-a1b2c3")
    (empty / "samples.parquet").unlink()
    with pytest.raises(StoreError, match="has no packets to export"):
        export([open_run(empty)], "flent", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_an_interrupted_run_is_exported_up_to_its_last_whole_record(tmp_path: Path) -> None:
    run = interrupted(tmp_path, "20261122T000000Z-c-a1b2c3", 50, cut=7)
    told = export([run], "flent", tmp_path / "x")
    assert told[0].startswith("49 packets")
    assert "not whole" in told[1]
