# SPDX-License-Identifier: Apache-2.0
"""Periods of events: those of a timer with their phase and members, those of what rests in between; none of chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.stats.shapes.beats import Covered, find_beat

SECONDS = 905.0


def covered(seconds: float = SECONDS, without: tuple[float, float] = (0.0, 0.0)) -> Covered:
    there = np.ones(int(seconds), bool)
    there[int(without[0]) : int(without[1])] = False
    return Covered(1.0, there)


@settings(max_examples=25, deadline=None)
@given(
    period=st.floats(18, 75), phase=st.floats(0, 1), jitter=st.floats(1e-5, 0.01), missing=st.sampled_from([0.0, 0.15]),
    extra=st.integers(0, 8), seed=st.integers(0, 1_000),
)  # fmt: skip
def test_a_timer_is_found_with_its_phase_and_its_members(
    period: float, phase: float, jitter: float, missing: float, extra: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    beats = np.arange(phase * period, SECONDS, period)
    due = beats + rng.normal(0, jitter * period, len(beats))
    kept = rng.random(len(beats)) >= missing
    kept[:2] = kept[-2:] = True
    others = rng.uniform(0, SECONDS, extra)
    time = np.concatenate([due[kept], others])
    mine = np.concatenate([np.ones(kept.sum(), bool), np.zeros(extra, bool)])
    order = np.argsort(time)
    found = find_beat(time[order], covered())
    assert found is not None
    if found.kind == "timer":  # with 15 events, rests may fit as well
        assert found.period_s == pytest.approx(period, rel=0.003)
        away = (found.first_s - beats[0]) / period
        assert abs(away - round(away)) < 0.06
        named = set(found.members.tolist())
        true = set(np.flatnonzero(mine[order]).tolist())
        assert len(named & true) >= 0.9 * len(true)


def test_each_so_long_after_the_last_is_told_from_a_timer() -> None:
    rng = np.random.default_rng(4)
    time = np.cumsum(rng.uniform(20, 25, 40))
    found = find_beat(time[time < SECONDS], covered())
    assert found is not None
    assert found.kind == "rest"
    assert found.period_s == pytest.approx(22.5, abs=1)
    assert found.width_s < 4


def test_chance_has_no_period() -> None:
    rng = np.random.default_rng(5)
    found = [find_beat(np.sort(rng.uniform(0, SECONDS, rng.integers(5, 80))), covered()) for _ in range(120)]
    assert sum(beat is not None for beat in found) == 0


def test_events_in_clumps_have_no_period() -> None:
    rng = np.random.default_rng(6)
    for _ in range(40):
        centres = rng.uniform(0, SECONDS, 6)
        time = np.sort(np.concatenate([centre + rng.exponential(4, 12) for centre in centres]))
        assert find_beat(time[time < SECONDS], covered()) is None


def test_beats_in_a_gap_are_not_missed() -> None:
    time = np.arange(3.0, SECONDS, 20.0)
    there = (time < 300) | (time > 600)
    found = find_beat(time[there], covered(without=(299, 601)))
    assert found is not None
    assert (found.kind, found.occupied) == ("timer", found.beats)
    assert found.beats == there.sum()


def test_the_slowest_period_that_fits_is_told_and_not_a_half_of_it() -> None:
    found = find_beat(np.arange(5.0, SECONDS, 60.0), covered())
    assert found is not None
    assert found.period_s == pytest.approx(60)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_few_events_have_no_period(count: int) -> None:
    assert find_beat(np.arange(count, dtype=np.float64) * 60, covered()) is None
