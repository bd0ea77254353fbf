# SPDX-License-Identifier: Apache-2.0
"""Two modes, and losses that come together."""

from __future__ import annotations

import numpy as np
import pytest

from latlab.stats.shapes.losses import MOST_RUNS, Bursts, LossCollector
from latlab.stats.shapes.modes import find_modes
from tests.stats.labelled_series import NOISES, labelled


@pytest.mark.parametrize(("share", "apart"), [(0.05, 90_000), (0.4, 45_000), (0.9, 60_000)])
def test_two_modes_are_found(share: float, apart: float) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(60_000, 8_000, 60_000) + apart * (rng.random(60_000) < share)
    found = find_modes(values)
    assert found is not None
    assert found.high_ns - found.low_ns == pytest.approx(apart, rel=0.02)
    assert found.upper_share == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("kind", NOISES)
def test_one_mode_is_one(kind: str) -> None:
    for number in range(NOISES.index(kind), 60, 5):
        values = labelled(number, count=60_000, kinds=()).value_ns.astype(np.float64)
        assert find_modes(values) is None, number


def test_uniform_and_coarse_values_have_one_mode() -> None:
    rng = np.random.default_rng(2)
    assert find_modes(rng.uniform(0, 1e5, 60_000)) is None
    assert find_modes(np.round(rng.normal(60_000, 8_000, 60_000), -3)) is None, "a clock of 1 us"
    assert find_modes(np.full(5_000, 60_000.0)) is None


def bursts_of(lost: np.ndarray, sent: int, pieces: int = 7) -> Bursts | None:
    collector = LossCollector()
    for part in np.array_split(lost, pieces):
        collector.add_numbers(sent // pieces, part)
    collector.sent = sent
    return collector.bursts()


@pytest.mark.parametrize("rate", [0.0, 1e-4, 1e-2])
def test_bursts_are_told_from_single_losses(rate: float) -> None:
    rng = np.random.default_rng(3)
    lost = rng.random(900_000) < rate
    lost[100_000:100_040] = True
    lost[500_000:500_300] |= rng.random(300) < 0.7
    found = bursts_of(np.flatnonzero(lost), 900_000)
    assert found is not None
    assert len(found.first) == 2
    assert found.first == pytest.approx([100_000, 500_000], abs=40)
    assert int(found.lost.sum()) + found.others == lost.sum()


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.05, 0.5, 1.0])
def test_even_losses_are_no_bursts(rate: float) -> None:
    for seed in range(30):
        lost = np.flatnonzero(np.random.default_rng(seed).random(100_000) < rate)
        assert bursts_of(lost, 100_000) is None, seed


def test_an_outage_is_one_burst_however_long_and_in_bounded_memory() -> None:
    rng = np.random.default_rng(4)
    collector = LossCollector()
    for first in range(0, 3_000_000, 100_000):
        lost = first + np.flatnonzero(rng.random(100_000) < 0.3)
        collector.add_numbers(100_000, lost)
        assert len(collector._first) <= 2 * MOST_RUNS
    collector.add_numbers(100_000, np.arange(3_000_000, 3_100_000))
    found = collector.bursts()
    assert found is not None
    assert found.lost.max() >= 100_000


def test_nothing_lost_is_no_burst() -> None:
    assert bursts_of(np.empty(0, np.int64), 1_000) is None
    assert bursts_of(np.array([5, 6]), 1_000) is None, "two are not yet one"
