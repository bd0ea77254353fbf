# SPDX-License-Identifier: Apache-2.0
"""The plan of a self-test: all kinds, sizes from half the floor to a hundred times it, most of them above it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from latlab.selftest.faults import KINDS, Kind, Way
from latlab.selftest.floor import Floor
from latlab.selftest.plan import LONG, SHORT, lasts_ns, make_plan, share, sizes
from tests.selftest.cases import FLOOR

PAIRS: list[tuple[str, Way | None]] = [(name, way) for name, kind in KINDS.items() for way in kind.ways]
ONE_CLOCK = [pair for pair in PAIRS if not KINDS[pair[0]].of_the_clock and pair[0] != "vcpu-stop"]


def floor_of(forward_ns: int, return_ns: int, single_ns: int, packets: int) -> Floor:
    single = dict.fromkeys(("sender", "receiver"), single_ns)
    counted: dict[str, int] = dict.fromkeys(("loss", "duplication", "reordering"), packets)
    return replace(FLOOR, forward_ns=forward_ns, return_ns=return_ns, single_ns=single, packets=counted)


floors = st.builds(
    floor_of, st.integers(1, 3_000_000), st.integers(1, 3_000_000), st.integers(1, 10_000_000), st.integers(1, 20)
)


def plan_of(pairs: list[tuple[str, Way | None]] = PAIRS, count: int = LONG, seed: int = 1) -> list[tuple[str, int]]:
    return [(fault.kind, fault.size) for fault in make_plan(pairs, FLOOR, count, seed, 500)]


def test_the_same_seed_makes_the_same_plan_and_another_one_another_order() -> None:
    assert plan_of(seed=3) == plan_of(seed=3)
    assert plan_of(seed=3) != plan_of(seed=4)
    assert sorted(plan_of(seed=3)) == sorted(plan_of(seed=4))


def test_kinds_come_in_shuffled_order() -> None:
    kinds = [kind for kind, _ in plan_of()]
    assert kinds != sorted(kinds)


@given(floors, st.integers(1, 300), st.integers())
def test_every_pair_has_its_share_and_the_numbers_count_from_one(floor: Floor, count: int, seed: int) -> None:
    faults = make_plan(PAIRS, floor, count, seed, 500)
    assert [fault.number for fault in faults] == list(range(1, max(count, len(PAIRS)) + 1))
    per_pair = Counter((fault.kind, fault.way) for fault in faults)
    assert set(per_pair) == set(PAIRS)
    assert max(per_pair.values()) - min(per_pair.values()) <= 1


@given(floors)
def test_the_long_form_has_200_of_which_three_quarters_are_above_the_floor(floor: Floor) -> None:
    faults = make_plan(ONE_CLOCK, floor, LONG, 1, 500)
    assert len(faults) >= 200
    sized = [fault for fault in faults if fault.of.noise == "level"]
    assert sum(fault.size > fault.floor for fault in sized) >= 0.75 * len(sized)


@given(st.sampled_from(list(KINDS.values())), st.integers(1, 5_000_000), st.integers(1, 60))
def test_sizes_rise_within_their_limits(kind: Kind, floor: int, count: int) -> None:
    found = sizes(kind, floor, count)
    assert len(found) == count
    assert found == sorted(found)
    if kind.noise != "none":
        assert found[0] >= min(max(kind.smallest, 1), 100 * floor)
        assert kind.largest is None or found[-1] <= kind.largest


def test_delays_go_from_half_the_floor_to_a_hundred_floors() -> None:
    found = sizes(KINDS["delay"], 50_000, 20)
    assert found[0] == 25_000
    assert found[-1] == 5_000_000
    assert sum(size < 50_000 for size in found) in range(2, 6)
    assert all(size != 50_000 for size in found)
    ratios = [after / before for before, after in pairwise(found[4:])]
    assert max(ratios) / min(ratios) < 1.01


@given(st.integers(1, 1000), st.integers(3, 40))
def test_at_most_half_of_the_packets_are_lost(floor: int, count: int) -> None:
    assert sizes(KINDS["loss"], floor, count, 250)[-1] <= 250


def test_a_share_is_even_and_never_nothing() -> None:
    assert share(PAIRS, 3) == [1] * len(PAIRS)
    assert sum(share(PAIRS, SHORT)) == SHORT
    assert share([], 30) == []


def test_the_time_covers_every_fault_with_quiet_around_it() -> None:
    # Thirty faults of one second at most, in about two minutes.
    assert 100e9 < lasts_ns(ONE_CLOCK, SHORT) < 150e9
    assert lasts_ns(ONE_CLOCK, LONG) < 16 * 60e9
