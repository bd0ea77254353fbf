# SPDX-License-Identifier: Apache-2.0
"""What a clock did is never told as the network's; what the network did is, whatever a clock does meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from latlab.stats import records as rec
from latlab.stats.analysis import Analysis, analyse
from latlab.stats.shapes import Shape
from latlab.stats.stamps import CLAIMED, ONE_KERNEL, Timescales
from tests.stats.exchanges_maker import START_NS, Fault, World, make
from tests.stats.labelled_worlds import TWO_CLOCKS, labelled_world

WORLD = World(count=60_000, queue_ns=(20_000, 20_000), floor_ns=(60_000, 60_000), host_ns=3_000, skew_ppb=20_000)
CLAIMED_CLOCKS: Timescales = {"sender": CLAIMED, "reflector": CLAIMED}


def analysed(*faults: Fault, over_ns: int | None = None) -> Analysis:
    world = replace(WORLD, faults=faults)
    return analyse(make(world).chunks, world.header, "up", TWO_CLOCKS, spikes_over_ns=over_ns)


def of(found: Analysis, metric: str, kind: str) -> Shape:
    (shape,) = [shape for shape in found.shapes if (shape.metric, shape.kind) == (metric, kind)]
    return shape


BEAT = tuple(Fault("stall", 2 + 5 * k, 0, 6e6, "forward") for k in range(12))


@pytest.mark.parametrize(
    "clock",
    [
        Fault("step", 30, 0, 2e6),
        Fault("ramp", 20, 15, 500e3),
        Fault("wander", 0, 20, 100e3),
        Fault("wander", 0, 9, 30e3),
        Fault("sender-step", 30, 0, 5e6),
    ],
)
def test_a_clocks_fault_is_never_the_networks(clock: Fault) -> None:
    assert [shape for shape in analysed(clock).shapes if shape.verdict == "network"] == []


def test_the_network_is_told_beside_a_clocks_fault() -> None:
    found = analysed(Fault("wander", 0, 20, 100e3), *BEAT)
    spikes, beat = of(found, "round_trip", "spikes"), of(found, "round_trip", "periodic")
    assert (spikes.verdict, beat.verdict) == ("network", "network")
    assert beat.value == pytest.approx(5e9, rel=1e-4)
    assert abs(beat.start_ns - START_NS - 2e9) < 2e6
    assert [number % 5_000 // 10 for number in beat.members] == [200] * 12


def test_a_swinging_servo_is_told_as_the_clocks_or_as_not_known() -> None:
    world = replace(WORLD, count=120_000, faults=(Fault("wander", 0, 10, 30e3),))
    shapes = analyse(make(world).chunks, world.header, "up", TWO_CLOCKS).shapes
    assert {shape.metric for shape in shapes} == {"up", "down"}
    assert {shape.verdict for shape in shapes} <= {"clock", "unknown"}
    assert all("clocks" in shape.sentence for shape in shapes)


def test_what_the_round_trip_does_too_is_the_networks() -> None:
    found = analysed(Fault("delay", 30, 60, 40e3, "forward"))
    assert of(found, "round_trip", "drift").verdict == of(found, "up", "drift").verdict == "network"
    assert of(found, "up", "drift").value == pytest.approx(40e3, rel=0.1)
    assert not [shape for shape in found.shapes if shape.metric == "down"]


def test_spikes_of_the_sender_are_the_senders() -> None:
    found = analysed(*(replace(fault, place="sender-read") for fault in BEAT))
    assert of(found, "round_trip", "spikes").verdict == of(found, "round_trip", "periodic").verdict == "sender"


def test_with_one_clock_there_is_nobody_else() -> None:
    world = replace(WORLD, skew_ppb=0, faults=(Fault("delay", 30, 60, 40e3, "forward"),))
    found = analyse(make(world).chunks, world.header, "up", ONE_KERNEL)
    assert of(found, "up", "drift").verdict == "network"


def test_of_clocks_of_which_nothing_is_known_nothing_is_the_networks() -> None:
    """An imported measurement that goes one way: the clocks are said to agree, and nobody can check it."""
    made = make(replace(WORLD, skew_ppb=0, faults=(Fault("step", 30, 0, 2e6), *BEAT)))
    made.records["flags"] = rec.SENT | rec.RECEIVED
    for name in ("w2", "t2", "r2", "a2"):
        made.records[name] = 0
    found = analyse(made.chunks, made.world.header, "up", CLAIMED_CLOCKS)
    assert {(shape.metric, shape.kind) for shape in found.shapes} >= {("up", "drift"), ("up", "periodic")}
    assert {shape.verdict for shape in found.shapes} == {"unknown"}


def test_a_threshold_of_the_users_own() -> None:
    spikes = of(analysed(*BEAT, over_ns=3_000_000), "round_trip", "spikes")
    assert spikes.details["spikes"] == 12
    assert "over 3.00 ms" in spikes.sentence


def test_the_senders_clock_may_be_set_meanwhile() -> None:
    found = analysed(Fault("sender-step", 20.5, 0, 7e9), *BEAT)
    assert of(found, "round_trip", "spikes").verdict == of(found, "round_trip", "periodic").verdict == "network"
    assert of(found, "round_trip", "spikes").details["spikes"] == 12


def test_losses_are_the_networks() -> None:
    found = of(analysed(Fault("loss", 30, 0.1, 0.9)), "loss", "loss bursts")
    assert (found.verdict, found.unit) == ("network", "packets")
    assert 60 < found.value <= 100
    assert abs(found.start_ns - START_NS - 30e9) < 2e7


def test_labelled_worlds() -> None:
    """The fixed part of benchmarks/shapes.py: of 16 runs, what is the network's is told, and nothing else is."""
    for number in range(9_000, 9_016):
        case = labelled_world(number)
        found = analyse(make(case.world).chunks, case.world.header, "up", TWO_CLOCKS).shapes
        assert {shape.kind for shape in found if shape.verdict == "network"} == case.network, case.name
