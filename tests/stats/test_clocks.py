# SPDX-License-Identifier: Apache-2.0
"""Each packet gets its clocks' offset, its bound, and whether they were to be trusted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.stats import records as rec
from latlab.stats.bins import make_bins
from latlab.stats.clock_path import clock_path
from latlab.stats.clocks import FAR_ERROR, NOT_COMPARED, ONE_CLOCK, Clocks, FromExchanges, FromReadings
from latlab.stats.records import RECORD, Records
from tests.stats.exchanges_maker import START_NS, Fault, World, make


def at(*times_ns: int) -> Records:
    records = np.zeros(len(times_ns), RECORD)
    records["seq"], records["flags"] = np.arange(len(times_ns)), rec.SENT
    records["w"] = times_ns
    return records


def readings(*rows: tuple[int, int, int]) -> FromReadings:
    time, offset, error = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return FromReadings(START_NS + time, offset, error)


def test_between_readings_the_offset_is_on_the_line_and_the_bound_holds_both() -> None:
    compared = readings((0, 10**17, 50), (1_000, 10**17 + 400, 80))
    offset, error = compared.of(at(START_NS, START_NS + 250, START_NS + 1_000))
    assert (offset - 10**17).tolist() == [0, 100, 400]
    assert error.tolist() == [480, 480, 480]


def test_before_the_first_and_after_the_last_reading_the_nearest_holds() -> None:
    offset, _ = readings((0, 5, 1), (10, 9, 1)).of(at(START_NS - 10**9, START_NS + 10**9))
    assert offset.tolist() == [5, 9]


def test_a_single_reading_holds_for_all() -> None:
    offset, error = readings((0, 7, 3)).of(at(START_NS - 5, START_NS + 5))
    assert (offset.tolist(), error.tolist()) == ([7, 7], [3, 3])


@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=20), st.data())
def test_a_clock_that_never_left_its_readings_is_inside_the_bound(offsets: list[int], data: st.DataObject) -> None:
    """Wherever it went between two of them, if not beyond either."""
    compared = readings(*((place * 100, offset, 5) for place, offset in enumerate(offsets)))
    when = data.draw(st.integers(0, 100 * (len(offsets) - 1)))
    offset, error = compared.of(at(START_NS + when))
    for truth in (offsets[when // 100], offsets[-(-when // 100)]):
        assert abs(int(offset[0]) - truth) <= int(error[0])


def test_packets_that_never_woke_are_placed_by_their_schedule() -> None:
    records = at(0)
    records["S"] = START_NS + 500
    offset, _ = readings((0, 0, 1), (1_000, 100, 1)).of(records)
    assert offset.tolist() == [50]


@pytest.mark.parametrize("clocks", [ONE_CLOCK, NOT_COMPARED])
def test_one_clock_and_no_comparison_are_zeros_and_never_suspect(clocks: Clocks) -> None:
    offset, error = clocks.of(at(START_NS, START_NS + 1))
    assert not offset.any()
    assert not error.any()
    assert not clocks.suspect(at(START_NS, START_NS + 1), error).any()
    assert clocks.compared == (clocks is ONE_CLOCK)


def test_nothing_of_nothing() -> None:
    offset, error = Clocks("exchange", readings((0, 1, 1))).of(at())
    assert (len(offset), len(error)) == (0, 0)


def test_a_packet_is_suspect_in_an_interval_by_its_number_or_by_its_bound() -> None:
    records = at(*(START_NS + place * 10 for place in range(8)))
    clocks = Clocks("ptp", readings((0, 0, 1)), [(START_NS + 10, START_NS + 20)], [(4, 4)], usual_error_ns=100)
    error = np.array([1, 1, 1, 1, 1, 1, FAR_ERROR * 100, FAR_ERROR * 100 + 1])
    assert np.flatnonzero(clocks.suspect(records, error)).tolist() == [1, 2, 4, 7]


def test_an_extra_is_never_suspect() -> None:
    records = at(START_NS, START_NS)
    records["flags"][1] = rec.LATE
    clocks = Clocks("ptp", readings((0, 0, 1)), [(START_NS, START_NS)])
    assert clocks.suspect(records, np.zeros(2, np.int64)).tolist() == [True, False]


def test_when_the_sender_s_clock_was_set_back_only_packets_of_that_moment_are_suspect() -> None:
    made = make(World(count=10_000, faults=(Fault("sender-step", 5.03, 0, -3.6e12),)))
    path = clock_path(make_bins(made.chunks(), 100, 1_000_000))
    assert path is not None
    clocks = Clocks("exchange", FromExchanges(path), (), path.moving, int(np.median(path.error_ns)))
    suspect = made.records["seq"][clocks.suspect(made.records, clocks.of(made.records)[1])]
    assert suspect.min() >= 4_700
    assert suspect.max() < 5_400
    assert 5_030 in suspect
