# SPDX-License-Identifier: Apache-2.0
"""A 95 % interval holds the true quantile 95 % of the time: by the binomial, and in simulation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, lognorm

from latlab.stats.intervals import interval_ranks, sure_ranks
from latlab.stats.quantiles import MIN_BEYOND, Distribution, rank
from latlab.stats.summary import QUANTILES

SIZES = st.integers(1, 20_000)
SHARES = st.integers(1, 9_999).map(lambda n: Fraction(n, 10_000))


@given(SIZES, SHARES)
def test_sure_ranks_are_those_of_scipys_binomial(n: int, q: Fraction) -> None:
    (ranks,) = sure_ranks(n, [q])
    low, high = int(binom.ppf(0.025, n, float(q))), int(binom.ppf(0.975, n, float(q))) + 1
    # At a step of the binomial, where rounding decides, scipy may be one off.
    if ranks is None:
        assert low <= 1 or high >= n
    else:
        assert abs(ranks[0] - low) <= 1
        assert abs(ranks[1] - high) <= 1
        assert binom.cdf(ranks[0] - 1, n, float(q)) <= 0.025 + 1e-9
        assert binom.sf(ranks[1] - 1, n, float(q)) <= 0.025 + 1e-9


@given(SIZES, st.sampled_from(list(QUANTILES.values())))
def test_the_coverage_of_a_supported_quantile_is_nearly_95_percent(n: int, q: Fraction) -> None:
    if n - rank(n, q) < MIN_BEYOND:
        return
    (ranks,) = interval_ranks(n, [q])
    assert ranks is not None
    assert 1 <= ranks[0] <= rank(n, q) <= ranks[1] <= n
    covered = binom.cdf(ranks[1] - 1, n, float(q)) - binom.cdf(ranks[0] - 1, n, float(q))
    assert 0.935 <= covered <= 0.965


@pytest.mark.parametrize("n", [10**6, 10**8])
def test_many_samples_have_the_interval_of_the_normal_distribution(n: int) -> None:
    for q, ranks in zip(QUANTILES.values(), interval_ranks(n, list(QUANTILES.values())), strict=True):
        if n - rank(n, q) < 1_000:
            continue
        assert ranks is not None
        half = 1.959964 * float(n * q * (1 - q)) ** 0.5
        assert ranks[0] == pytest.approx(float(n * q) - half, abs=3)
        assert ranks[1] == pytest.approx(float(n * q) + half, abs=3)


def test_too_few_samples_have_no_interval() -> None:
    assert sure_ranks(5, [Fraction(1, 2)]) == [None]
    assert sure_ranks(6, [Fraction(1, 2)]) == [(1, 6)]
    assert interval_ranks(0, [Fraction(1, 2)]) == [None]
    assert interval_ranks(100, [Fraction(999, 1000), Fraction(1, 2)])[0] is None


@pytest.mark.parametrize(
    ("n", "q", "exact_limit"),
    [(20, "p50", 20), (150, "p90", 150), (1_000, "p99", 1_000), (1_000, "p50", 0), (1_000, "p99", 0)],
)
def test_in_simulation_the_true_quantile_is_inside_95_percent_of_the_time(n: int, q: str, exact_limit: int) -> None:
    share, rng, repeats = QUANTILES[q], np.random.default_rng(7), 2_000
    truth = float(lognorm.ppf(float(share), 0.8, scale=400_000))
    inside = 0
    for _ in range(repeats):
        distribution = Distribution(exact_limit)
        distribution.add(rng.lognormal(np.log(400_000), 0.8, n).astype(np.int64))
        (interval,) = distribution.intervals([share])
        assert interval is not None
        inside += interval[0] <= truth <= interval[1]
    assert 0.93 <= inside / repeats <= 0.97
