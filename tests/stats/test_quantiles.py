# SPDX-License-Identifier: Apache-2.0
"""Quantiles and moments agree with numpy for any integers, exactly or within the stated error, in any chunks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latlab.stats.quantiles import HISTOGRAM_RELATIVE_ERROR, Distribution, Histogram, Moments, rank

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
LATENCIES = st.integers(min_value=-(10**15), max_value=10**15)
QUANTILE = st.integers(min_value=1, max_value=1_000_000).map(lambda n: Fraction(n, 1_000_000))


def array(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def nearest_rank(values: list[int], q: Fraction) -> int:
    return sorted(values)[rank(len(values), q) - 1]


@given(st.lists(LATENCIES, min_size=1), QUANTILE, st.integers(1, 7))
def test_exact_quantiles_are_nearest_rank_in_any_chunks(values: list[int], q: Fraction, pieces: int) -> None:
    distribution = Distribution()
    for piece in np.array_split(array(values), pieces):
        distribution.add(piece)
    assert distribution.exact
    assert distribution.quantiles([q]) == [nearest_rank(values, q)]


@pytest.mark.parametrize("q", [Fraction(1, 2), Fraction(9, 10), Fraction(99, 100), Fraction(999, 1000)])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 19, 20, 999, 1000, 1001])
def test_exact_quantiles_are_those_of_numpy(n: int, q: Fraction) -> None:
    values = np.random.default_rng(n).integers(0, 10**9, n)
    distribution = Distribution()
    distribution.add(values)
    expected = np.quantile(values, float(q), method="inverted_cdf")
    assert distribution.quantiles([q]) == [int(expected)]


@given(st.lists(INT64, min_size=1, max_size=60), QUANTILE)
@example([2**63 - 1], Fraction(1))
@example([-(2**63)], Fraction(1))
@example([2**53 - 1, 2**53, 2**54 - 1, 2**62 + 1], Fraction(1, 2))
def test_a_histogram_is_within_its_error_for_every_int64(values: list[int], q: Fraction) -> None:
    histogram = Histogram()
    histogram.add(array(values))
    exact = nearest_rank(values, q)
    assert abs(histogram.ranked([rank(histogram.n, q)])[0] - exact) <= max(abs(exact) * HISTOGRAM_RELATIVE_ERROR, 0)


@given(st.lists(st.integers(-2048, 2047), min_size=1), QUANTILE)
def test_a_histogram_is_exact_for_small_magnitudes(values: list[int], q: Fraction) -> None:
    histogram = Histogram()
    histogram.add(array(values))
    assert histogram.ranked([rank(histogram.n, q)])[0] == nearest_rank(values, q)


@given(st.lists(INT64), st.lists(INT64, min_size=1), QUANTILE)
def test_merged_histograms_are_the_histogram_of_all(left: list[int], right: list[int], q: Fraction) -> None:
    whole, one, two = Histogram(), Histogram(), Histogram()
    whole.add(array(left + right))
    one.add(array(left))
    two.add(array(right))
    one.merge(two)
    assert one.n == whole.n
    assert one.ranked([rank(one.n, q)]) == whole.ranked([rank(whole.n, q)])


@given(st.lists(LATENCIES, min_size=2), st.integers(1, 7))
def test_moments_are_those_of_numpy_in_any_chunks(values: list[int], pieces: int) -> None:
    moments = Moments()
    for piece in np.array_split(array(values), pieces):
        moments.add(piece)
    as_float = array(values).astype(np.float64)
    spread = max(1.0, float(np.abs(as_float).max()))
    assert (moments.n, moments.min, moments.max) == (len(values), min(values), max(values))
    assert moments.mean == pytest.approx(as_float.mean(), abs=1e-9 * spread)
    assert moments.stddev == pytest.approx(as_float.std(ddof=1), rel=1e-9, abs=1e-7 * spread)


def test_one_value_has_no_standard_deviation() -> None:
    moments = Moments()
    moments.add(array([7]))
    assert moments.stddev is None


def test_many_values_go_over_to_a_histogram_and_stay_within_its_error() -> None:
    values = np.random.default_rng(5).lognormal(12, 1.5, 200_000).astype(np.int64)
    distribution = Distribution(exact_limit=50_000)
    for piece in np.array_split(values, 13):
        distribution.add(piece)
    assert not distribution.exact
    wanted = [Fraction(1, 2), Fraction(999, 1000), Fraction(1)]
    for q, found in zip(wanted, distribution.quantiles(wanted), strict=True):
        exact = int(np.quantile(values, float(q), method="inverted_cdf"))
        assert abs(found - exact) <= 0.001 * exact
    assert distribution.quantiles([Fraction(1)])[0] <= int(values.max())


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        Distribution().quantiles([Fraction(1, 2)])
    with pytest.raises(ValueError, match="no values"):
        Histogram().ranked([1])


@given(
    st.lists(st.lists(LATENCIES, max_size=20), min_size=1, max_size=6),
    st.integers(0, 60),
    st.lists(st.booleans(), min_size=6, max_size=6),
    QUANTILE,
)
def test_merged_distributions_are_the_one_of_all(
    parts: list[list[int]], limit: int, rough: list[bool], q: Fraction
) -> None:
    whole, total = Distribution(limit), Distribution(limit)
    for values, histogram in zip(parts, rough, strict=False):
        part = Distribution(0 if histogram else limit)
        part.add(array(values))
        total.merge(part)
        whole.add(array(values))
    everything = [value for values in parts for value in values]
    assert (total.n, total.moments.min, total.moments.max) == (whole.n, whole.moments.min, whole.moments.max)
    if not everything:
        return
    exact = nearest_rank(everything, q)
    assert abs(total.quantiles([q])[0] - exact) <= abs(exact) * HISTOGRAM_RELATIVE_ERROR
    if total.exact:
        assert total.quantiles([q]) == [exact]
    if not whole.exact:
        assert total.quantiles([q]) == whole.quantiles([q])
    assert total.copy().quantiles([q]) == total.quantiles([q])


@given(st.lists(LATENCIES, min_size=1, max_size=400), st.integers(1, 40), st.sampled_from([0, 10**6]))
def test_a_curve_is_the_complementary_distribution(values: list[int], points: int, limit: int) -> None:
    distribution = Distribution(limit)
    distribution.add(array(values))
    curve, n = distribution.curve(points), len(values)
    assert len(curve) <= points
    assert (len(curve) > 0) == (n > 20)
    ordered = np.sort(array(values))
    for value, beyond, low, high in zip(curve.values_ns, curve.beyond, curve.low_ns, curve.high_ns, strict=True):
        at = n - round(beyond * n)
        assert 10 <= at <= n - 10
        assert abs(value - ordered[at - 1]) <= abs(ordered[at - 1]) * HISTOGRAM_RELATIVE_ERROR
        assert low <= value <= high
    assert (np.diff(curve.beyond) < 0).all()
    assert (np.diff(curve.values_ns) >= 0).all()


def test_a_curve_reaches_from_the_first_ten_samples_to_the_last_ten_evenly_on_a_log_scale() -> None:
    distribution = Distribution()
    distribution.add(np.random.default_rng(3).permutation(100_000))
    curve = distribution.curve(40)
    assert len(curve) == 40
    assert curve.beyond[[0, -1]].tolist() == [0.9999, 0.0001]
    assert curve.values_ns[[0, -1]].tolist() == [9, 99_989]
    steps = np.diff(np.log(curve.beyond[:-8]))  # further out, whole samples are far apart
    assert steps == pytest.approx(np.full(len(steps), steps[0]), rel=0.1)
