# SPDX-License-Identifier: Apache-2.0
"""Over several runs, the run is the unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.stats.across import across, quantiles_across
from latlab.stats.stamps import ONE_KERNEL
from latlab.stats.summary import Summary, summarise
from tests.samples_maker import exchanges


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
def test_median_and_extremes_are_those_of_numpy(values: list[float]) -> None:
    found = across(values)
    assert (found.n, found.least, found.most) == (len(values), min(values), max(values))
    assert found.median == pytest.approx(float(np.median(values)))
    if found.low is not None and found.high is not None:
        assert found.least <= found.low <= found.median <= found.high <= found.most


def test_fewer_than_six_runs_have_a_median_and_no_interval() -> None:
    five, six = across([3, 1, 4, 1, 5]), across([3, 1, 4, 1, 5, 9])
    assert (five.median, five.low, five.high) == (3, None, None)
    assert (six.low, six.high) == (1, 9)
    assert across([2, 4]).spread == pytest.approx(2 / 3)
    assert across([0]).spread is None
    with pytest.raises(ValueError, match="no runs"):
        across([])


def test_the_interval_of_the_median_holds_it_at_least_95_percent_of_the_time() -> None:
    rng = np.random.default_rng(11)
    for n in (6, 7, 10, 25):
        found = [across(rng.normal(0, 1, n).tolist()) for _ in range(2_000)]
        inside = np.mean([one.low is not None and one.high is not None and one.low <= 0 <= one.high for one in found])
        assert inside >= 0.94


def test_a_quantile_that_one_run_lacks_is_not_told_of_all() -> None:
    runs = []
    for count in (50, 150, 250):
        result = summarise([exchanges(count, extra_ns=10)], "up", ONE_KERNEL).metrics["round_trip"]
        assert isinstance(result, Summary)
        runs.append(result)
    found = quantiles_across(runs)
    assert found["p90"] is None
    middle = found["p50"]
    assert middle is not None
    assert [middle.least, middle.median, middle.most] == [run.quantiles_ns["p50"] for run in runs]
