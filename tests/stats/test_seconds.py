# SPDX-License-Identifier: Apache-2.0
"""The ring of seconds holds what a plain dictionary of all seconds would, for as long as it keeps them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.stats.seconds import KEPT_S, NONE_NS, STEPS_S, Seconds

PERIODS_NS = (1_000_000, 40_000_000, 300_000_000, 1_000_000_000, 7_000_000_000, 400_000_000_000)


@st.composite
def packets(draw: st.DrawFn) -> tuple[int, list[tuple[int, int, int]], list[int]]:
    """Period; number, value and loss of each packet; where the stream is cut."""
    period_ns = draw(st.sampled_from(PERIODS_NS))
    gaps = draw(st.lists(st.integers(1, 60), min_size=1, max_size=60))
    rows = [
        (seq, NONE_NS if draw(st.booleans()) else draw(st.integers(-1_000, 10**9)), draw(st.integers(0, 1)))
        for seq in np.cumsum(gaps).tolist()
    ]
    return period_ns, rows, draw(st.lists(st.integers(0, len(rows)), max_size=4))


def fed(period_ns: int, rows: list[tuple[int, int, int]], cuts: list[int]) -> Seconds:
    ring, ends = Seconds(period_ns), sorted({0, *cuts, len(rows)})
    for begin, end in pairwise(ends):
        seq, value, lost = (np.array(column, np.int64) for column in zip(*rows[begin:end], strict=True))
        ring.add(seq, value, lost)
    return ring


@settings(deadline=None)
@given(packets(), st.integers(1, 200))
def test_every_second_that_is_kept_is_right(made: tuple[int, list[tuple[int, int, int]], list[int]], most: int) -> None:
    period_ns, rows, cuts = made
    ring, truth = fed(period_ns, rows, cuts), dict[int, list[tuple[int, int]]]()
    for seq, value, lost in rows:
        truth.setdefault(seq * period_ns // 10**9, []).append((value, lost))
    last = max(truth)
    assert ring.last == last
    for number in range(last - KEPT_S + 1, last + 1):
        inside = truth.get(number, [])
        largest = max((value for value, _ in inside), default=NONE_NS)
        want = (None if largest == NONE_NS else largest, len(inside), sum(lost for _, lost in inside))
        assert ring.second(number) == want

    cells = ring.cells(most)
    assert 1 <= len(cells.sent) <= most
    assert cells.start_s % cells.cell_s == 0
    for place in range(len(cells.sent)):
        first = cells.start_s + place * cells.cell_s
        kept = [row for n in range(max(first, last - KEPT_S + 1), first + cells.cell_s) for row in truth.get(n, [])]
        assert cells.max_ns[place] == max((value for value, _ in kept), default=NONE_NS)
        assert (cells.sent[place], cells.lost[place]) == (len(kept), sum(lost for _, lost in kept))


@given(st.integers(0, 2_000), st.integers(1, 120))
def test_a_peak_is_in_the_picture_for_as_long_as_its_second_is_kept(at: int, most: int) -> None:
    """However many seconds share a cell: it is never averaged away."""
    ring = Seconds(1_000_000_000)
    seq = np.arange(2_001)
    ring.add(seq, np.where(seq == at, 5_000_000, 400_000), np.zeros(2_001, np.int64))
    cells = ring.cells(most)
    in_picture = cells.start_s <= at and at > 2_000 - KEPT_S
    assert (cells.max_ns.max() == 5_000_000) == in_picture


def test_as_many_seconds_as_there_are_if_they_fit() -> None:
    ring = Seconds(1_000_000_000)
    assert len(ring.cells(50).sent) == 0
    for seconds in (1, 50, 51, 100, 101, 599):
        ring.add(np.array([seconds - 1]), np.array([1]), np.array([0]))
        cells = ring.cells(50)
        assert cells.cell_s == next(step for step in STEPS_S if -(-seconds // step) <= 50)
        assert cells.start_s == 0


def test_memory_does_not_grow() -> None:
    """A day at 1 kHz passes through arrays of the same size."""
    ring = Seconds(1_000_000)
    for first in range(0, 86_400_000, 8_640_000):
        seq = np.arange(first, first + 8_640_000, 1_000)
        ring.add(seq, seq, np.zeros(len(seq), np.int64))
    sizes = [value.nbytes for value in vars(ring).values() if isinstance(value, np.ndarray)]
    assert sizes == [KEPT_S * 8] * 4
    assert ring.cells(600).max_ns.tolist() == [n * 1_000 for n in range(86_400 - KEPT_S, 86_400)]
