# SPDX-License-Identifier: Apache-2.0
"""A journal is read as people write it; what would be lost without a word is an error with its line."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import JournalError, Problem
from latlab.report.journal import MOST_LINES, SECTIONS, Journal, decode, for_report, parse_journal

FIRST, SECOND, TODAY = date(2026, 11, 13), date(2026, 11, 20), date(2026, 11, 21)

JOURNAL = """\
# Journal of the bench

<!-- what stands in a comment
     is not read -->
## 2026-11-13
The switch was replaced.

### Progress
- macvtap measured
- tap-bridge measured,
  with vhost on and off
  - and with two queues

### Patches
* [sent] igb: stamp all packets <https://lore.example/1>
* [draft] igb: read the clock faster

### Issue
1. [open] a spike each 60 s
2. [closed] ping does not pass

## Week of 2026-11-20

Open questions:
===============
Which CPU has the interrupt?

Progress
--------
+ xdp measured

#### PATCHES ####
- [Merged]  igb: stamp  all packets <https://lore.example/1>

## Absences
- 2026-11-18 to 2026-11-19: ill
- 2026-12-24 to 2026-12-31: holidays
- some day in spring

References
==========
[1] https://example.org/report

```
# not a heading
```
"""


def items(text: str) -> list[tuple[str, str]]:
    return [(item.section, item.text) for item in parse_journal(text, "journal.md").items]


def read(text: str) -> tuple[Journal, list[Problem]]:
    try:
        return parse_journal(text, "j.md"), []
    except JournalError as error:
        return Journal(), error.problems


def problems(text: str) -> list[str]:
    with pytest.raises(JournalError) as error:
        parse_journal(text, "journal.md")
    return [str(problem) for problem in error.value.problems]


def test_a_journal_of_every_kind_of_line() -> None:
    journal = parse_journal(JOURNAL, "journal.md")
    assert [(i.on, i.section, i.state, i.text, i.line) for i in journal.items] == [
        (FIRST, "notes", "", "The switch was replaced.", 6),
        (FIRST, "progress", "", "macvtap measured", 9),
        (FIRST, "progress", "", "tap-bridge measured,\nwith vhost on and off\n  - and with two queues", 10),
        (FIRST, "patches", "sent", "igb: stamp all packets <https://lore.example/1>", 15),
        (FIRST, "patches", "draft", "igb: read the clock faster", 16),
        (FIRST, "issues", "open", "a spike each 60 s", 19),
        (FIRST, "issues", "closed", "ping does not pass", 20),
        (SECOND, "questions", "", "Which CPU has the interrupt?", 26),
        (SECOND, "progress", "", "xdp measured", 30),
        (SECOND, "patches", "merged", "igb: stamp  all packets <https://lore.example/1>", 33),
        (SECOND, "absences", "", "2026-11-18 to 2026-11-19: ill", 36),
        (SECOND, "absences", "", "2026-12-24 to 2026-12-31: holidays", 37),
        (SECOND, "absences", "", "some day in spring", 38),
        (SECOND, "references", "", "[1] https://example.org/report\n\n```\n# not a heading\n```", 42),
    ]
    assert (journal.items[11].starts, journal.items[11].ends) == (date(2026, 12, 24), date(2026, 12, 31))


def test_the_first_report_has_all_and_of_each_patch_its_last_state() -> None:
    told = for_report(parse_journal(JOURNAL, ""), None, TODAY)
    assert list(told) == ["progress", "notes", "patches", "issues", "questions", "absences", "references"]
    assert [t.item.state for t in told["patches"]] == ["merged", "draft"]
    assert not any(t.carried for items in told.values() for t in items)


def test_a_later_report_has_what_is_new_and_what_is_still_open() -> None:
    told = for_report(parse_journal(JOURNAL, ""), FIRST, TODAY)
    assert [(t.item.text, t.carried) for t in told["progress"]] == [("xdp measured", False)]
    assert [(t.item.state, t.carried) for t in told["patches"]] == [("merged", False), ("draft", True)]
    assert [(t.item.text, t.carried) for t in told["issues"]] == [("a spike each 60 s", True)]
    after = for_report(parse_journal(JOURNAL, ""), SECOND, TODAY)
    assert list(after) == ["patches", "issues", "questions", "absences"]
    assert [t.item.text for t in after["absences"]] == ["2026-12-24 to 2026-12-31: holidays"]
    assert [t.item.state for t in after["patches"]] == ["draft"]
    assert list(for_report(parse_journal(JOURNAL, ""), SECOND, date(2027, 1, 1))) == ["patches", "issues", "questions"]


def test_the_later_date_counts_whichever_way_a_journal_grows() -> None:
    upwards = "## 2026-11-20\n### Issues\n- [fixed] a spike\n## 2026-11-13\n### Issues\n- [open] a spike\n"
    told = for_report(parse_journal(upwards, ""), None, TODAY)
    assert [t.item.state for t in told["issues"]] == ["fixed"]


def test_what_has_no_date_is_in_every_report() -> None:
    told = for_report(parse_journal("# Topics\nvhost\n", ""), TODAY, TODAY)
    assert [(t.item.text, t.carried) for t in told["topics"]] == [("vhost", False)]


@pytest.mark.parametrize(
    "nothing", ["", "\n\n", "# Journal\n", "<!-- only\na comment -->", "\ufeff", "## 2026-11-20\n"]
)
def test_an_empty_journal_is_one(nothing: str) -> None:
    assert parse_journal(decode(nothing.encode(), "journal.md"), "journal.md").items == ()


def test_other_line_ends_and_tabs() -> None:
    assert items("# Notes\r\n-\tone\r\n\r\n\tmore\r- two\n") == [("notes", "one\n\nmore"), ("notes", "two")]


NEITHER = "this heading is neither a date (2026-11-20) nor a section"
KNOWN = "topics, progress, notes, patches, issues, questions, absences, references"
NO_DATE = "Write year-month-day, as in 2026-11-20."


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# Journal\n## Progres\n- x\n", 2, f"{NEITHER}: 'Progres'. Is it 'progress'?"),
        ("# Journal\n## Dinner\n", 2, f"{NEITHER}: 'Dinner'. Sections: {KNOWN}; or a date."),
        ("- too early\n# Notes\n", 1, f"this text belongs to no section. Put it under one of: {KNOWN}."),
        ("# 2026-02-30\n", 1, f"there is no such date: 2026-02-30. {NO_DATE}"),
        ("# Absences\n- 2026-13-01\n", 2, f"there is no such date: 2026-13-01. {NO_DATE}"),
        (
            "# Absences\n\n- from 2026-12-31\n  to 2026-12-24\n",
            3,
            "this absence ends on 2026-12-24, before it begins on 2026-12-31. Exchange them.",
        ),
        ("# Notes\n```\ncode\n", 2, "a block of code begins here and does not end: ```. Close it with ```."),
        ("# Notes\n- x\n<!-- no end\n", 3, "a comment begins here and does not end. Close it with -->."),
        (
            "# Notes\n" + "- x\n" * MOST_LINES,
            MOST_LINES,
            f"more than {MOST_LINES} lines. Move what is old to another file.",
        ),
    ],
)
def test_bad_form_is_an_error_with_its_line(text: str, line: int, message: str) -> None:
    assert problems(text) == [f"journal.md:{line}:1: {message}"]


def test_all_mistakes_are_told_at_once_and_each_once() -> None:
    found = problems("# Journal\n## Progres\n- a\n- b\n## 2026-99-01\n## Absense\n- c\n")
    assert [problem.split(": ")[0] for problem in found] == ["journal.md:2:1", "journal.md:5:1", "journal.md:6:1"]


def test_what_is_not_utf_8_says_where() -> None:
    with pytest.raises(JournalError) as error:
        decode(b"# Notes\n- caf\xe9\n", "journal.md")
    assert str(error.value) == "journal.md:2:6: this is not UTF-8 text. Save the journal as UTF-8."


WORDS = st.text(st.characters(whitelist_categories=("Lu", "Ll", "Nd")), min_size=1, max_size=12).filter(
    lambda word: not word.isdigit()
)
LINES = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
DATES = st.none() | st.dates(date(1970, 1, 1), date(2100, 1, 1))


@given(st.lists(st.tuples(DATES, st.sampled_from(sorted(SECTIONS)), st.lists(LINES, max_size=3)), max_size=6),
       st.sampled_from(["-", "*", "+", "7."]), st.integers(1, 6))  # fmt: skip
def test_what_was_written_is_read(parts: list[tuple[date | None, str, list[str]]], bullet: str, level: int) -> None:
    text, expected, on = "# Journal\n", [], None
    for day, section, lines in parts:
        if day is not None:
            text, on = f"{text}{'#' * level} {day}\n", day
        text += f"{'#' * level} {section.title()}\n" + "".join(f"{bullet} {line}\n" for line in lines)
        expected += [(on, section, line) for line in lines]
    assert [(i.on, i.section, i.text) for i in parse_journal(text, "").items] == expected


@given(st.lists(st.sampled_from([
    "# Notes", "## 2026-11-20", "### Patches", "# Dinner", "- item", "  - sub", "text", "", "```", "===", "---", "***",
    "<!--", "-->", "<!-- x -->", "[sent] y", "\x1b[31m", "## 2026-99-99", "\u2028", "- ", "> quoted", "# ",
]), max_size=25))  # fmt: skip
def test_any_lines_are_read_or_refused_with_a_line_of_theirs(lines: list[str]) -> None:
    text = "\n".join(lines)
    journal, found = read(text)
    assert all(1 <= problem.line <= max(1, len(lines)) for problem in found)
    assert all(1 <= item.line <= len(lines) for item in journal.items)
    told = "\n".join(item.text for item in journal.items)
    if not found and not {"<!--", "===", "---"} & set(lines):
        for word in ("item", "sub", "text", "y", "> quoted"):
            assert sum(line.strip().endswith(word) for line in lines) == sum(
                line.strip().endswith(word) for line in told.split("\n")
            )


@given(st.text(max_size=300))
def test_any_text_is_a_journal_or_has_a_problem_and_nothing_else(text: str) -> None:
    journal, found = read(text)
    assert not (journal.items and found)


@given(DATES, st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_nothing_that_is_new_is_left_out(after: date | None, today: date) -> None:
    journal = parse_journal(JOURNAL, "")
    told = {id(t.item) for items in for_report(journal, after, today).values() for t in items}
    for item in journal.items:
        replaced = item.state == "sent"
        if not replaced and (after is None or (item.on or date.max) > after):
            assert id(item) in told
