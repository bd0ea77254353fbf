# SPDX-License-Identifier: Apache-2.0
"""Runs as something to read: report."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from latlab.errors import UsageError
from latlab.verbs.options import RUNS


@click.command()
@click.argument("names", nargs=-1, metavar="[RUN...]")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.html", help="Write one HTML file.")
@click.option("--budget", metavar="TIME", help="What a latency may be, with its unit: 500us.")
@click.option("--at", "statistic", metavar="QUANTILE", help="What is held against it: p99, p99.9, max.")
@RUNS
def report(names: tuple[str, ...], output: Path | None, budget: str | None, statistic: str | None, runs: Path) -> None:
    """Report on each RUN (see `latlab show`), or folder of runs; without one, on all that are kept.

    Exit code 1 when a budget is given and a point exceeds it.
    """
    from latlab.report.writing import asked_budget, asked_statistic, chosen_runs, write_page

    if output is None:
        raise UsageError("report needs to know what to write", hint="Name a page with -o report.html.")
    limit, at = asked_budget(budget), asked_statistic(statistic)
    chosen, broken = chosen_runs(names, runs)
    for run in broken:
        click.echo(f"left out: {run.reason}", err=True)
    page = write_page(chosen, output, limit, at)
    click.echo(f"{output}: {len(page.content) / 1e6:.2f} MB. {page.sentences[0] if page.sentences else ''}")
    sys.exit(1 if page.over else 0)
