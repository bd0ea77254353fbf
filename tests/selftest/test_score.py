# SPDX-License-Identifier: Apache-2.0
"""What counts as right: the name, the way, the size within its bound; and below the floor, that nothing is claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.selftest.faults import KINDS
from latlab.selftest.score import UNDECIDED, judge, score
from tests.selftest.cases import FLOOR, Anomaly, anomaly, injection

DELAY = injection("delay", 500_000, way="forward")
STEP = injection("step", 500_000)


def test_the_right_name_way_and_size_are_right() -> None:
    case = judge(DELAY, [anomaly("network", "delay", way="forward", size=480_000, bound=30_000)])
    assert (case.named, case.inside, case.right, case.verdict) == (True, True, True, "network")


@pytest.mark.parametrize(
    "said",
    [
        anomaly("network", "delay", way="return", size=500_000),
        anomaly("network", "delay", way="both", size=500_000),
        anomaly("network", "stall", way="forward", size=500_000),
        anomaly("clock", "step", size=500_000),
        anomaly("unknown", "delay", way="forward", size=500_000),
    ],
)
def test_another_name_or_way_is_wrong(said: Anomaly) -> None:
    case = judge(DELAY, [said])
    assert not case.named
    assert not case.right


def test_a_size_outside_of_its_bound_is_wrong_though_named() -> None:
    case = judge(DELAY, [anomaly("network", "delay", way="forward", size=480_000, bound=10_000)])
    assert (case.named, case.inside, case.right) == (True, False, False)
    unsure = replace(DELAY, true_error=10_000)
    assert judge(unsure, [anomaly("network", "delay", way="forward", size=480_000, bound=10_000)]).right


def test_nothing_reported_is_wrong_above_the_floor_and_right_below_it() -> None:
    assert not judge(DELAY, []).right
    assert judge(DELAY, []).verdict == UNDECIDED
    below = injection("delay", 40_000, way="forward")
    assert judge(below, []).right
    assert judge(below, [anomaly("unknown", "delay", way="forward", size=40_000)]).right
    assert judge(below, [anomaly("network", "delay", way="forward", size=40_000, bound=45_000)]).right
    assert judge(below, [anomaly("network", "delay", way="forward", size=40_000, bound=5_000)]).right
    assert not judge(below, [anomaly("network", "delay", way="forward", size=60_000, bound=5_000)]).right


def test_a_stall_that_hit_no_packet_is_below_every_floor() -> None:
    missed = replace(injection("sender-stall", 2_000_000, lasts_s=0.002, floor=0), true_size=0)
    assert judge(missed, []).right


def test_what_is_elsewhere_is_not_about_it() -> None:
    right = anomaly("network", "delay", way="forward", size=500_000, at_s=102)
    assert judge(DELAY, [right]).claim is None
    found = score(FLOOR, [([DELAY], [right])])
    assert found.elsewhere == 1


def test_a_late_packet_within_the_fault_does_not_hide_its_name() -> None:
    late = anomaly("network", "stall", way="return", size=9_000_000, at_s=100.4, lasts_s=0.01)
    right = anomaly("network", "delay", way="forward", size=500_000)
    assert judge(DELAY, [late, right]).right
    assert judge(injection("delay", 30_000, way="forward"), [late]).right


def test_counted_outcomes_add_up() -> None:
    lost = injection("loss", 10, floor=1, way="return")
    said = [anomaly("network", "loss", size=5, bound=0, at_s=100 + part, lasts_s=0.01) for part in (0.1, 0.8)]
    assert judge(lost, said).right
    assert not judge(lost, said[:1]).right


def test_what_is_reported_in_another_unit_is_no_size_of_the_fault() -> None:
    case = judge(injection("ramp", 50_000, lasts_s=4), [anomaly("clock", "step", size=500_000, lasts_s=4)])
    assert (case.verdict, case.reported, case.bound) == ("clock", None, None)
    lost = judge(injection("loss", 3, floor=5), [anomaly("network", "loss", size=4, bound=None)])
    assert (lost.verdict, lost.reported, lost.right) == (UNDECIDED, 4, True)


def test_a_step_that_is_told_at_both_its_ends_is_one() -> None:
    said = [anomaly("clock", "step", size=size, at_s=at, lasts_s=0) for size, at in ((500_000, 100), (-500_300, 101))]
    assert judge(STEP, said).right


def test_a_clock_that_is_called_network_is_wrong_even_when_it_is_called_clock_as_well() -> None:
    network = anomaly("network", "delay", way="forward", size=500_000)
    clock = anomaly("clock", "step", size=500_000, lasts_s=0)
    assert judge(STEP, [network]).as_network
    assert judge(STEP, [network, clock]).as_network
    assert not judge(STEP, [network, clock]).right
    spike = anomaly("network", "stall", size=500_000, at_s=100.5, lasts_s=0.005)
    assert judge(STEP, [spike, clock]).right


def test_the_criteria_say_what_did_not_hold() -> None:
    said = [anomaly("network", "delay", way="forward", size=510_000, bound=20_000)]
    passed = score(FLOOR, [([DELAY], said)])
    assert passed.passed
    assert any(criterion.holds is None for criterion in passed.criteria)
    assert not score(FLOOR, [([DELAY], [])]).passed
    assert not score(FLOOR, [([DELAY], said)], least=2).passed
    assert not score(replace(FLOOR, round_trip_ns=90_000), [([DELAY], said)]).passed
    network = [anomaly("network", "delay", way="forward", size=500_000)]
    first = score(FLOOR, [([STEP], network)]).criteria[0]
    assert (first.what, first.found, first.holds) == ("no fault of a clock is reported as network", "1 of 1", False)


def test_the_bound_of_what_decides_nothing_is_not_judged() -> None:
    below = injection("delay", 20_000, way="forward")
    said = [anomaly("network", "delay", way="forward", size=40_000, bound=5_000)]
    inside = next(c for c in score(FLOOR, [([below], said)]).criteria if "inside the bound" in c.what)
    assert (inside.found, inside.holds) == ("0 of 0", None)


def test_a_large_error_of_delays_fails_whatever_the_bound_says() -> None:
    big = injection("delay", 5_000_000, way="forward")
    wide = [anomaly("network", "delay", way="forward", size=4_000_000, bound=2_000_000)]
    failed = [c.what for c in score(FLOOR, [([big], wide)]).criteria if c.holds is False]
    assert failed == ["the median error of a reported delay is below 10 %, or the floor"]


kinds = st.sampled_from([name for name, kind in KINDS.items() if kind.noise != "none"])
anomalies = st.builds(
    anomaly,
    st.sampled_from(["network", "clock", "sender", "unknown"]),
    st.sampled_from(["delay", "stall", "loss", "step", "ramp", "sender-stall", "negative"]),
    way=st.sampled_from([None, "forward", "return", "both"]),
    size=st.none() | st.integers(-(10**7), 10**7),
    bound=st.none() | st.integers(0, 10**6),
    at_s=st.floats(98, 103),
    lasts_s=st.floats(0, 3),
)


@given(kinds, st.integers(0, 10**7), st.lists(anomalies, max_size=6))
def test_any_report_is_judged_alike_in_any_order(kind: str, size: int, said: list[Anomaly]) -> None:
    way = KINDS[kind].ways[0]
    case = judge(injection(kind, size, way=way), said)
    assert 0 <= (case.claim.covers if case.claim else 0) <= 1
    again = judge(injection(kind, size, way=way), said[::-1])
    assert (again.named, again.as_network) == (case.named, case.as_network)
    if case.right and case.injection.above_floor:
        assert any((a.verdict, a.kind) in KINDS[kind].names for a in said)


@given(kinds, st.integers(1, 10**7))
def test_an_exact_report_is_right_and_silence_is_not(kind: str, size: int) -> None:
    what = KINDS[kind]
    (verdict, name), way = sorted(what.names)[0], what.ways[0]
    fault = injection(kind, size, floor=1, way=way)
    assert judge(fault, [anomaly(verdict, name, way=way, size=size, bound=0)]).right
    assert not judge(fault, []).right
