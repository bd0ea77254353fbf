# SPDX-License-Identifier: Apache-2.0
"""The course of a run holds every extreme of its samples, however they were cut into chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from latlab.report.page.reduce import MOST_BINS, NONE_LOW, ROWS_PER_OCTAVE, Course, metrics_of, reduced, tail
from latlab.stats.columns import Columns
from latlab.stats.quantiles import Distribution
from latlab.stats.records import CLOCK_SUSPECT, Records
from latlab.stats.values import metric_values
from latlab.stats.ways import ABSENT, Times
from tests.stats.exchanges_maker import Fault, World, make

WAYS = metrics_of("down", ("round_trip", "up", "down"))
WORLD = World(count=5_000, heavy=0.01, offset_ns=5_000, drop=0.01, faults=(Fault("loss", 1.0, 0.5, 0.5),), seed=4)


def course_of(records: Records, pieces: int = 1) -> Course:
    def chunks() -> Iterator[tuple[Columns, Times, Times]]:
        for part in np.array_split(records, pieces):
            yield Columns.of(part), np.full(len(part), 5_000, np.int64), np.full(len(part), 40, np.int64)

    return reduced(chunks(), WAYS, "down", len(records), 1_000_000, 5_000)


def test_every_extreme_is_in_the_envelope() -> None:
    records = make(WORLD).records
    course = course_of(records)
    assert course.bins == MOST_BINS
    for key, metric in zip(("round_trip", "down", "up"), WAYS, strict=True):
        values, way = metric_values(records, metric, 5_000), course.ways[key]
        there = way.low_ns != NONE_LOW
        assert way.low_ns[there].min() == values.min()
        assert way.high_ns[there].max() == values.max()
        assert way.heat.sum() == len(values) == way.distribution.moments.n
        place = int(np.argmax(way.high_ns))
        first, last = place * len(records) // MOST_BINS, (place + 1) * len(records) // MOST_BINS + 1
        assert values.max() in metric_values(records[first : last + 1], metric, 5_000)


def test_losses_and_suspect_packets_are_counted_where_they_were() -> None:
    records = make(WORLD).records.copy()
    records["flags"][100:120] |= CLOCK_SUSPECT
    course = course_of(records)
    lost = records["flags"] & 2 == 0
    assert course.lost.sum() == lost.sum() > 100
    during = slice(1_000 * MOST_BINS // 5_000, 1_500 * MOST_BINS // 5_000)
    assert course.lost[during].sum() > 0.8 * lost.sum()
    assert course.suspect.sum() == 20
    assert course.suspect[: 120 * MOST_BINS // 5_000 + 1].sum() == 20


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 40))
def test_the_chunks_do_not_matter(pieces: int) -> None:
    records = make(WORLD).records
    whole, cut = course_of(records), course_of(records, pieces)
    for key, way in whole.ways.items():
        other = cut.ways[key]
        assert (way.low_ns == other.low_ns).all()
        assert (way.high_ns == other.high_ns).all()
        assert (way.heat == other.heat).all()
    assert (whole.lost == cut.lost).all()


def test_the_clocks_are_drawn_less_their_mean_rate() -> None:
    made = make(World(count=2_000, offset_ns=7_000, skew_ppb=50_000))
    part = (Columns.of(made.records), made.offset_ns, np.full(2_000, 30, np.int64))
    course = reduced([part], WAYS, "down", 2_000, 1_000_000, 7_000, 50_000)
    assert np.abs(course.offset_low_ns).max() < 1_000  # 100 us of drift are gone
    assert (course.error_ns[course.error_ns != 0] == 30).all()


def test_few_packets_have_a_bin_each() -> None:
    course = course_of(make(World(count=7)).records)
    assert (course.bins, course.columns, course.per_column) == (7, 7, 1)


def test_rows_of_the_histogram_are_eighths_of_octaves() -> None:
    records = make(World(count=10)).records.copy()
    records["a2"] = records["w"] + 1_000_000
    way = course_of(records).ways["round_trip"]
    (row,) = np.flatnonzero(way.heat.any(axis=0))
    assert 2 ** (row / ROWS_PER_OCTAVE) <= 1_000_000 < 2 ** ((row + 1) / ROWS_PER_OCTAVE)


def distribution(values: list[int]) -> Distribution:
    made = Distribution()
    made.add(np.array(values, np.int64))
    return made


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=300))
def test_a_curve_rises_from_the_smallest_within_its_band(values: list[int]) -> None:
    found = tail(distribution(values), 12)
    assert found.values_ns[0] == min(values)
    assert (np.diff(found.values_ns) >= 0).all()
    known = found.high_ns != ABSENT
    assert (known == (found.low_ns != ABSENT)).all()
    assert (found.low_ns[known] <= found.values_ns[known]).all()
    assert (found.high_ns[known] >= found.values_ns[known]).all()
    beyond = [sum(v > x for v in values) / len(values) for x in found.values_ns.tolist()]
    assert all(b <= 10 ** (-i / 12) + 1e-12 for i, b in enumerate(beyond))


@pytest.mark.parametrize("n", [100, 1_000, 20_000])
def test_the_band_holds_95_percent_and_goes_no_further_than_it_can(n: int) -> None:
    """Of ranks 1 to n: a band's ends are ranks themselves, and the binomial distribution says what they hold. With so
    few ranks to choose from, that is not 95 % to the digit."""
    found = tail(distribution(list(range(1, n + 1))), 12)
    for i, (low, high) in enumerate(zip(found.low_ns.tolist(), found.high_ns.tolist(), strict=True)):
        q = 1 - 10 ** (-i / 12)
        if high != ABSENT:
            assert binom.cdf(high - 1, n, q) - binom.cdf(low - 1, n, q) >= 0.93
    assert found.high_ns[-1] == ABSENT  # one sample beyond bounds nothing
    assert (found.high_ns != ABSENT).sum() > len(found.high_ns) / 2
