# SPDX-License-Identifier: Apache-2.0
"""The shortest path stays in its tube, and there is no shorter one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from latlab.stats.tube import Floats, shortest_path

FINE = 1e-9


@st.composite
def tubes(draw: st.DrawFn, most: int = 20) -> tuple[Floats, Floats, Floats]:
    count = draw(st.integers(1, most))
    gaps = draw(st.lists(st.floats(0.01, 10), min_size=count, max_size=count))
    low = draw(st.lists(st.floats(-100, 100), min_size=count, max_size=count))
    width = draw(st.lists(st.sampled_from([0.0, 0.1, 1.0, 30.0, 300.0]), min_size=count, max_size=count))
    return np.cumsum(gaps), np.array(low), np.array(low) + np.array(width)


def length(time: Floats, path: npt.NDArray[np.float64]) -> float:
    return float(np.hypot(np.diff(time), np.diff(path)).sum())


@settings(deadline=None, derandomize=True, max_examples=100)
@given(tubes())
def test_it_stays_in_the_tube(tube: tuple[Floats, Floats, Floats]) -> None:
    time, low, high = tube
    path = shortest_path(time, low, high)
    assert (path >= low - 1e-6).all()
    assert (path <= high + 1e-6).all()


@settings(deadline=None, derandomize=True, max_examples=30)
@given(tubes(most=9))
def test_no_optimiser_finds_a_shorter_one(tube: tuple[Floats, Floats, Floats]) -> None:
    time, low, high = tube
    path = shortest_path(time, low, high)
    found = minimize(
        lambda values: length(time, values),
        (low + high) / 2,
        bounds=list(zip(low, high, strict=True)),
        method="L-BFGS-B",
    )
    assert length(time, path) <= float(found.fun) * (1 + 1e-6) + FINE


@settings(deadline=None, derandomize=True, max_examples=40)
@given(tubes(), st.floats(-1e3, 1e3))
def test_a_tube_that_is_higher_has_the_same_path_there(tube: tuple[Floats, Floats, Floats], height: float) -> None:
    time, low, high = tube
    shifted = shortest_path(time, low + height, high + height) - height
    assert length(time, shifted) == pytest.approx(length(time, shortest_path(time, low, high)), rel=1e-6)


def test_what_a_level_line_passes_is_level() -> None:
    time = np.arange(50.0)
    low = np.sin(time) - 2
    assert np.ptp(shortest_path(time, low, low + 4)) == 0


def test_a_wide_place_in_a_straight_tube_does_not_bend_it() -> None:
    """A lasting delay in one direction widens the tube to one side only."""
    time = np.arange(100.0)
    low, high = np.full(100, -1.0), np.full(100, 1.0)
    high[40:60] = 500.0
    assert np.ptp(shortest_path(time, low, high)) == 0


def test_a_step_bends_it_where_it_is() -> None:
    time = np.arange(100.0)
    level = np.where(time >= 50, 10.0, 0.0)
    path = shortest_path(time, level - 1, level + 1)
    assert path[:50] == pytest.approx(1.0)
    assert path[50:] == pytest.approx(9.0)


def test_none_and_one() -> None:
    none = np.empty(0)
    assert len(shortest_path(none, none, none)) == 0
    assert shortest_path(np.zeros(1), np.array([2.0]), np.array([4.0])) == pytest.approx(3.0)


def test_it_takes_as_many_steps_as_there_are_bounds() -> None:
    """Deep chains, as clocks that wander make them: no recursion, and each point is pushed and popped once."""
    time = np.arange(200_000.0)
    bow = np.square(time / 1e5 - 1) * 1e6
    path = shortest_path(time, bow - 1, bow + 1)
    assert np.abs(path - bow).max() <= 1 + 1e-6
