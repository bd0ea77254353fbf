# SPDX-License-Identifier: Apache-2.0
"""Columns say the same as the array of records that they are of, however they are cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from latlab.stats import records as rec
from latlab.stats.columns import Columns, without
from latlab.stats.records import RECORD, Records
from tests.samples_maker import exchanges, lose

MASKS = st.lists(st.booleans(), min_size=40, max_size=40).map(np.array)
SLICES = st.builds(slice, st.integers(-50, 50), st.integers(-50, 50), st.sampled_from([1, 2, 7]))


def some() -> Records:
    records = exchanges(40, extra_ns=3)
    lose(records, 5)
    records["flags"][11] = rec.SEND_FAILED
    records["t"][20:23] = 0
    return records


@given(st.lists(st.one_of(MASKS, SLICES), max_size=3))
def test_any_cut_is_that_of_the_records(cuts: list[np.ndarray | slice]) -> None:
    records = some()
    columns = Columns.of(records)
    for cut in cuts:
        rows = cut if isinstance(cut, slice) else cut[: len(records)]
        records, columns = records[rows], columns[rows]
    assert len(columns) == len(records)
    for name in RECORD.names or ():
        assert columns[name].tolist() == records[name].tolist()
    assert columns.records().tobytes() == records.tobytes()
    assert columns.seq.tolist() == records["seq"].tolist()
    for name in ("w", "t", "T", "r", "a2"):
        assert columns.absent(name).tolist() == np.flatnonzero(records[name] == 0).tolist()
        assert columns.whole(name) == bool((records[name] != 0).all())
        assert columns.none(name) == bool((records[name] == 0).all())
    for mask in (rec.SENT, rec.OWN, rec.REPLIED):
        having = columns.having(mask)
        assert having.records().tobytes() == records[records["flags"] & mask != 0].tobytes()
    assert b"".join(piece.records().tobytes() for piece in columns.pieces(7)) == records.tobytes()


def test_all_rows_are_no_copy() -> None:
    columns = Columns.of(some())
    assert columns[:] is columns
    assert columns[np.ones(40, bool)] is columns
    assert Columns.of(columns) is columns
    assert columns[::-1]["seq"].tolist() == list(range(39, -1, -1))


@given(st.integers(0, 3_000), st.sets(st.integers(0, 2_999), max_size=12))
def test_without_leaves_out_these_places(count: int, places: set[int]) -> None:
    values = np.arange(count)
    out = np.array(sorted(place for place in places if place < count), np.intp)
    assert without(values, out).tolist() == np.delete(values, out).tolist()


def test_a_column_that_is_nowhere_is_zero() -> None:
    columns = Columns.held(3, {"seq": np.arange(3, dtype=np.uint64), "flags": np.ones(3, np.uint32)})
    assert columns["w"].tolist() == [0, 0, 0]
    assert columns.none("w")
    assert columns[1:]["a2"].tolist() == [0, 0]
    assert columns.records()["seq"].tolist() == [0, 1, 2]
