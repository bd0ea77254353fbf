# SPDX-License-Identifier: Apache-2.0
"""Rows as text, CSV and JSON: any value, any text, and no more memory than a piece."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from latlab.report.rows import MOST_SHOWN, as_csv, as_json, as_text, plain

VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20))


def test_a_table_puts_numbers_right_and_texts_left() -> None:
    rows = [("tap", 12, None, 1.5), ("macvtap", 3, "x", math.nan)]
    text = "".join(as_text(["name", "n", "s", "f"], ["VARCHAR", "BIGINT", "VARCHAR", "DOUBLE"], [rows[:1], rows[1:]]))
    assert text == " name      n  s    f\n tap      12  -  1.5\n macvtap   3  x  nan\n"


def test_a_table_has_no_control_characters_and_no_endless_cells() -> None:
    text = "".join(as_text(["a\x1b[31m"], ["VARCHAR"], [[("\x1b[2J\nx" + "y" * 99,)]]))
    assert "\x1b" not in text
    assert text.count("\n") == 2
    assert max(map(len, text.splitlines())) <= 61


def test_a_table_of_many_rows_stops_asking() -> None:
    asked = []

    def endless() -> Iterator[list[tuple[int]]]:
        number = 0
        while True:
            asked.append(number)
            yield [(number,)] * 300
            number += 1

    lines = list(as_text(["n"], ["BIGINT"], endless()))
    assert len(lines) == MOST_SHOWN + 2
    assert "--csv and --json have them all" in lines[-1]
    assert len(asked) == 4


@given(st.lists(st.tuples(VALUES, VALUES), max_size=9))
def test_csv_is_read_again_as_it_was(rows: list[tuple[Any, Any]]) -> None:
    text = "".join(as_csv(["a", "b"], [rows[:3], rows[3:]]))
    header, *found = csv.reader(io.StringIO(text, newline=""))
    assert header == ["a", "b"]
    expected = [["" if (v := plain(value)) is None else str(v) for value in row] for row in rows]
    assert found == expected


@given(st.lists(st.tuples(VALUES, VALUES), max_size=9))
def test_json_is_read_again_as_it_was(rows: list[tuple[Any, Any]]) -> None:
    found = json.loads("".join(as_json(["a", "b"], [rows[:3], rows[3:]])))
    assert found == [{"a": plain(a), "b": plain(b)} for a, b in rows]


def test_what_json_has_no_word_for_is_told_plainly() -> None:
    values = [Decimal("12"), Decimal("1.5"), datetime(2026, 11, 20, 14, 3, tzinfo=UTC), date(2026, 11, 20),
              timedelta(milliseconds=5), b"\x01\xff", [1, None, {"x": math.inf}], UUID(int=5)]  # fmt: skip
    assert plain(values) == [12, 1.5, "2026-11-20T14:03:00+00:00", "2026-11-20", 0.005, "01ff", [1, None, {"x": None}],
                             "00000000-0000-0000-0000-000000000005"]  # fmt: skip
