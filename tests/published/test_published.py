# SPDX-License-Identifier: Apache-2.0
"""The published values are those of their files, and none stands beside a row of ours as if it were like it."""

from __future__ import annotations

import csv
import math
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.published import PACKETS_2023, PublishedValue, least_stddev_ns, published
from latlab.published.beside import beside
from latlab.stats.summary import Summary
from latlab.store.document import BenchFacts, InstrumentResult, RunDocument
from tests.report.cases import EMULATED, run

FILES = ("study_2022.csv", "study_2023.csv", "study_2023_full.csv")
MACCHIATOBIN = BenchFacts(kind="boards", name="macchiatobin", nic="enp1s0", cable="a i225 <-> b i225")


def rows(name: str) -> list[dict[str, str]]:
    with files("latlab.published").joinpath(name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measured(attachment: str, load: str = "none", bench: BenchFacts = EMULATED, n: int = 1_000) -> RunDocument:
    document = run(attachment, load, bench=bench)
    document.instruments = {
        "netperf TCP_RR": InstrumentResult(n=n, min_ns=80_000, mean_ns=100_000, max_ns=300_000, stddev_ns=20_000),
        "ping": InstrumentResult(n=10, lost=0, min_ns=1, mean_ns=2, max_ns=3),
    }
    return document


def test_every_row_of_every_file_is_there_with_its_numbers() -> None:
    expected = [row for name in FILES for row in rows(name)]
    assert len(published()) == len(expected) == 45
    for value, row in zip(published(), expected, strict=True):
        mean = float(row.get("avg_us") or row["mean_us"])
        low, high = float(row.get("min_us") or row["real_min_us"]), float(row.get("max_us") or row["real_max_us"])
        assert value.attachment == row["attachment"]
        assert [value.mean_ns, value.min_ns, value.max_ns] == pytest.approx([mean * 1e3, low * 1e3, high * 1e3])
        assert value.stddev_ns == pytest.approx(float(row["stddev_us"]) * 1e3)


def test_what_is_known_of_them_is_said() -> None:
    by_source = {value.source for value in published()}
    assert all(source.startswith("Linaro, Project Stratos (STR-68)") for source in by_source)
    assert {value.week for value in published() if "weekly" in value.source} == {
        "2022-03-04", "2022-07-08", "2022-07-11", "2022-11-04",
    }  # fmt: skip
    blog = [value for value in published() if value.week == "2023"]
    assert all("5 minutes picked out of 15" in value.selection and value.over_500us is None for value in blog)
    whole = [value for value in published() if value.week == "2023, whole 15 min"]
    assert all(value.selection == "" and value.over_500us is not None for value in whole)
    assert {value.metric for value in published()} == {"round_trip", "up", "down"}


def test_a_number_that_cannot_be_says_so() -> None:
    doubts = {(value.week, value.attachment, value.load): value.doubts for value in published()}
    (zero,) = doubts["2023", "tap-bridge", "none"]
    assert zero == "its minimum of 0.0 us is no latency: the clocks were apart"
    bridge = doubts["2023, whole 15 min", "tap-bridge", "3 netperf"]
    assert bridge[0] == "it counts none over 1000 us, yet its maximum is 163026.3 us"
    assert "at least 172 us" in bridge[1]
    assert doubts["2023, whole 15 min", "xdp", "3 netperf"] == ()


@given(st.lists(st.integers(-2_000_000, 200_000_000), min_size=2, max_size=60))
def test_no_values_deviate_less_than_their_extremes_and_counts_allow(values: list[int]) -> None:
    row = PublishedValue(
        "made up", "2023", "down", "", "vfio", "", "none", "i225",
        min_ns=min(values), mean_ns=float(np.mean(values)), max_ns=max(values),
        over_500us=sum(v > 500_000 for v in values), over_1000us=sum(v > 1_000_000 for v in values),
    )  # fmt: skip
    n = len(values)
    if row.over_500us == n:
        row = PublishedValue("", "", "down", "", "", "", "", "", min_ns=row.min_ns, mean_ns=row.mean_ns)
    assert least_stddev_ns(row, n) <= float(np.std(values)) * (1 + 1e-9) + 1e-6


def test_the_bound_is_reached_by_the_values_that_reach_it() -> None:
    """One of n far away, all others alike: Cantelli's inequality is an equality."""
    values = np.array([163_000.0] + [0.0] * 99)
    row = PublishedValue("", "", "down", "", "", "", "", "", mean_ns=float(values.mean()), max_ns=163_000.0)
    assert math.isclose(least_stddev_ns(row, 100), float(values.std()))
    assert PACKETS_2023 == 894_632


def test_beside_a_row_stand_those_of_its_attachment_way_and_load() -> None:
    found = beside(measured("tap-bridge vhost=off"), "round_trip")
    assert [(b.value.attachment, b.value.week) for b in found] == [("tap-bridge", "2022-07-08")]
    assert {b.value.load for b in beside(measured("vfio", "3 udp same"), "up")} == {"3 netperf same direction"}
    assert {b.value.load for b in beside(measured("vfio", "3 udp opposite"), "up")} == {"3 netperf opposite direction"}
    assert {b.value.load for b in beside(measured("macvtap", "3 udp same"), "down")} == {"3 netperf"}
    assert beside(measured("sriov"), "down") == []
    assert [b.value.method for b in beside(measured("macvtap"), "ping")] == ["ping"]


@pytest.mark.parametrize("name", ["round_trip", "up", "down", "netperf TCP_RR", "ping"])
def test_nothing_emulated_is_comparable(name: str) -> None:
    kinds = {value.attachment for value in published()}
    found = [b for kind in kinds for load in ("none", "3 udp same") for b in beside(measured(kind, load), name)]
    assert found
    assert all(b.why_not[0] == "ours is emulated, theirs real" and not b.comparable for b in found)


def test_the_same_measurement_on_the_same_boards_is_comparable() -> None:
    found = {b.value.nic: b for b in beside(measured("baseline", bench=MACCHIATOBIN), "netperf TCP_RR")}
    assert found["i225"].comparable
    assert found["armada-10g"].why_not == ("another NIC: theirs armada-10g, ours a i225 <-> b i225",)
    (vfio,) = beside(measured("vfio", bench=MACCHIATOBIN), "netperf TCP_RR")
    assert vfio.comparable
    (fewer,) = beside(measured("vfio", bench=MACCHIATOBIN, n=50), "netperf TCP_RR")
    assert fewer.why_not == ("another number of exchanges: theirs 1000, ours 50",)
    (probe,) = beside(measured("vfio", bench=MACCHIATOBIN), "round_trip")
    assert probe.why_not[0].startswith("another method: theirs netperf TCP_RR; ours latlab-probe")


def test_a_made_up_machine_is_another_one() -> None:
    rock = BenchFacts(kind="boards", name="rock", cable="igb <-> igb")
    (found,) = beside(measured("vfio", bench=rock), "netperf TCP_RR")
    assert "another machine: theirs 2 x MACCHIATObin (4 x Cortex-A72)" in found.why_not
    assert "another NIC: theirs i225, ours igb <-> igb" in found.why_not


def test_what_was_picked_out_is_never_like_a_whole_run() -> None:
    document = measured("macvtap", "3 udp same by netperf", MACCHIATOBIN)
    document.point = {"flow": {"period_ns": 1_006_000, "size_bytes": 128}}
    found = {b.value.week: b.why_not for b in beside(document, "down")}
    assert any("5 minutes picked out of 15" in reason for reason in found["2023"])
    assert not any("another load" in reason or "another period" in reason for reason in found["2023"])
    assert isinstance(document.metrics["down"], Summary)


def test_the_sources_are_named_beside_the_numbers() -> None:
    text = Path(str(files("latlab.published").joinpath("SOURCES.md"))).read_text()
    assert all(name in text for name in FILES)
    assert "STR-68" in text
