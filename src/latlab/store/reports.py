# SPDX-License-Identifier: Apache-2.0
"""Which runs earlier reports had: `reports.txt` beside the runs, a plain file that a person may read and change.

    report 1  2026-11-13T09:00:00Z  journal to 2026-11-13
      20261112T140311Z-tap-bridge-a1b2c3
    report 2  2026-11-20T09:00:00Z  journal to 2026-11-20
      20261119T090000Z-user-0a1b2c

Indented below each report stand the runs that no report before it had. Who deletes a report's lines takes it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from latlab.errors import StoreError, UsageError
from latlab.store.disk import os_errors, replace_file

FILE = "reports.txt"
_HEADER = (
    "# Which runs each report had: `latlab report --sent` adds one. Delete a report with its runs to take it back.\n"
)
_REPORT = re.compile(r"report (\d{1,9})\s+(\S+?)(?:\s+journal to (\S+))?")


@dataclass(frozen=True)
class Report:
    """One that was sent. `journal_to` is the last date of the journal's that it had."""

    number: int
    sent: datetime
    journal_to: date | None
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Since:
    """What a report is held against: the runs that are not new (those that began before `moment`, or of `runs`), the
    date up to which the journal is known, and both in words."""

    words: str
    runs: frozenset[str] = frozenset()
    moment: datetime | None = None
    journal_to: date | None = None

    def is_new(self, run_id: str, created: datetime) -> bool:
        return created >= self.moment if self.moment is not None else _written(run_id) not in self.runs


def _written(run_id: str) -> str:
    """As it stands in the file: a directory that was renamed may have any name."""
    return "".join(letter if letter.isprintable() else "?" for letter in run_id).strip()


def read_reports(root: Path) -> list[Report]:
    """The reports of a folder of runs, in order; none without the file. StoreError with the line that is wrong."""
    path = root / FILE
    if not path.exists():
        return []
    with os_errors(path, "reading"):
        lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    found: list[Report] = []
    runs: dict[int, list[str]] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        if line == line.lstrip():
            found.append(_report(text, f"{path}:{number}", found))
        elif not found:
            raise StoreError(f"{path}:{number}: a run stands before the first report", hint="delete the line")
        else:
            runs.setdefault(found[-1].number, []).append(text)
    return [replace(report, runs=tuple(runs.get(report.number, ()))) for report in found]


def _report(text: str, where: str, before: Sequence[Report]) -> Report:
    match = _REPORT.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        sent = datetime.fromisoformat(match[2])
        journal_to = date.fromisoformat(match[3]) if match[3] else None
    except ValueError as error:
        raise StoreError(
            f"{where}: this is no report", hint="such as: report 3  2026-11-20T09:00:00Z  journal to 2026-11-20"
        ) from error
    if before and int(match[1]) <= before[-1].number:
        raise StoreError(f"{where}: report {match[1]} stands after report {before[-1].number}", hint="put it in order")
    return Report(int(match[1]), sent if sent.tzinfo else sent.replace(tzinfo=UTC), journal_to, ())


def add_report(root: Path, runs: Iterable[str], sent: datetime, journal_to: date | None) -> Report:
    """Remember that a report with `runs` went out. StoreError when that cannot be written; the old file then stays."""
    before = read_reports(root)
    known = {run for report in before for run in report.runs}
    fresh = tuple(dict.fromkeys(name for run in runs if (name := _written(run)) not in known))
    added = Report(before[-1].number + 1 if before else 1, sent.astimezone(UTC), journal_to, fresh)
    path = root / FILE
    with os_errors(path, "reading"):
        old = path.read_bytes() if path.exists() else _HEADER.encode()
    if not old.endswith(b"\n"):
        old += b"\n"
    journal = f"  journal to {journal_to.isoformat()}" if journal_to else ""
    text = f"report {added.number}  {added.sent:%Y-%m-%dT%H:%M:%SZ}{journal}\n" + "".join(f"  {run}\n" for run in fresh)
    replace_file(path, old + text.encode())
    return added


def since_of(reports: Sequence[Report], wanted: str | None) -> Since | None:
    """What `--since` means: a report's number, or a date or time; None: the last report, if there is one.

    Report 0 is the one before the first: everything is new. Raises UsageError.
    """
    if wanted is None:
        if not reports:
            return None
        wanted = str(reports[-1].number)
    number = re.fullmatch(r"(?:report )?(\d{1,6})", wanted.strip())
    if number is None:
        return _since_time(wanted)
    if int(number[1]) == 0:
        return Since("the beginning")
    chosen = next((report for report in reports if report.number == int(number[1])), None)
    if chosen is None:
        there = f"there are {', '.join(str(report.number) for report in reports)}" if reports else "none was sent yet"
        raise UsageError(f"there is no report {number[1]}: {there}", hint="--since takes a date as well: 2026-11-20")
    runs = frozenset(run for report in reports if report.number <= chosen.number for run in report.runs)
    return Since(f"report {chosen.number} ({chosen.sent:%Y-%m-%d})", runs, None, chosen.journal_to)


def _since_time(text: str) -> Since:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{text!r} is neither a report's number nor a date", hint="such as --since 3 or --since 2026-11-20"
        ) from error
    moment = found if found.tzinfo else found.replace(tzinfo=UTC)
    return Since(text.strip(), frozenset(), moment, moment.date() - timedelta(days=1))
