# SPDX-License-Identifier: Apache-2.0
"""What `latlab report` is asked for, checked; and the file that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latlab.errors import StoreError, UsageError
from latlab.scenario.units import clip, parse_duration_ns
from latlab.store.disk import replace_file
from latlab.store.find import find_run
from latlab.store.run_dir import BrokenRun, RunDirectory, is_run, iter_runs

if TYPE_CHECKING:
    from latlab.report.page import Page


def asked_budget(text: str | None) -> int | None:
    """In ns. Raises UsageError, saying what is wrong with it."""
    if text is None:
        return None
    try:
        budget_ns = parse_duration_ns(text)
    except UsageError as error:
        raise UsageError(f"--budget: {error.message}", hint=error.hint) from None
    if budget_ns == 0:
        raise UsageError("--budget: nothing takes no time at all", hint="Write such as 500us.")
    return budget_ns


def asked_statistic(text: str | None) -> str | None:
    from latlab.report.page.judge import STATISTICS

    if text is not None and text not in STATISTICS:
        raise UsageError(f"--at: not a quantile that runs have: {clip(text)}", hint=f"One of: {', '.join(STATISTICS)}.")
    return text


def chosen_runs(names: Sequence[str], root: Path) -> tuple[list[RunDirectory], list[BrokenRun]]:
    """The runs that these names mean, each once, in their order; a folder means all runs in it, no name all of `root`.

    Of a folder, what cannot be read is told apart; a run that was named and cannot be read is a StoreError, as a name
    is that means none.
    """
    found: dict[Path, RunDirectory] = {}
    broken: list[BrokenRun] = []
    for name in names or [""]:
        folder = Path(name) if name else root
        if not name or (folder.is_dir() and not is_run(folder)):
            runs = list(iter_runs(folder))
            if not runs:
                raise StoreError(f"there are no runs in {folder}", hint="`latlab run SCENARIO` makes one")
        else:
            runs = [find_run(root, name)]
        for run in runs:
            if isinstance(run, BrokenRun):
                broken.append(run)
            else:
                found.setdefault(run.path.resolve(), run)
    if not found:
        raise StoreError(f"none of {len(broken)} runs can be read: {broken[0].reason}", hint=broken[0].salvage)
    return list(found.values()), broken


def write_page(runs: Sequence[RunDirectory], output: Path, budget_ns: int | None, statistic: str | None) -> Page:
    """Raises StoreError when the file cannot be written; what was there before is then still there."""
    from latlab.report.page import make_page

    if output.is_dir():
        raise UsageError(f"{output} is a folder", hint=f"Name a file: {output / 'report.html'}")
    page = make_page(runs, statistic=statistic, budget_ns=budget_ns)
    replace_file(output, page.content)
    return page
