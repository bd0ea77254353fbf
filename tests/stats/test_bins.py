# SPDX-License-Identifier: Apache-2.0
"""Bins hold what their packets say, whatever the chunks, and no more memory than that."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.stats import records as rec
from latlab.stats.bins import FEW_BINS, MIN_PACKETS, MOST_BINS, Bins, make_bins, packets_of_bin, stretches
from latlab.stats.records import RECORD, Records
from latlab.stats.ways import ABSENT, ways
from tests.stats.exchanges_maker import START_NS, Fault, World, lose, make

PERIOD = 1_000_000
MESSY = World(
    count=3_000,
    offset_ns=-3 * 10**17,
    skew_ppb=-300_000,
    drop=0.05,
    heavy=0.02,
    faults=(Fault("duplication", 0.5, 2, 0.2), Fault("late-replies", 1, 1, 0.2), Fault("reordering", 0.1, 2, 0.1)),
)


def same(one: Bins, other: Bins) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Bins))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.integers(1, 3_500), max_size=12))
def test_chunk_boundaries_do_not_matter(cuts: list[int]) -> None:
    stream = make(MESSY).stream()
    whole = make_bins([stream], 100, PERIOD)
    pieces = np.split(stream, sorted(min(cut, len(stream)) for cut in cuts))
    assert same(make_bins(pieces, 100, PERIOD), whole)


def test_a_bin_counts_what_became_of_its_packets() -> None:
    made = make(MESSY)
    bins = make_bins(made.chunks(), 100, PERIOD)
    flags = made.records["flags"]
    extras = int((made.extras["flags"] & rec.DUPLICATED != 0).sum())
    assert extras > 50
    assert bins.sent.sum() == 3_000
    assert bins.lost.sum() == (flags & rec.REPLIED == 0).sum()
    assert bins.duplicated.sum() == (flags & rec.DUPLICATED != 0).sum() + extras
    assert bins.reordered.sum() == (flags & rec.REORDERED != 0).sum()
    assert bins.duplicated[:4].sum() == 0  # an extra belongs to its packet's bin, not to where it came
    assert np.array_equal(bins.first_seq, np.arange(0, 3_000, 100))


def test_a_bin_has_the_smallest_and_the_lower_quartile_of_both_ways() -> None:
    made = make(World(count=1_000))
    found, bins = ways(made.records), make_bins(made.chunks(), 100, PERIOD)
    assert bins.drift == pytest.approx(0, abs=1e-4)
    for row in range(10):
        part = slice(100 * row, 100 * row + 100)
        slack = abs(bins.drift) * 100 * PERIOD + 1
        for values, least, quartile, sign in (
            (found.forward_ns[part], bins.forward_min_ns[row], bins.forward_ns[row], 1),
            (found.back_ns[part], bins.back_min_ns[row], bins.back_ns[row], -1),
        ):
            assert least + sign * bins.base_ns == pytest.approx(values.min(), abs=slack)
            assert quartile + sign * bins.base_ns == pytest.approx(np.sort(values)[24], abs=slack)


@pytest.mark.parametrize(("count", "period_ns"), [(3_000, 10**6), (300, 60 * 10**9)])
def test_clocks_that_drift_apart_do_not_blur_a_bin(count: int, period_ns: int) -> None:
    """500 ppm are 240 ms in a bin of eight packets a minute apart; the ways take a third of a millisecond."""
    packets = packets_of_bin(period_ns, count)
    still, drifting = (
        make_bins(make(World(count=count, period_ns=period_ns, skew_ppb=skew)).chunks(), packets, period_ns)
        for skew in (0.0, 500_000.0)
    )
    assert drifting.drift == pytest.approx(500e-6, abs=2e-5)
    rise = [way.forward_ns + way.back_ns for way in (still, drifting)]
    assert np.abs(rise[0] - rise[1]).max() < 60_000


def test_the_beginning_s_drift_is_not_taken_from_a_step() -> None:
    made = make(World(count=2_000, faults=(Fault("step", 0.8, 0, 3.6e12),)))
    assert abs(make_bins(made.chunks(), 100, PERIOD).drift) < 1e-4


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 10**11), st.integers(0, 10**9))
def test_a_bin_is_neither_tiny_nor_are_there_too_many(period_ns: int, count: int) -> None:
    packets = packets_of_bin(period_ns, count)
    assert packets >= MIN_PACKETS
    assert count <= packets * MOST_BINS
    if count >= FEW_BINS * MIN_PACKETS:
        assert count // packets >= FEW_BINS


def test_a_short_run_still_has_bins() -> None:
    assert packets_of_bin(PERIOD, 1_000) == 62
    assert packets_of_bin(PERIOD) == 100


def test_no_record_no_bin() -> None:
    assert len(make_bins([], 100, PERIOD)) == 0
    only_extras = np.zeros(3, RECORD)
    only_extras["flags"] = rec.DUPLICATED
    assert len(make_bins([np.empty(0, RECORD), only_extras], 100, PERIOD)) == 0


def test_what_was_not_stamped_is_absent() -> None:
    records = make(World(count=300)).records
    lose(records, np.arange(300) >= 100)
    bins = make_bins([records], 100, PERIOD)
    assert bins.both.tolist() == [True, False, False]
    assert (bins.forward_ns[1:] == ABSENT).all()
    assert (bins.back_min_ns[1:] == ABSENT).all()


def test_without_driver_stamps_the_application_s_serve() -> None:
    records = make(World(count=300)).records
    for name in ("t", "r2"):
        records[name] = 0
    found = ways(records)
    assert np.array_equal(found.forward_ns, records["r"] - records["w"])
    assert np.array_equal(found.back_ns, records["a2"] - records["t2"])
    assert np.array_equal(found.sent_ns, records["w"])


def test_packets_without_a_record_leave_a_gap_and_no_confusion() -> None:
    stream = make(World(count=3_000)).records
    kept = stream[(stream["seq"] < 450) | (stream["seq"] >= 1_270)]
    bins = make_bins([kept], 100, PERIOD)
    assert bins.first_seq.tolist() == [*range(0, 500, 100), *range(1_200, 3_000, 100)]
    assert bins.index(np.array([0, 449, 1_270, 2_999])).tolist() == [0, 4, 5, 22]


def test_only_bins_stay_in_memory() -> None:
    """However long the run: 80 bytes for a bin, and its share of what joining them takes."""
    records = make(World(count=5_000)).records

    def peak_bytes(pieces: int) -> int:
        def chunks() -> Iterator[Records]:
            for number in range(pieces):
                piece = records.copy()
                piece["seq"] += np.uint64(number * len(records))
                yield piece

        tracemalloc.start()
        try:
            assert len(make_bins(chunks(), 100, PERIOD)) == 50 * pieces
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak_bytes(10), peak_bytes(60)
    assert many - few < 50 * 50 * 80 * 4


def test_times_are_those_of_the_middle_packet() -> None:
    bins = make_bins(make(World(count=1_000)).chunks(), 100, PERIOD)
    middle = START_NS + (bins.first_seq + 50) * PERIOD
    assert (np.abs(bins.time_ns - middle) < 100_000).all()


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 4))
def test_stretches_cover_what_is_chosen_and_are_apart(chosen: list[bool], gap: int) -> None:
    found = stretches(np.array(chosen, bool), gap)
    covered = {place for first, last in found for place in range(first, last + 1)}
    assert covered >= {place for place, flag in enumerate(chosen) if flag}
    assert all(chosen[first] and chosen[last] for first, last in found)
    for (_, last), (first, _) in itertools.pairwise(found):
        assert first - last > gap + 1
