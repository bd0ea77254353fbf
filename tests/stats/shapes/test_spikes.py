# SPDX-License-Identifier: Apache-2.0
"""A spike is what the tail of the rest does not explain; a heavy tail explains much."""

from __future__ import annotations

import numpy as np
import pytest

from latlab.stats.shapes import spikes, tails
from latlab.stats.shapes.collector import Collector
from latlab.stats.shapes.series import Series
from tests.stats.labelled_series import NOISES, labelled

COUNT = 200_000


def series_of(values: np.ndarray) -> Series:
    collector = Collector(1_000_000, len(values))
    collector.add(np.arange(len(values)), np.round(values).astype(np.int64))
    return collector.series()


def noise(seed: int = 1) -> np.ndarray:
    return 60_000 + np.random.default_rng(seed).gamma(4, 7_000, COUNT)


def test_single_spikes_are_found_with_their_places_and_heights() -> None:
    values, places = noise(), [1_000, 77_777, 150_000]
    values[places] += 2e6
    found = spikes.find(series_of(values))
    assert found is not None
    assert found.events.seq.tolist() == places
    assert found.events.excess_ns == pytest.approx([2e6] * 3, abs=100_000)


def test_packets_that_were_held_together_are_one_spike() -> None:
    values = noise()
    values[5_000:5_100] += np.arange(100, 0, -1) * 1e6
    found = spikes.find(series_of(values))
    assert found is not None
    assert found.events.seq.tolist() == [5_000]
    assert found.events.packets.tolist() == [100]
    assert (found.events.first.tolist(), found.events.last.tolist()) == ([5_000], [5_099])


@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_no_spikes(kind: str) -> None:
    for number in range(NOISES.index(kind), 40, 5):
        series = labelled(number, count=COUNT, kinds=())
        collector = Collector(series.period_ns, series.count)
        collector.add(series.seq, series.value_ns)
        found = spikes.find(collector.series())
        assert found is not None
        assert not len(found.events), series.name


def test_many_that_each_might_be_the_tails_own_are_spikes_together() -> None:
    rng = np.random.default_rng(3)
    values = 60_000 + 10_000 * np.abs(rng.standard_t(3, COUNT))
    values[COUNT // 2] = 60_000 + 4e6
    assert not len(found_in(values)), "the tail may have one of them"
    places = np.sort(rng.choice(COUNT, 40, replace=False))
    values[places] = 60_000 + 4e6
    assert set(found_in(values)) >= set(places[:-1].tolist()) - set(places[1:][np.diff(places) < 20].tolist())


def found_in(values: np.ndarray) -> list[int]:
    found = spikes.find(series_of(values))
    assert found is not None
    return [int(seq) for seq in found.events.seq]


def test_a_threshold_may_be_given() -> None:
    values = noise()
    values[70_000] += 100_000
    collector = Collector(1_000_000, COUNT, over_ns=195_000)
    collector.add(np.arange(COUNT), values.astype(np.int64))
    found = spikes.find(collector.series(), 195_000)
    assert found is not None
    assert found.given
    assert set(found.events.seq.tolist()) == set(np.flatnonzero(values.astype(np.int64) > 195_000).tolist())


def test_too_few_packets_have_no_tail() -> None:
    assert tails.how_many(399) == 0
    assert spikes.find(series_of(noise()[:300])) is None


@pytest.mark.parametrize("shape", [0.0, 0.3, 0.7])
def test_the_tail_is_at_least_as_high_as_the_true_one_and_not_far_from_it(shape: float) -> None:
    rng = np.random.default_rng(7)
    sample = rng.pareto(1 / shape, 500_000) if shape else rng.exponential(1, 500_000)
    largest = np.sort(sample)[-5_000:]
    tail = tails.fit(largest * 1_000)
    assert tail is not None
    true = 1_000 * ((5e5 / 0.1) ** shape - (1 if shape else 0) if shape else np.log(5e5 / 0.1))
    highest = tail.highest
    assert 0.9 * true < highest.level(0.1) < (8 if shape else 3) * true
    assert highest.expected(highest.level(0.1)) == pytest.approx(0.1)
    once = 1_000 * ((5e5**shape - 1) if shape else np.log(5e5))
    assert 0.7 < tail.expected(np.array([once]))[0] < 12


def test_long_stalls_do_not_hide_short_ones() -> None:
    values = noise()
    for at in range(3_000, COUNT - 3_000, 5_000):
        values[at : at + 150] += np.arange(150, 0, -1) * 1e6
    short = list(range(5_500, COUNT - 3_000, 20_000))
    values[short] += 3e6
    assert set(found_in(values)) == set(range(3_000, COUNT - 3_000, 5_000)) | set(short)
