# SPDX-License-Identifier: Apache-2.0
"""What the exchanges say of the clocks is within its bound of the truth, whatever network and clocks do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from latlab.stats.bins import make_bins, packets_of_bin
from latlab.stats.clock_path import MIN_BINS, ClockPath, clock_path, same_clock
from latlab.stats.ways import lag
from tests.stats.exchanges_maker import Fault, Made, World, make

LAN = World(floor_ns=(3_000, 3_000), queue_ns=(2_000, 2_000), host_ns=500)
LOADED = World(queue_ns=(400_000, 400_000), heavy=0.02, bursts=True)
ONE_SIDED = World(floor_ns=(600_000, 20_000), queue_ns=(900_000, 10_000), heavy=0.01, bursts=True)

CLOCKS = {
    "alike": (),
    "a step": (Fault("step", 12.03, 0, 700_000),),
    "a large step back": (Fault("step", 12.03, 0, -5e9),),
    "a step there and back": (Fault("step", 10, 0, 2e6), Fault("step", 11, 0, -2e6)),
    "the sender's stepped": (Fault("sender-step", 12, 0, 3e6),),
    "the sender's set back by an hour": (Fault("sender-step", 12, 0, -3.6e12),),
    "a ramp": (Fault("ramp", 5, 8, 400_000),),
    "a fast ramp": (Fault("ramp", 15, 1, -1e6),),
    "a ramp for most of the run": (Fault("ramp", 3, 17, 1e6),),
    "wandering": (Fault("wander", 0, 10, 50_000),),
    "wandering slowly": (Fault("wander", 0, 60, 300_000),),
}


def path_of(made: Made) -> ClockPath:
    world = made.world
    packets = packets_of_bin(world.period_ns, world.count)
    path = clock_path(make_bins(made.chunks(), packets, world.period_ns))
    assert path is not None
    return path


def beyond_bound(made: Made, path: ClockPath) -> int:
    """How many packets' true offset is outside of the bound."""
    offset, error = path.at(made.records["seq"].astype(np.int64), lag(made.records))
    return int((np.abs(offset - made.offset_ns) > error).sum())


@pytest.mark.parametrize("clock", sorted(CLOCKS))
@pytest.mark.parametrize("network", [LAN, LOADED, ONE_SIDED], ids=["lan", "loaded", "one-sided"])
def test_the_truth_is_inside_the_bound(network: World, clock: str) -> None:
    """33 runs of 25,000 exchanges: 8 * 10^5 in all, 3 * 10^5 of them over networks whose two ways are unlike."""
    offset = {"alike": 10**17, "a ramp": -3 * 10**16}.get(clock, 5_000_000)
    skew = 500_000.0 if "step" in clock else -120_000.0
    world = World(
        25_000, 1_000_000, network.floor_ns, network.queue_ns, network.heavy, network.bursts, network.host_ns,
        offset, skew, drop=0.01, seed=len(clock), faults=CLOCKS[clock],
    )  # fmt: skip
    made = make(world)
    assert beyond_bound(made, path_of(made)) == 0


@settings(deadline=None, derandomize=True, max_examples=40, phases=[Phase.explicit, Phase.generate])
@given(
    floors=st.tuples(st.integers(2_000, 10**6), st.integers(2_000, 10**6)),
    queues=st.tuples(st.integers(500, 10**6), st.integers(500, 10**6)),
    skew=st.floats(-500_000, 500_000),
    offset=st.integers(-(10**18), 10**18),
    heavy=st.sampled_from([0.0, 0.05]),
    step=st.sampled_from([0.0, 1e5, -1e6, 1e9]),
    seed=st.integers(0, 1_000),
)
def test_the_truth_is_inside_the_bound_of_any_world(
    floors: tuple[int, int], queues: tuple[int, int], skew: float, offset: int, heavy: float, step: float, seed: int
) -> None:
    faults = (Fault("step", 2, 0, step), Fault("stall", 3, 0, 2e7, "sender"), Fault("delay", 1, 0.5, 3e6, "back"))
    world = World(5_000, 1_000_000, floors, queues, heavy, True, 5_000, offset, skew, seed=seed, faults=faults)
    made = make(world)
    assert beyond_bound(made, path_of(made)) == 0


@pytest.mark.parametrize("period_ns", [20_000, 10**9, 60 * 10**9])
def test_fast_and_slow_flows(period_ns: int) -> None:
    made = make(World(count=20_000 if period_ns < 10**6 else 400, period_ns=period_ns, skew_ppb=500_000))
    path = path_of(made)
    assert beyond_bound(made, path) == 0
    assert path.rate_ppb == pytest.approx(500_000, abs=2_000 if period_ns > 10**6 else 50_000)
    assert np.median(path.error_ns) < 400_000


def test_the_bound_is_half_the_shortest_round_trip_and_little_more() -> None:
    path = path_of(make(World(floor_ns=(300_000, 300_000))))
    assert 300_000 <= np.median(path.error_ns) < 330_000


@pytest.mark.parametrize("way", ["forward", "back"])
@pytest.mark.parametrize("network", [World(), LOADED, ONE_SIDED], ids=["quiet", "loaded", "one-sided"])
@pytest.mark.parametrize("size", [1e5, 2e6, 5e7])
def test_a_delay_in_one_direction_is_no_move_of_a_clock(network: World, way: str, size: float) -> None:
    for at, lasting in ((0.0, 5.0), (8.0, 2.0), (8.0, 20.0), (10.0, 0.2)):
        world = World(
            20_000, 1_000_000, network.floor_ns, network.queue_ns, network.heavy, network.bursts, skew_ppb=50_000,
            seed=int(at), faults=(Fault("delay", at, lasting, size, way),),  # type: ignore[arg-type]
        )  # fmt: skip
        path = path_of(make(world))
        assert (path.steps, path.ramps) == ((), ())


@pytest.mark.parametrize("size", [4e5, -4e5, 1e9, -3.6e12, 3e16])
@pytest.mark.parametrize("kind", ["step", "sender-step"])
def test_a_step_is_found_where_it_was_and_as_large_as_it_was(kind: str, size: float) -> None:
    made = make(World(skew_ppb=-80_000, bursts=True, faults=(Fault(kind, 15.03, 0, size),)))  # type: ignore[arg-type]
    path = path_of(made)
    (step,) = path.steps
    assert path.ramps == ()
    assert step.before <= 150 <= step.after
    expected = size if kind == "step" else -size
    assert abs(step.size_ns - expected) <= step.bound_ns + abs(size) * 1e-12
    assert step.bound_ns < 1e5


@pytest.mark.parametrize("seed", range(8))
def test_a_step_little_larger_than_the_noise_is_no_ramp_and_a_small_ramp_no_step(seed: int) -> None:
    world = replace(LOADED, bursts=False, count=30_000, seed=seed, queue_ns=(100_000, 100_000))
    noise = path_of(make(world)).noise_ns
    stepped = path_of(make(replace(world, faults=(Fault("step", 12.34, 0, 5 * noise),))))
    assert (len(stepped.steps), len(stepped.ramps)) == (1, 0)
    ramped = path_of(make(replace(world, faults=(Fault("ramp", 10, 8, 6 * noise),))))
    assert (len(ramped.steps), len(ramped.ramps)) == (0, 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_ramp_is_found_with_its_rate(sign: int) -> None:
    path = path_of(make(World(count=60_000, skew_ppb=20_000, faults=(Fault("ramp", 20, 20, sign * 1e6),))))
    (ramp,) = path.ramps
    assert path.steps == ()
    assert ramp.rate_ppb == pytest.approx(sign * 50_000, rel=0.05)
    assert abs(ramp.size_ns - sign * 1e6) < ramp.bound_ns + 30_000
    assert 195 <= ramp.first <= 210
    assert 390 <= ramp.last <= 405


def test_a_ramp_for_most_of_the_run_is_told_as_two_for_the_rest() -> None:
    """Which rate is the usual one is a matter of words; what is not is that both ends of the ramp are bends."""
    path = path_of(make(World(count=60_000, faults=(Fault("ramp", 10, 40, 2e6),))))
    assert [round(ramp.rate_ppb, -4) for ramp in path.ramps] == [-50_000, -50_000]


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_found_where_nothing_was(seed: int) -> None:
    for network in (World(), LOADED, ONE_SIDED, LAN):
        world = World(
            30_000, 1_000_000, network.floor_ns, network.queue_ns, network.heavy, network.bursts, network.host_ns,
            skew_ppb=33_000, seed=seed,
        )  # fmt: skip
        path = path_of(make(world))
        assert (path.steps, path.ramps) == ((), ())


def test_where_nothing_came_back_the_bound_grows() -> None:
    made = make(World(count=60_000, faults=(Fault("loss", 10, 30, 1.0),)))
    path = path_of(made)
    assert beyond_bound(made, path) == 0
    assert path.error_ns[250] > path.error_ns[50] + 10_000
    assert np.isnan(path.forward_excess_ns[250])


def test_too_few_exchanges_give_no_path() -> None:
    for count in (0, 1, 8, 8 * (MIN_BINS - 1)):
        bins = make_bins(make(World(count=count)).chunks() if count else [], 8, 1_000_000)
        assert clock_path(bins) is None
    assert clock_path(make_bins(make(World(count=8 * MIN_BINS)).chunks(), 8, 1_000_000)) is not None
    assert clock_path(make_bins(make(World(count=5_000, drop=1.0)).chunks(), 100, 1_000_000)) is None


def test_one_clock_stands_still_whatever_the_network_does() -> None:
    made = make(World(count=5_000, faults=(Fault("delay", 1, 2, 1e6, "forward"),)))
    path = same_clock(make_bins(made.chunks(), 100, 1_000_000))
    assert not path.offset_ns.any()
    assert not path.error_ns.any()
    assert path.forward_excess_ns[20] - path.forward_excess_ns[5] == pytest.approx(1e6, rel=0.05)
    nothing = same_clock(make_bins(make(World(count=500, drop=1.0)).chunks(), 100, 1_000_000))
    assert np.isnan(nothing.forward_excess_ns).all()


@settings(deadline=None, derandomize=True, max_examples=20)
@given(st.lists(st.integers(0, 9_999), min_size=1, max_size=50))
def test_a_packet_s_offset_does_not_depend_on_who_is_asked_with_it(numbers: list[int]) -> None:
    path = path_of(make(World(count=10_000, skew_ppb=9_000, faults=(Fault("step", 5, 0, 1e6),))))
    seq = np.arange(10_000)
    offset, error = path.at(seq)
    some = np.array(numbers, np.int64)
    assert np.array_equal(path.at(some)[0], offset[some])
    assert np.array_equal(path.at(some)[1], error[some])
