# SPDX-License-Identifier: Apache-2.0
"""Late packets are blamed on the place that held them, one episode for all that it held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.stats import late
from latlab.stats.anomalies import Anomaly, clock_moves
from latlab.stats.bins import make_bins
from latlab.stats.clock_path import clock_path
from latlab.stats.delays import delays
from latlab.stats.late import PARTS, LateFinder, Sampler, parts_of
from tests.stats.exchanges_maker import START_NS, Fault, Made, World, make

QUIET = World(count=12_000, skew_ppb=-60_000, queue_ns=(20_000, 20_000))


def episodes(made: Made, *, compared: bool = True, size: int = 4_096) -> list[Anomaly]:
    """Those of a millisecond and more: a queue makes smaller ones all the time."""
    world, sampler = made.world, Sampler()
    bins = make_bins(sampler.watch(made.chunks(size)), 100, world.period_ns)
    path = clock_path(bins) if compared else None
    known = [*clock_moves(path), *delays(path)] if path is not None else []
    finder = LateFinder(sampler.records, path, compared=compared, period_ns=world.period_ns)
    for chunk in made.chunks(size):
        finder.add(chunk)
    return [anomaly for anomaly in finder.anomalies(known) if anomaly.size > 1e6]


@pytest.mark.parametrize("size", [2e6, 8e6, 1.6e8])
@pytest.mark.parametrize(
    ("place", "verdict", "named"),
    [
        ("sender", "sender", "sender"),
        ("sender-send", "sender", "sender"),
        ("sender-read", "sender", "sender"),
        ("forward", "network", "forward"),
        ("receive", "network", "forward"),
        ("receiver", "network", "receiver"),
        ("back", "network", "back"),
    ],
)
def test_a_stall_is_its_place_s(place: str, verdict: str, named: str, size: float) -> None:
    made = make(replace(QUIET, faults=(Fault("stall", 6.0004, 0, size, place),)))  # type: ignore[arg-type]
    (found,) = episodes(made)
    assert (found.verdict, found.place) == (verdict, named)
    assert found.kind == ("sender-stall" if verdict == "sender" else "stall")
    assert found.bound is not None
    assert abs(found.size - size) <= found.bound
    assert (found.start_ns - START_NS) / 1e9 == pytest.approx(6, abs=0.005)
    assert (found.end_ns - START_NS) / 1e9 == pytest.approx(6 + size / 1e9, abs=0.005)


@settings(deadline=None, derandomize=True, max_examples=15)
@given(st.integers(50, 5_000))
def test_chunk_boundaries_do_not_matter(size: int) -> None:
    assert episodes(STALLED, size=size) == episodes(STALLED, size=4_096)


STALLED = make(
    replace(QUIET, count=4_000, faults=(Fault("stall", 2, 0, 9e6, "forward"), Fault("stall", 3, 0, 9e6, "receiver")))
)


@pytest.mark.parametrize("kind", ["step", "sender-step"])
@pytest.mark.parametrize("size", [-2e6, 2e6, -3.6e12, 3.6e12])
def test_a_clock_that_was_set_makes_no_packet_late(kind: str, size: float) -> None:
    """And what is late afterwards is still found: time goes on by the packets' numbers."""
    faults = (Fault(kind, 5.03, 0, size), Fault("stall", 9, 0, 8e6, "back"))  # type: ignore[arg-type]
    found = episodes(make(replace(QUIET, faults=faults)))
    assert [(anomaly.verdict, anomaly.place, anomaly.packets) for anomaly in found] == [("network", "back", 8)]


def test_without_a_comparison_a_way_may_have_been_the_clock() -> None:
    made = make(replace(QUIET, skew_ppb=0, faults=(Fault("stall", 6, 0, 8e6, "forward"),)))
    (found,) = episodes(made, compared=False)
    assert (found.verdict, found.place) == ("unknown", "forward")
    assert "it may have been one of them" in found.evidence[1]
    made = make(replace(QUIET, skew_ppb=0, faults=(Fault("stall", 6, 0, 8e6, "receiver"),)))
    assert [anomaly.verdict for anomaly in episodes(made, compared=False)] == ["network"]


def test_a_lasting_delay_is_not_told_again_packet_by_packet() -> None:
    made = make(replace(QUIET, faults=(Fault("delay", 5, 3, 2e6, "forward"),)))
    assert episodes(made) == []


def test_within_a_delay_a_stall_elsewhere_is_still_told() -> None:
    faults = (Fault("delay", 5, 3, 2e6, "forward"), Fault("stall", 6, 0, 8e6, "receiver"))
    assert [anomaly.place for anomaly in episodes(make(replace(QUIET, faults=faults)))] == ["receiver"]


def test_parts_sum_up_to_the_exchange() -> None:
    records = make(QUIET).records
    whole = (records["a2"] - records["S"]).astype(np.float64)
    assert np.allclose(parts_of(records, None).sum(axis=0), whole)


def test_parts_without_stamps_are_unknown() -> None:
    records = make(replace(QUIET, drop=0.3)).records
    lost = records["a2"] == 0
    parts = parts_of(records, None)
    assert np.isnan(parts[2:, lost]).all()
    assert np.isfinite(parts[:, ~lost]).all()
    assert np.isfinite(parts[:2]).all()


def test_nothing_at_all() -> None:
    for world in (replace(QUIET, count=1), replace(QUIET, count=3), replace(QUIET, drop=1.0, count=200)):
        assert episodes(make(world), compared=False) == []
    sampler = Sampler()
    assert list(sampler.watch([])) == []
    assert LateFinder(sampler.records, None, compared=False, period_ns=1).anomalies() == []


def test_a_sample_is_of_the_whole_run_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "SAMPLE", 500)
    sampler = Sampler()
    total = sum(len(chunk) for chunk in sampler.watch(make(QUIET).chunks(777)))
    assert total == QUIET.count
    seq = sampler.records["seq"]
    assert 500 <= len(seq) <= 1_000
    assert set(np.diff(seq)) == {16}
    assert seq[-1] >= QUIET.count - 16


def test_episodes_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "MOST_EPISODES", 3)
    faults = tuple(Fault("stall", second, 0, 8e6, "receiver") for second in range(1, 11))
    made = make(replace(QUIET, faults=faults, queue_ns=(100, 100)))
    sampler = Sampler()
    path = clock_path(make_bins(sampler.watch(made.chunks()), 100, QUIET.period_ns))
    finder = LateFinder(sampler.records, path, compared=True, period_ns=QUIET.period_ns)
    finder.add(made.records)
    assert len(finder.anomalies()) == 3
    assert finder.not_kept == 7


def test_every_part_has_words_and_a_place() -> None:
    assert len(PARTS) == 7
    assert {place for _, place in PARTS} == {"sender", "forward", "receiver", "back"}
