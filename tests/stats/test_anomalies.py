# SPDX-License-Identifier: Apache-2.0
"""What lasts is named: clock, or network and in which direction, and how large it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latlab.stats.anomalies import CLAIM_BINS, Anomaly, clock_moves, in_order, totals
from latlab.stats.bins import Bins, make_bins
from latlab.stats.clock_path import clock_path, same_clock
from latlab.stats.counts import counted
from latlab.stats.delays import delays
from tests.stats.exchanges_maker import START_NS, Fault, World, make

QUIET = World(count=30_000, skew_ppb=40_000)
LOADED = World(count=30_000, queue_ns=(300_000, 200_000), heavy=0.01)


def bins_of(world: World) -> Bins:
    return make_bins(make(world).chunks(), 100, world.period_ns)


def lasting(world: World, *, shared: bool = False) -> list[Anomaly]:
    bins = bins_of(world)
    path = same_clock(bins) if shared else clock_path(bins)
    assert path is not None
    return [*clock_moves(path), *delays(path), *counted(bins)]


def seconds(time_ns: int) -> float:
    return (time_ns - START_NS) / 1e9


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("place", ["forward", "back"])
@pytest.mark.parametrize("world", [QUIET, LOADED], ids=["quiet", "loaded"])
@pytest.mark.parametrize("size", [3e5, 4e6])
def test_a_delay_is_the_network_s_in_its_direction(size: float, world: World, place: str, shared: bool) -> None:
    fault = Fault("delay", 12, 3, size, place)  # type: ignore[arg-type]
    (found,) = lasting(replace(world, faults=(fault,), skew_ppb=0 if shared else world.skew_ppb), shared=shared)
    assert (found.verdict, found.kind, found.place) == ("network", "delay", place)
    assert found.way == ("forward" if place == "forward" else "return")
    assert found.bound is not None
    assert abs(found.size - size) <= found.bound
    assert found.bound < size
    assert seconds(found.start_ns) == pytest.approx(12, abs=0.25)
    assert seconds(found.end_ns) == pytest.approx(15, abs=0.25)
    assert "a clock would have moved them oppositely" in found.evidence[0]


@pytest.mark.parametrize(("kind", "size"), [("step", 5e5), ("step", -5e5), ("sender-step", 2e9), ("ramp", 8e5)])
@pytest.mark.parametrize("world", [QUIET, LOADED], ids=["quiet", "loaded"])
def test_a_move_of_a_clock_is_never_the_network_s(world: World, kind: str, size: float) -> None:
    fault = Fault(kind, 10.03, 8 if kind == "ramp" else 0, size)  # type: ignore[arg-type]
    found = lasting(replace(world, faults=(fault,)))
    assert {(anomaly.verdict, anomaly.kind) for anomaly in found} == {("clock", "ramp" if kind == "ramp" else "step")}
    assert "the round trip did not" in found[0].evidence[0]


def test_no_clock_is_accused_in_a_run_too_short_to_know_its_noise() -> None:
    fault = Fault("step", 1.03, 0, 3e6)
    counts = (100 * CLAIM_BINS - 100, 100 * CLAIM_BINS)
    shorter, longer = (replace(QUIET, count=count, faults=(fault,)) for count in counts)
    assert not any(anomaly.verdict == "clock" for anomaly in lasting(shorter))
    assert any(anomaly.verdict == "clock" for anomaly in lasting(longer))


@pytest.mark.parametrize("lasting_s", [3.0, 6.0])
def test_a_long_delay_in_a_short_run_does_not_hide_itself(lasting_s: float) -> None:
    """What such stretches differ by is taken from the rest of the run: the delay is not its own noise."""
    world = replace(QUIET, queue_ns=(150_000, 100_000), bursts=True, seed=609)
    found = lasting(replace(world, faults=(Fault("delay", 10.58, lasting_s, 1.3e7, "forward"),)))
    assert max(anomaly.size for anomaly in found if anomaly.kind == "delay") == pytest.approx(1.3e7, rel=0.02)


def test_a_delay_and_a_step_at_different_times_are_told_apart() -> None:
    faults = (Fault("delay", 8, 4, 2e6, "back"), Fault("step", 20, 0, 1e6))
    found = in_order(lasting(replace(QUIET, faults=faults)))
    assert [(anomaly.verdict, anomaly.kind, anomaly.place) for anomaly in found] == [
        ("network", "delay", "back"),
        ("clock", "step", "clock"),
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("world", [QUIET, LOADED], ids=["quiet", "loaded"])
def test_nothing_is_found_where_nothing_was(world: World, seed: int) -> None:
    assert lasting(replace(world, seed=seed, drop=0.002)) == []


@pytest.mark.parametrize(
    ("kind", "named"), [("loss", "loss"), ("duplication", "duplication"), ("reordering", "reordering")]
)
@pytest.mark.parametrize(("lasting_s", "share"), [(1.0, 0.05), (8.0, 0.012), (0.1, 0.3)])
def test_what_is_counted_is_found_although_some_is_usual(kind: str, named: str, lasting_s: float, share: float) -> None:
    fault = Fault(kind, 12, lasting_s, share)  # type: ignore[arg-type]
    bins = bins_of(replace(QUIET, drop=0.001 if kind == "loss" else 0.0, faults=(fault,)))
    (found,) = counted(bins)
    assert (found.verdict, found.kind, found.unit) == ("network", named, "packets")
    assert found.size == found.packets > 0
    assert seconds(found.start_ns) == pytest.approx(12, abs=max(0.2, lasting_s / 4))
    assert seconds(found.end_ns) == pytest.approx(12 + lasting_s, abs=max(0.2, lasting_s / 4))


def test_single_losses_are_no_anomaly_and_a_dead_second_is() -> None:
    bins = bins_of(QUIET)
    bins.lost[[3, 120, 121, 250]] = 1
    assert counted(bins) == []
    bins.lost[150:160] = 100
    (found,) = counted(bins)
    assert found.packets == 1_000
    assert "1000 of 1000 packets were lost" in found.evidence[0]


def test_a_run_that_loses_all_the_time_is_not_odd_against_itself() -> None:
    assert counted(bins_of(replace(QUIET, drop=0.2))) == []
    assert counted(bins_of(replace(QUIET, drop=1.0))) == []


def test_few_bins_and_unknown_ones_do_not_matter() -> None:
    for world in (replace(QUIET, count=50), replace(QUIET, count=100), replace(QUIET, count=400, drop=1.0)):
        path = same_clock(bins_of(world))
        assert delays(path) == []
        assert clock_moves(path) == []


def test_order_and_totals() -> None:
    def one(verdict: str, start: int) -> Anomaly:
        return Anomaly(verdict, "delay", "", start, start, 1, 1.0, None, ())  # type: ignore[arg-type]

    found = [one("network", 3), one("clock", 1), one("network", 2)]
    assert [anomaly.start_ns for anomaly in in_order(found)] == [1, 2, 3]
    assert totals(found) == {"network": 2, "clock": 1}
    assert totals([]) == {}


def test_units_belong_to_kinds() -> None:
    ramp, loss, delay = (Anomaly("network", kind, "", 0, 0, 1, 1.0, None, ()) for kind in ("ramp", "loss", "delay"))
    assert (ramp.unit, loss.unit, delay.unit) == ("ppb", "packets", "ns")
    assert np.isfinite(delay.size)
