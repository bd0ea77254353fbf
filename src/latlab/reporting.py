# SPDX-License-Identifier: Apache-2.0
"""From a folder of runs to a weekly report: reads the runs, the journal beside them, and which reports went out before.

made = reporting.prepare(Path("runs"), (), since=None, now=datetime.now().astimezone())
print(weekly_text(made.weekly).plain)
made.sent()
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from latlab.errors import StoreError
from latlab.report.journal import Journal, decode, for_report, parse_journal
from latlab.report.weekly import RunFacts, Weekly, weekly
from latlab.store.disk import os_errors
from latlab.store.find import find_runs
from latlab.store.reports import Report, add_report, read_reports, since_of
from latlab.store.run_dir import BrokenRun, RunDirectory

JOURNAL = "journal.md"
AHEAD = timedelta(days=7)
"""A journal may be written for next week's report; a date beyond is a slip, and must not hide all that comes before."""


@dataclass(frozen=True)
class Prepared:
    """A report that was made; `sent` remembers it, so that the next one marks what is new since."""

    weekly: Weekly
    root: Path
    runs: tuple[str, ...]
    now: datetime
    journal: Journal

    def sent(self) -> Report:
        """StoreError when it cannot be written down."""
        today = self.weekly.today
        dates = [item.on for item in self.journal.items if item.on is not None and item.on <= today + AHEAD]
        return add_report(self.root, self.runs, self.now, max(dates, default=today))


def prepare(
    root: Path, names: Sequence[str], *, since: str | None = None, now: datetime, journal: Path | None = None
) -> Prepared:
    """The report of the runs that `names` mean (none: all under `root`).

    `since`: a report's number or a date, for the last report; `now`: with its zone, whose day the report has.
    `journal`: a file, for the one beside the runs. Raises StoreError, UsageError and JournalError.
    """
    reports = read_reports(root)
    before = since_of(reports, since)
    found = find_runs(root, names)
    written = read_journal(root / JOURNAL if journal is None else journal, must_exist=journal is not None)
    runs = [run for run in found if isinstance(run, RunDirectory)]
    facts = [RunFacts(run.document, before.is_new(run.id, run.document.created) if before else None) for run in runs]
    made = weekly(
        facts,
        number=reports[-1].number + 1 if reports else 1,
        today=now.date(),
        since=before.words if before else "",
        journal=for_report(written, before.journal_to if before else None, now.date()),
        broken=[f"{run.id}: {run.reason}" for run in found if isinstance(run, BrokenRun)],
    )
    return Prepared(made, root, tuple(run.id for run in runs), now, written)


def read_journal(path: Path, *, must_exist: bool = False) -> Journal:
    """The journal in `path`; an empty one where there is no such file."""
    if not path.exists() and not must_exist:
        return Journal()
    if path.is_dir():
        raise StoreError(f"{path} is a directory, and no journal", hint="name a file; docs/journal.md shows one")
    with os_errors(path, "reading"):
        data = path.read_bytes()
    return parse_journal(decode(data, str(path)), str(path))
