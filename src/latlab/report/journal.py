# SPDX-License-Identifier: Apache-2.0
"""The journal beside the runs: a small Markdown file that people write, from which a report takes what no run can say.

    # Journal                        a title, if you like

    ## 2026-11-20                    a date: what follows was written for that day's report
    ### Progress                     a section
    - tap-bridge measured with vhost on and off
    ### Patches
    - [sent] igb: take stamps of all packets  <https://...>
    ### Absences
    - 2026-12-24 to 2026-12-31: holidays

Forgiving: headings of any level, in any order, singular or plural; bullets of any kind, or none; text right below a
date is a note. What would be lost without a word is an error with its line: a heading that is no section, text that
belongs to none, a date that does not exist. `docs/journal.md` has all of it. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from latlab.errors import JournalError, Problem

SECTIONS: dict[str, tuple[str, ...]] = {
    "topics": ("topic", "highlight"),
    "progress": ("progress", "done"),
    "notes": ("note", "remark"),
    "patches": ("patch", "patche", "patch state", "patches and their state"),
    "issues": ("issue", "problem"),
    "questions": ("question", "open question"),
    "absences": ("absence", "holiday", "leave"),
    "references": ("reference", "link"),
}
"""The sections in a report's order, each with the other words for it, without the plural's s."""

STATED = ("patches", "issues", "questions")
"""Their items have a state, `[sent]`, and stay in the reports until it is one of `CLOSED`."""
CLOSED = frozenset(
    {"merged", "applied", "accepted", "rejected", "dropped", "withdrawn", "superseded", "closed", "done", "fixed",
     "solved", "answered", "x"}
)  # fmt: skip
MOST_LINES = 20_000

_HEADING = re.compile(r" {0,3}#{1,6}(?:\s+(.*?))?(?:\s+#+)?\s*")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{3,})\s*")
_BREAK = re.compile(r" {0,3}(?:[-*_=]\s*){3,}")
_BULLET = re.compile(r"( *)(?:[-*+]|\d{1,9}[.)])(?:\s+(.*))?")
_FENCE = re.compile(r" {0,12}(`{3,}|~{3,})")
_STATE = re.compile(r"\[([^\[\]\n]{1,30})\](?![(\[:])\s*(.*)", re.DOTALL)
_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")


@dataclass(frozen=True)
class Item:
    """One point of a section: its first line and those below it. `on` is the date of the heading above it."""

    section: str
    text: str
    line: int
    on: date | None = None
    state: str = ""
    """In small letters; of patches, issues and questions only."""
    starts: date | None = None
    ends: date | None = None
    """Of an absence."""

    @property
    def open(self) -> bool:
        return self.section in STATED and self.state not in CLOSED

    @property
    def key(self) -> str:
        """By which a later item is known to be about the same thing: the first line, without its state."""
        return " ".join(self.text.partition("\n")[0].lower().split())


@dataclass(frozen=True)
class Journal:
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Told:
    """An item as a report has it; `carried` over from an earlier one, because it is still open."""

    item: Item
    carried: bool = False


def for_report(journal: Journal, after: date | None, today: date) -> dict[str, list[Told]]:
    """By section, in a report's order: what was written for days later than `after` (None: all), what has no date, what
    is still open, and absences that are not over. Of several items about one thing, the last one."""
    found: dict[str, list[Told]] = {}
    for section in SECTIONS:
        items = _last_of_each([item for item in journal.items if item.section == section])
        told = []
        for item in items:
            fresh = item.on is None or after is None or item.on > after
            coming = item.ends is not None and item.ends >= today
            if fresh or item.open or coming:
                told.append(Told(item, carried=not fresh))
        if told:
            found[section] = told
    return found


def _last_of_each(items: Sequence[Item]) -> list[Item]:
    """Those that stand later in the journal replace those before them, of the sections whose items have a state.

    Journals are written downwards or upwards: the later date counts, and the later line where the dates are alike.
    """
    if not items or items[0].section not in STATED:
        return list(items)
    last: dict[str, Item] = {}
    for item in items:
        known = last.get(item.key)
        if known is None or (item.on or date.min) >= (known.on or date.min):
            last[item.key] = item
    return list(last.values())


def parse_journal(text: str, file: str) -> Journal:
    """The journal in `text`. Raises JournalError with all its mistakes; `file` is the name that they are told with."""
    reader = _Reader(text, file)
    reader.read()
    if reader.problems:
        raise JournalError(reader.problems)
    return Journal(tuple(reader.items))


def decode(data: bytes, file: str) -> str:
    """The text of a journal's file. Raises JournalError where it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2]) + 1
        problem = Problem(file, line, column, "this is not UTF-8 text", "Save the journal as UTF-8.")
        raise JournalError([problem]) from error


class _Reader:
    """Line by line; `self.pending` are the lines of the item that is being read."""

    def __init__(self, text: str, file: str) -> None:
        self.lines = re.split(r"\r\n|\r|\n", text.expandtabs(4))
        self.file = file
        self.items: list[Item] = []
        self.problems: list[Problem] = []
        self.on: date | None = None
        self.section: str | None = None
        self.skipping = False
        """Below a heading that was a mistake: what stands there is not told again."""
        self.headings = 0
        self.pending: list[str] = []
        self.began = 0

    def problem(self, line: int, message: str, hint: str = "", column: int = 1) -> None:
        self.problems.append(Problem(self.file, line, column, message, hint))

    def read(self) -> None:
        if len(self.lines) > MOST_LINES:
            self.problem(MOST_LINES, f"more than {MOST_LINES} lines", "Move what is old to another file.")
            return
        fence, fenced_at, previous = "", 0, ""
        for number, line in self._without_comments():
            if fence:
                self.pending.append(line)
                if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                    fence = ""
            elif opened := _FENCE.match(line):
                fence, fenced_at = opened[1], number
                self._continue(number, line)
            elif self._heading(number, line, previous):
                pass
            elif not line.strip():
                if self.pending:
                    self.pending.append("")
            else:
                self._text(number, line, previous)
            previous = line
        if fence:
            self.problem(fenced_at, f"a block of code begins here and does not end: {fence}", f"Close it with {fence}.")
        self._finish()

    def _without_comments(self) -> Iterator[tuple[int, str]]:
        inside = 0
        for number, line in enumerate(self.lines, 1):
            rest, kept = line, ""
            while rest:
                if inside:
                    _, end, rest = rest.partition("-->")
                    inside = inside if not end else 0
                else:
                    before, start, rest = rest.partition("<!--")
                    kept += before
                    inside = number if start else 0
            if kept.strip() or not line.strip():
                yield number, kept
        if inside:
            self.problem(inside, "a comment begins here and does not end", "Close it with -->.")

    def _heading(self, number: int, line: str, previous: str) -> bool:
        """Whether `line` is a heading, or what underlines one."""
        if match := _HEADING.fullmatch(line):
            self._finish()
            self._entitled(number, match[1] or "")
            return True
        underlined = _UNDERLINE.fullmatch(line) and len(self.pending) == 1 and self.pending[0] == previous.strip()
        if underlined and previous.strip() and not _BULLET.fullmatch(previous):
            self.pending = []
            self._entitled(number - 1, previous.strip())
            return True
        if _BREAK.fullmatch(line):
            self._finish()
            return True
        return False

    def _entitled(self, number: int, title: str) -> None:
        self.headings += 1
        self.skipping = False
        match = _DATE.search(title)
        if match:
            self.on = self._date(number, match)
            self.section = _section(title.replace(match[0], "", 1)) or "notes"
            return
        section = _section(title)
        if section is not None:
            self.section = section
        elif self.headings == 1:
            return  # the journal's own title
        else:
            self.skipping = True
            words = [word for known in SECTIONS for word in (known, *SECTIONS[known])]
            near = difflib.get_close_matches(title.lower().strip(), words, 1, 0.75)
            meant = f"Is it {_section(near[0])!r}?" if near else f"Sections: {', '.join(SECTIONS)}; or a date."
            self.problem(number, f"this heading is neither a date (2026-11-20) nor a section: {title[:60]!r}", meant)

    def _date(self, number: int, match: re.Match[str]) -> date | None:
        try:
            return date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            self.problem(number, f"there is no such date: {match[0]}", "Write year-month-day, as in 2026-11-20.")
            return None

    def _text(self, number: int, line: str, previous: str) -> None:
        bullet = _BULLET.fullmatch(line)
        if bullet and (len(bullet[1]) < 2 or not self.pending):
            self._finish()
            self._continue(number, bullet[2] or "")
        elif self.pending and (line.startswith("  ") or previous.strip()):
            self.pending.append(line.strip() if not bullet else line.rstrip())
        else:
            self._finish()
            self._continue(number, line.strip())

    def _continue(self, number: int, line: str) -> None:
        if not self.pending:
            self.began = number
        self.pending.append(line)

    def _finish(self) -> None:
        lines, self.pending = self.pending, []
        text = "\n".join(lines).strip()
        if not text or self.skipping:
            return
        if self.section is None:
            self.problem(self.began, "this text belongs to no section", f"Put it under one of: {', '.join(SECTIONS)}.")
            return
        item = Item(self.section, text, self.began, self.on)
        if item.section in STATED and (match := _STATE.fullmatch(text)) and match[2].strip():
            state = " ".join(match[1].lower().split()) or "open"
            item = replace(item, state=state, text=match[2].strip())
        if item.section == "absences":
            item = self._dated(item)
        self.items.append(item)

    def _dated(self, item: Item) -> Item:
        found = [self._date(item.line, match) for match in _DATE.finditer(item.text)][:2]
        days = [day for day in found if day is not None]
        if len(days) == 2 and days[1] < days[0]:
            self.problem(item.line, f"this absence ends on {days[1]}, before it begins on {days[0]}", "Exchange them.")
        return replace(item, starts=days[0], ends=days[-1]) if days else item


def _section(title: str) -> str | None:
    """The section that a heading means, if it means one."""
    word = " ".join(title.lower().split()).strip("*_:.,()[]- ")
    for section, others in SECTIONS.items():
        if word == section or word in others or word.removesuffix("s") in others:
            return section
    return None
