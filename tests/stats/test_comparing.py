# SPDX-License-Identifier: Apache-2.0
"""Differences between groups of runs: what holds for every one, and how often they are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from latlab.stats.comparing import Difference, Observed, Question, compare_groups, differ
from latlab.stats.comparing.difference import ASSUMED_SPREAD, TRIMMED
from tests.runs_maker import latencies, run, summary
from tests.stats.comparing_trials import NETWORKS, RUNS, Truth, shifted

VALUES = st.integers(-(10**9), 10**9)
RUN = st.builds(
    lambda value, down, up, bound: Observed(value, value - down, value + up, bound),
    VALUES, st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 10**6),
)  # fmt: skip
GROUP = st.lists(RUN, min_size=1, max_size=14)
CHANCE = st.floats(0.001, 0.05)


def moved(group: Sequence[Observed], by: float, times: float = 1.0) -> list[Observed]:
    def to(value: float | None) -> float | None:
        return None if value is None else value * times + by

    return [Observed(run.value * times + by, to(run.low), to(run.high), run.bound * times) for run in group]


def near(one: float | None, other: float | None) -> bool:
    assert one is not None
    assert other is not None
    return one == pytest.approx(other, rel=1e-6, abs=1e-2)


@given(GROUP, GROUP, CHANCE)
def test_the_difference_is_within_its_interval_and_its_sides_change_places(
    a: list[Observed], b: list[Observed], chance: float
) -> None:
    found, back = differ(a, b, chance), differ(b, a, chance)
    assert found.low is not None
    assert found.high is not None
    assert found.noise is not None
    assert found.low <= found.difference <= found.high
    assert found.difference == -back.difference
    assert near(found.low, -(back.high or 0))
    assert near(found.high, -(back.low or 0))
    assert near(found.noise, back.noise)


@given(GROUP, GROUP, CHANCE, VALUES)
def test_what_is_added_to_every_run_of_b_is_added_to_the_difference(
    a: list[Observed], b: list[Observed], chance: float, by: int
) -> None:
    found, later = differ(a, b, chance), differ(a, moved(b, by), chance)
    assert near(later.difference, found.difference + by)
    assert near(later.low, (found.low or 0) + by)
    assert near(later.high, (found.high or 0) + by)
    if found.method != "one run a side":  # there the assumed spread is a share of the value
        assert near(later.noise, found.noise)


@given(GROUP, GROUP, CHANCE, st.sampled_from([0.001, 0.5, 1_000.0]))
def test_the_unit_does_not_matter(a: list[Observed], b: list[Observed], chance: float, times: float) -> None:
    found, other = differ(a, b, chance), differ(moved(a, 0, times), moved(b, 0, times), chance)
    for name in ("difference", "low", "high", "noise", "bound"):
        assert getattr(other, name) == pytest.approx(getattr(found, name) * times, rel=1e-9, abs=1e-6)


@given(GROUP, GROUP, CHANCE, st.randoms())
def test_the_order_of_runs_does_not_matter(a: list[Observed], b: list[Observed], chance: float, random: object) -> None:
    mixed = list(a)
    getattr(random, "shuffle")(mixed)  # noqa: B009 - hypothesis has no type for it
    one, other = differ(a, b, chance), differ(mixed, b, chance)
    assert one.difference == pytest.approx(other.difference, rel=1e-9, abs=1e-6)
    assert near(one.noise, other.noise)


@given(GROUP, GROUP, CHANCE, st.integers(0, 10**6), st.integers(0, 10**6))
def test_bounds_of_clocks_are_added_in_full(
    a: list[Observed], b: list[Observed], chance: float, of_a: int, of_b: int
) -> None:
    def bounded(group: list[Observed], bound: int) -> list[Observed]:
        return [Observed(each.value, each.low, each.high, bound) for each in group]

    without = differ(bounded(a, 0), bounded(b, 0), chance)
    found = differ(bounded(a, of_a), bounded(b, of_b), chance)
    assert near(found.bound, of_a + of_b)
    assert near(found.noise, (without.noise or 0) + of_a + of_b)
    assert near(found.low, (without.low or 0) - of_a - of_b)
    assert near(found.high, (without.high or 0) + of_a + of_b)


@given(st.lists(VALUES, min_size=2, max_size=9), st.lists(VALUES, min_size=2, max_size=9))
def test_the_interval_holds_that_of_welch(a: list[int], b: list[int]) -> None:
    """Below ten runs nothing is trimmed; scipy's own is the reference."""
    if len(set(a)) == 1 or len(set(b)) == 1:
        return
    reference = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    pooled = stats.ttest_ind(b, a, equal_var=True).confidence_interval(0.95)
    found = differ([Observed(value) for value in a], [Observed(value) for value in b], 0.03)
    assert near(found.low, min(reference.low, pooled.low))
    assert near(found.high, max(reference.high, pooled.high))


def test_ten_runs_are_trimmed_as_yuen_does() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(100, 2, 12), rng.normal(100, 2, 12)
    a[3] = 900
    reference = stats.ttest_ind(b, a, equal_var=False, trim=TRIMMED).confidence_interval(0.95)
    found = differ([Observed(value) for value in a], [Observed(value) for value in b], 0.05)
    assert found.low == pytest.approx(reference.low)
    assert found.high == pytest.approx(reference.high)
    assert found.noise is not None
    assert found.noise < 3  # one disturbed run of twelve


@given(st.integers(10**4, 10**8), st.integers(1, 10**4))
def test_one_run_a_side_is_not_believed_beyond_what_runs_are_assumed_to_vary(value: int, width: int) -> None:
    one, other = Observed(value, value - 1, value + 1), Observed(value + width, value + width - 1, value + width + 1)
    found = differ([one], [other], 0.05)
    assert found.method == "one run a side"
    assert found.noise is not None
    assert found.noise > 1.9 * ASSUMED_SPREAD * value


def test_without_intervals_within_them_single_runs_say_nothing() -> None:
    found = differ([Observed(10)], [Observed(90)], 0.05)
    assert (found.low, found.high, found.noise, found.beyond_noise) == (None, None, None, False)


def test_runs_that_happen_to_agree_are_not_more_exact_than_each_of_them() -> None:
    alike = [Observed(1_000, 900, 1_100)] * 3
    found = differ(alike, [Observed(1_050, 950, 1_150)] * 3, 0.03)
    assert not found.beyond_noise
    assert differ([Observed(1_000)] * 3, [Observed(1_050)] * 3, 0.03).beyond_noise


def test_a_run_like_one_that_was_seen_is_within_the_noise() -> None:
    seen = [Observed(value) for value in [100, 101, 99, 100, 102, 98, 100, 101, 99, 100, 101, 99, 100, 120]]
    assert not differ(seen, [Observed(119)], 0.03).beyond_noise
    assert differ(seen, [Observed(150)], 0.03).beyond_noise


def test_no_runs_are_no_group() -> None:
    with pytest.raises(ValueError, match="a group of no runs"):
        differ([], [Observed(1)], 0.05)


def _differences(size: int, spread: float, step: float, seed: int, count: int = 1_000) -> list[Difference]:
    """Runs whose value is 100, normal with `spread`; those of B higher by `step`."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(100, spread, (count, 2, size))
    return [differ([Observed(value) for value in a], [Observed(value + step) for value in b], 0.03) for a, b in drawn]


@pytest.mark.parametrize("size", [2, 3, 5, 10, 20])
def test_normal_runs_of_the_same_thing_are_called_different_once_in_twenty_at_most(size: int) -> None:
    found = _differences(size, 2.3, 0, seed=size)
    assert sum(each.beyond_noise for each in found) <= 50
    covered = sum((each.low or 0) <= 0 <= (each.high or 0) for each in found)
    assert 930 <= covered <= 1_000


def test_ten_normal_runs_a_side_find_five_percent() -> None:
    found = _differences(10, 2.3, 5, seed=1)
    assert sum(each.beyond_noise and each.difference > 0 for each in found) >= 950


def test_made_up_runs_of_packets_alike_and_shifted() -> None:
    """A small form of `benchmarks.compare`, with a fixed seed: 60 pairs of ten runs against ten."""
    network, rng, pairs = NETWORKS["pinned"], np.random.default_rng(11), 60
    called = found = 0
    truth = Truth(p90_ns=75_400, p99_ns=97_100, spread_p99=0.0, within_p99=0.0)
    for _ in range(pairs):
        values = [latencies(network, rng) for _ in range(RUNS)]
        made = [run(number, {"round_trip": summary(each)}) for number, each in enumerate(values)]
        worse = [
            run(number, {"round_trip": summary(shifted(each, "all packets", truth))})
            for number, each in enumerate(values[RUNS // 2 :], RUNS // 2)
        ]
        half = RUNS // 2
        question = Question(quantiles=("p99",))
        called += any(row.word != "undecided" for row in compare_groups(made[:half], made[half:], question).rows)
        found += compare_groups(made[:half], worse, question).failed
    assert called <= 3
    assert found >= 57
