# SPDX-License-Identifier: Apache-2.0
"""The series of a metric is the same however its values come, and has a limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.stats.shapes.collector import MOST_BLOCKS, RARE, SAMPLE, Collector
from latlab.stats.shapes.series import BLOCK, Series, midmean

PERIOD_NS = 1_000_000


def values_of(count: int, seed: int = 1) -> np.ndarray:
    return (60_000 + np.random.default_rng(seed).gamma(4, 7_000, count)).astype(np.int64)


def series_of(seq: np.ndarray, values: np.ndarray, cuts: list[int], count: int = 0) -> Series:
    collector = Collector(PERIOD_NS, count)
    for part in np.split(np.arange(len(seq)), sorted(cuts)):
        collector.add(seq[part], values[part])
    return collector.series()


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 20_000), max_size=8), gap=st.integers(0, 5_000_000), lost=st.floats(0, 0.5),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_the_chunks_do_not_matter(cuts: list[int], gap: int, lost: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seq = np.flatnonzero(rng.random(20_000) >= lost)
    seq[len(seq) // 2 :] += gap
    values = values_of(len(seq), seed)
    one, other = series_of(seq, values, []), series_of(seq, values, cuts)
    for name in ("slot", "count", "level_ns", "sample", "sample_ns"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=0.01, err_msg=name)
    # What is as high as its level is not rare, whatever a float makes of it.
    high, other_high = one.excess_ns > 1, other.excess_ns > 1
    for name in ("rare", "excess_ns", "value_ns"):
        np.testing.assert_allclose(getattr(one, name)[high], getattr(other, name)[other_high], atol=0.01, err_msg=name)
    assert one.total == other.total == len(seq) == int(one.count.sum())
    for mine, theirs in zip(one.blocks, other.blocks, strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])
        np.testing.assert_array_equal(mine[1], theirs[1])


def test_a_level_is_the_mean_of_the_middle_half_of_its_slot() -> None:
    seq, values = np.arange(10_000), values_of(10_000)
    found = series_of(seq, values, [3_333])
    expected = midmean(values.reshape(-1, found.packets).astype(np.float64))
    np.testing.assert_allclose(found.level_ns, expected, atol=0.01)
    np.testing.assert_array_equal(found.slot, np.arange(10_000 // found.packets))


def test_the_rare_are_the_largest_and_no_more_than_twice_as_many_as_there_is_room_for() -> None:
    count = 1_000_000
    seq, values = np.arange(count), values_of(count)
    values[[7, 500_000, 999_999]] += 10_000_000
    found = series_of(seq, values, list(range(0, count, 77_777)), count)
    assert RARE <= len(found.rare) <= 2 * RARE
    assert {7, 500_000, 999_999} <= set(found.rare[np.argsort(-found.excess_ns)[:3]].tolist())
    assert (np.diff(found.rare) > 0).all()
    level = found.level_ns[found.rare // found.packets]
    np.testing.assert_allclose(found.excess_ns, values[found.rare] - level, atol=0.01)
    excess = values - np.repeat(found.level_ns, found.packets)
    assert np.count_nonzero(excess > found.excess_ns.min()) <= len(found.rare) + 1


@pytest.mark.parametrize("told", [0, 3_000_000])
def test_memory_has_a_limit_whether_the_length_is_known_or_not(told: int) -> None:
    collector = Collector(10_000_000, told)
    for first in range(0, 3_000_000, 100_000):
        collector.add(np.arange(first, first + 100_000), values_of(100_000, first))
    found = collector.series()
    assert len(found.sample) <= 2 * SAMPLE
    assert len(found.rare) <= 2 * RARE
    assert len(found.blocks) <= 2 * MOST_BLOCKS
    assert max(len(seq) for seq, _ in found.blocks) <= BLOCK
    assert found.sample.min() < 100_000
    assert found.sample.max() > 2_900_000, "of the whole run, not of its beginning"


def test_parts_may_be_looked_at_before_others_are_joined() -> None:
    seq, values = np.arange(200_000), values_of(200_000)
    one, other = Collector(PERIOD_NS, 200_000), Collector(PERIOD_NS, 200_000)
    one.add(seq, values)
    parts = [other.look(seq[k : k + 65_536], values[k : k + 65_536]) for k in range(0, 200_000, 65_536)]
    for part in parts:
        other.join(part)
    np.testing.assert_array_equal(one.series().rare, other.series().rare)


def test_a_threshold_that_is_given_is_of_the_value_itself() -> None:
    collector = Collector(PERIOD_NS, 0, over_ns=200_000)
    values = values_of(10_000)
    values[5_000:] += 300_000
    collector.add(np.arange(10_000), values)
    found = collector.series()
    assert found.value_ns.min() > 200_000
    assert found.rare.min() >= 5_000 - 1
