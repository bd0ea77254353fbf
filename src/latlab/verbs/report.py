# SPDX-License-Identifier: Apache-2.0
"""What goes to others: the weekly report, as text or Markdown."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

import click

from latlab.errors import UsageError
from latlab.verbs.options import JSON, RUNS


@click.command()
@click.argument("names", nargs=-1, metavar="[RUNS...]")
@RUNS
@JSON
@click.option("--text", "form", flag_value="text", help="The weekly report, for a mail.")
@click.option("--markdown", "form", flag_value="markdown", help="The same for a merge request.")
@click.option("--since", metavar="REPORT|DATE", help="What is new: since this report, or this day. [default: the last]")
@click.option("--sent", is_flag=True, help="Remember it: the next report marks what is new since this one.")
@click.option("--journal", type=click.Path(path_type=Path), help="The journal. [default: journal.md beside the runs]")
def report(
    names: tuple[str, ...], runs: Path, as_json: bool, form: str | None, since: str | None, sent: bool,
    journal: Path | None,
) -> None:  # fmt: skip
    """Make a report of RUNS: paths, ids, `latest`, folders of runs; all of --runs without any."""
    from latlab import reporting
    from latlab.report.layout import print_text
    from latlab.report.markdown import weekly_markdown
    from latlab.report.weekly_json import weekly_json
    from latlab.report.weekly_text import weekly_text

    if form is None and not as_json:
        raise UsageError("in which form?", hint="--text for a mail, --markdown for a merge request")
    if form is not None and as_json:
        raise UsageError(f"--json and --{form} are two forms of a report", hint="leave one of them out")
    made = reporting.prepare(runs, names, since=since, now=datetime.now().astimezone(), journal=journal)
    if as_json:
        click.echo(json.dumps(weekly_json(made.weekly), indent=1))
    elif form == "markdown":
        click.echo(weekly_markdown(made.weekly), nl=False)
    else:
        print_text(weekly_text(made.weekly), sys.stdout)
    if sent:
        kept = made.sent()
        click.echo(f"report {kept.number} is remembered in {runs / 'reports.txt'}", err=True)
