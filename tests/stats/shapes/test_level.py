# SPDX-License-Identifier: Apache-2.0
"""What the level does: slopes, changes and ripples are told apart, and noise that wanders is none of them."""

from __future__ import annotations

import numpy as np
import pytest

from latlab.stats.shapes.levels import find_drift, least_of
from latlab.stats.shapes.ripple import find_fast, find_ripple
from latlab.stats.tube import Floats

SLOTS, STEP_S = 9_000, 0.1
TIME: Floats = (np.arange(SLOTS, dtype=np.float64) + 0.5) * STEP_S
LEAST = least_of(60_000, 12_000)


def noise(seed: int, sigma: float = 1_700) -> np.ndarray:
    return 60_000 + np.random.default_rng(seed).normal(0, sigma, SLOTS)


@pytest.mark.parametrize("rise", [8_000, -8_000, 60_000])
def test_a_slope_is_found_to_its_bound(rise: float) -> None:
    found = find_drift(TIME, noise(1) + rise * TIME / TIME[-1], LEAST)
    assert found.changes == ()
    assert abs(found.rise_ns - rise) <= 2 * found.bound_ns
    np.testing.assert_allclose(found.fitted_ns, rise * TIME / TIME[-1], atol=1_000)


def test_a_change_is_found_with_its_time_and_size() -> None:
    found = find_drift(TIME, noise(2) + 7_000 * (TIME > 400), LEAST)
    (change,) = found.changes
    assert abs(change.at_s - 400) <= change.doubt_s
    assert abs(change.size_ns - 7_000) <= 2 * change.bound_ns
    assert found.rise_ns == 0


def test_a_slope_with_a_change_in_it_is_both() -> None:
    found = find_drift(TIME, noise(3) + 20_000 * TIME / TIME[-1] - 15_000 * (TIME > 600), LEAST)
    assert [round(change.size_ns, -4) for change in found.changes] == [-10_000] or found.changes[0].size_ns < -11_000
    assert found.rise_ns == pytest.approx(20_000, rel=0.15)


def test_noise_bursts_and_a_level_that_wanders_do_not_drift() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        level = noise(seed)
        level[int(rng.integers(0, SLOTS - 60)) :][:60] += 80_000  # a burst of 6 s
        coloured = np.convolve(rng.normal(0, 1, SLOTS), np.ones(40) / np.sqrt(40), "same") * 3_000
        found = find_drift(TIME, level + coloured, LEAST)
        assert (found.rise_ns, found.changes) == (0, ()), seed


def test_too_little_is_not_told() -> None:
    found = find_drift(TIME, noise(4, 10) + 300 * TIME / TIME[-1], LEAST)
    assert found.rise_ns == 0


def test_few_slots_have_no_drift() -> None:
    assert find_drift(TIME[:60], noise(5)[:60] + TIME[:60] * 1e5, LEAST).rise_ns == 0


@pytest.mark.parametrize("period", [0.5, 7.3, 140.0])
def test_a_ripple_is_found_with_its_period_height_and_phase(period: float) -> None:
    level = noise(6) + 2_000 * np.cos(2 * np.pi * (TIME - 3) / period)
    found = find_ripple(np.arange(SLOTS), STEP_S, level, LEAST)
    assert found is not None
    assert found.period_s == pytest.approx(period, rel=0.005)
    assert found.height_ns == pytest.approx(4_000, abs=2 * found.bound_ns)
    away = (found.top_s - 3) / period
    assert abs(away - round(away)) < 0.1


def test_gaps_are_not_filled() -> None:
    slot = np.flatnonzero((np.arange(SLOTS) % 1_000 > 250) & (np.random.default_rng(7).random(SLOTS) > 0.2))
    level = noise(7)[slot] + 2_000 * np.cos(2 * np.pi * TIME[slot] / 11.7)
    found = find_ripple(slot, STEP_S, level, LEAST)
    assert found is not None
    assert found.period_s == pytest.approx(11.7, rel=0.005)
    assert find_ripple(slot, STEP_S, noise(8)[slot], 0.0) is None


def test_noise_and_a_level_that_wanders_do_not_ripple() -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        wander = np.cumsum(rng.normal(0, 300, SLOTS)) * (seed % 2)
        assert find_ripple(np.arange(SLOTS), STEP_S, noise(seed) + wander, 0.0) is None, seed


def blocks(height: float, period: int, seed: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    found = []
    for start in range(0, 12 * 75_000, 75_000):
        seq = np.flatnonzero(rng.random(16_384) > 0.01) + start
        found.append((seq, 60_000 + rng.gamma(4, 6_000, len(seq)) + height / 2 * np.cos(2 * np.pi * seq / period)))
    return found


def test_what_is_faster_than_the_slots_is_found_in_packets_in_a_row() -> None:
    found = find_fast(blocks(4_000, 37), 1e-3, 0.4, LEAST)
    assert found is not None
    assert found.period_s == pytest.approx(0.037, rel=0.01)
    assert found.height_ns == pytest.approx(4_000, rel=0.25)
    assert all(find_fast(blocks(0, 37, seed), 1e-3, 0.4, 0.0) is None for seed in range(20))
