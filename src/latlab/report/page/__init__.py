# SPDX-License-Identifier: Apache-2.0
"""Runs as one HTML file: to look at, to print, to mail. Nothing in it asks a network for anything.

    measured    a run's samples, reduced in one pass to what is drawn of them
    facts       that, and what run.json says, as JSON
    headline    what the runs say, in sentences
    judge       whether a point keeps a budget
    html        markup, style, script and data become the file
    assets/     the page's own script and style; vendor/ uPlot, which draws the curves

The level of detail is the finest one with which the file stays below `LIMIT_BYTES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latlab.errors import UsageError
from latlab.report.page.draw import DETAILS
from latlab.report.page.facts import data_of
from latlab.report.page.groups import groups_of
from latlab.report.page.headline import Asked, judgements, sentences, usual_statistic, usual_way
from latlab.report.page.html import page_html
from latlab.report.page.measured import measure
from latlab.report.table import results
from latlab.store.run_dir import RunDirectory

LIMIT_BYTES = 1_000_000


@dataclass(frozen=True)
class Page:
    """`detail` counts from 0, the finest; `over` and `judged` are points, 0 without a budget."""

    content: bytes
    detail: int
    sentences: list[str]
    over: int = 0
    judged: int = 0


def make_page(runs: Sequence[RunDirectory], *, statistic: str | None = None, budget_ns: int | None = None) -> Page:
    """Raises UsageError when no level of detail makes the file small enough."""
    found = [measure(run) for run in runs]
    way = usual_way(found)
    asked = Asked(way, statistic or usual_statistic(found, way), budget_ns)
    said, plain = sentences(found, asked), results([run.document for run in found]).plain
    told = [
        judgement
        for group in groups_of([run.document for run in found])
        for judgement in (judgements(found, group, asked).values() if budget_ns is not None else ())
        if judgement != "unknown"
    ]
    for level, detail in enumerate(DETAILS):
        content = page_html(data_of(found, asked, detail), said, plain)
        if len(content) <= LIMIT_BYTES:
            return Page(content, level, said, told.count("over"), len(told))
    raise UsageError(
        f"a page of {len(runs)} runs would have {len(content) / 1e6:.1f} MB; at most {LIMIT_BYTES / 1e6:g} MB are made",
        hint="Name fewer runs, and make a page of each part.",
    )
