# SPDX-License-Identifier: Apache-2.0
"""Runs as something to read: the page, and the weekly report as text or Markdown."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

import click

from latlab.errors import UsageError
from latlab.verbs.options import JSON, RUNS

_FORMS = {".html": "page", ".htm": "page", ".md": "markdown", ".txt": "text"}


@click.command()
@click.argument("names", nargs=-1, metavar="[RUNS...]")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write FILE: one page (.html), or the weekly report (.txt, .md).")  # fmt: skip
@click.option("--text", "form", flag_value="text", help="The weekly report, for a mail.")
@click.option("--markdown", "form", flag_value="markdown", help="The weekly report, for a merge request.")
@click.option("--since", metavar="REPORT|DATE", help="What is new: since this report, or this day. [default: the last]")
@click.option("--sent", is_flag=True, help="Remember the report: the next one marks what is new since.")
@click.option("--journal", type=click.Path(path_type=Path), help="The journal. [default: journal.md beside the runs]")
@click.option("--budget", metavar="TIME", help="Of the page: what a latency may be, with its unit: 500us.")
@click.option("--at", "statistic", metavar="QUANTILE", help="Of the page: what is held against it: p99, p99.9, max.")
@RUNS
@JSON
def report(
    names: tuple[str, ...], output: Path | None, form: str | None, since: str | None, sent: bool, journal: Path | None,
    budget: str | None, statistic: str | None, runs: Path, as_json: bool,
) -> None:  # fmt: skip
    """Report on RUNS: paths, ids, `latest`, folders of runs; without any, on all that are kept.

    A page (-o report.html), or the weekly report (--text, --markdown, --json). Exit code 1 when a budget is given and a
    point exceeds it.
    """
    chosen = _form(form, output, as_json)
    if chosen == "page" and output is not None:
        if since or sent or journal:
            raise UsageError("--since, --sent and --journal are of the weekly report", hint="--text or --markdown")
        sys.exit(_page(names, output, budget, statistic, runs))
    if budget or statistic:
        raise UsageError("--budget and --at are of the page", hint="-o report.html")
    _weekly(chosen, names, runs, since, sent, journal, output)


def _form(form: str | None, output: Path | None, as_json: bool) -> str:
    if form and as_json:
        raise UsageError(f"--json and --{form} are two forms of a report", hint="leave one of them out")
    asked = "json" if as_json else form
    if asked:
        return asked
    if output is None:
        raise UsageError(
            "report needs to know what to write",
            hint="-o report.html is the page; --text or --markdown the weekly report",
        )
    named = _FORMS.get(output.suffix.lower())
    if named is None:
        raise UsageError(f"{output} does not say which form", hint=f"A name that ends in {', '.join(_FORMS)}.")
    return named


def _page(names: tuple[str, ...], output: Path, budget: str | None, statistic: str | None, runs: Path) -> int:
    from latlab.report.writing import asked_budget, asked_statistic, chosen_runs, write_page

    limit, at = asked_budget(budget), asked_statistic(statistic)
    chosen, broken = chosen_runs(names, runs)
    for run in broken:
        click.echo(f"left out: {run.reason}", err=True)
    page = write_page(chosen, output, limit, at)
    click.echo(f"{output}: {len(page.content) / 1e6:.2f} MB. {page.sentences[0] if page.sentences else ''}")
    return 1 if page.over else 0


def _weekly(
    form: str, names: tuple[str, ...], runs: Path, since: str | None, sent: bool, journal: Path | None,
    output: Path | None,
) -> None:  # fmt: skip
    from latlab import reporting
    from latlab.report.layout import print_text
    from latlab.report.markdown import weekly_markdown
    from latlab.report.weekly_json import weekly_json
    from latlab.report.weekly_text import weekly_text
    from latlab.store.disk import replace_file

    made = reporting.prepare(runs, names, since=since, now=datetime.now().astimezone(), journal=journal)
    text = weekly_text(made.weekly)
    forms = {
        "json": lambda: json.dumps(weekly_json(made.weekly), indent=1) + "\n",
        "markdown": lambda: weekly_markdown(made.weekly),
        "text": lambda: text.plain,
    }
    if output is not None:
        replace_file(output, forms[form]().encode())
        click.echo(str(output))
    elif form == "text":
        print_text(text, sys.stdout)
    else:
        click.echo(forms[form](), nl=False)
    if sent:
        kept = made.sent()
        click.echo(f"report {kept.number} is remembered in {runs / 'reports.txt'}", err=True)
