# SPDX-License-Identifier: Apache-2.0
"""Which runs earlier reports had: what is written is read again, a person's edits too; what is wrong names its line."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import StoreError, UsageError
from latlab.store.reports import FILE, Since, add_report, read_reports, since_of

DAY = datetime(2026, 11, 13, 9, tzinfo=UTC)


def test_a_run_is_new_until_a_report_had_it(tmp_path: Path) -> None:
    assert since_of(read_reports(tmp_path), None) is None
    add_report(tmp_path, ["a", "b"], DAY, DAY.date())
    add_report(tmp_path, ["a", "b", "c"], DAY + timedelta(days=7), None)
    assert (tmp_path / FILE).read_text().splitlines()[1:] == [
        "report 1  2026-11-13T09:00:00Z  journal to 2026-11-13", "  a", "  b", "report 2  2026-11-20T09:00:00Z", "  c",
    ]  # fmt: skip
    last, first, none = (since_of(read_reports(tmp_path), wanted) for wanted in (None, "1", "0"))
    assert last is not None
    assert first is not None
    assert none is not None
    assert [last.is_new(run, DAY) for run in "abcd"] == [False, False, False, True]
    assert [first.is_new(run, DAY) for run in "abcd"] == [False, False, True, True]
    assert all(none.is_new(run, DAY) for run in "abcd")
    assert (last.words, first.words) == ("report 2 (2026-11-20)", "report 1 (2026-11-13)")
    assert (first.journal_to, last.journal_to) == (date(2026, 11, 13), None)


def test_a_date_counts_by_when_runs_began(tmp_path: Path) -> None:
    since = since_of([], "2026-11-13")
    assert since == Since("2026-11-13", frozenset(), datetime(2026, 11, 13, tzinfo=UTC), date(2026, 11, 12))
    assert since.is_new("a", DAY)
    assert not since.is_new("a", datetime(2026, 11, 12, 23, 59, tzinfo=UTC))
    hour = since_of([], "2026-11-13T10:00+01:00")
    assert hour is not None
    assert hour.is_new("a", DAY)


@pytest.mark.parametrize("wanted", ["yesterday", "2026-13-01", "", "-1", "report"])
def test_what_is_neither_report_nor_date_is_an_error(wanted: str) -> None:
    with pytest.raises(UsageError, match="neither a report's number nor a date"):
        since_of([], wanted)


def test_a_report_that_was_not_sent_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no report 3: none was sent yet"):
        since_of([], "3")
    add_report(tmp_path, ["a"], DAY, None)
    with pytest.raises(UsageError, match="there is no report 3: there are 1"):
        since_of(read_reports(tmp_path), "3")


def test_a_person_may_take_a_report_back_and_comment(tmp_path: Path) -> None:
    for runs in (["a"], ["b"]):
        add_report(tmp_path, runs, DAY, None)
    text = (tmp_path / FILE).read_text()
    kept = text.split("report 2")[0]
    (tmp_path / FILE).write_text(f"{kept}\n# taken back\n\n")
    assert [(report.number, report.runs) for report in read_reports(tmp_path)] == [(1, ("a",))]
    assert add_report(tmp_path, ["a", "b"], DAY, None).runs == ("b",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  a\n", ":1: a run stands before the first report"),
        ("# x\nrubbish\n", ":2: this is no report"),
        ("report x  2026-11-13\n", ":1: this is no report"),
        ("report 1  2026-11-33\n", ":1: this is no report"),
        ("report 2  2026-11-13\nreport 1  2026-11-14\n", ":2: report 1 stands after report 2"),
    ],
)
def test_a_damaged_file_names_the_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StoreError, match=message):
        read_reports(tmp_path)


RUNS = st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=8), max_size=4)


@given(st.lists(RUNS, max_size=4))
def test_whatever_runs_are_called_they_are_known_again(reports: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for runs in reports:
            add_report(root, runs, DAY, None)
            since = since_of(read_reports(root), None)
            assert since is not None
            assert not any(since.is_new(run, DAY) for run in runs if run.strip())
        assert [report.number for report in read_reports(root)] == list(range(1, len(reports) + 1))
