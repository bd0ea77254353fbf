# SPDX-License-Identifier: Apache-2.0
"""Over the runs that are kept: list, show."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from latlab.errors import UsageError
from latlab.verbs.options import JSON, RETURN, RUNS


@click.command("list")
@RUNS
@JSON
def list_runs(runs: Path, as_json: bool) -> None:
    """List the runs."""
    from latlab.report import listing
    from latlab.report.layout import print_text
    from latlab.store.run_dir import iter_runs

    if as_json:
        click.echo(json.dumps(listing.list_json(iter_runs(runs)), indent=1))
    else:
        print_text(listing.list_text(iter_runs(runs), runs), sys.stdout)


@click.command()
@click.argument("run", default="latest")
@RUNS
@JSON
@click.option("--printf", "printf", metavar="FORMAT", help="One text for each packet, as `isochron report -f` has it.")
@click.option(
    "--printf-args", "letters", default="", metavar="LETTERS", help="What its conversions print: qSwstTRra..."
)
@RETURN
@click.option("--spikes-over", metavar="TIME", help="A spike is what takes longer: 500us. By default, what stands out.")
def show(
    run: str, runs: Path, as_json: bool, printf: str | None, letters: str, way_back: bool, spikes_over: str | None
) -> None:
    """Show one RUN: a path, an id or its beginning, or `latest`; or its packets, with --printf."""
    from latlab.isochron.exporting import report_text
    from latlab.isochron.letters import parse_report
    from latlab.report import show as shown
    from latlab.report.layout import print_text
    from latlab.scenario.units import parse_duration_ns
    from latlab.store.find import find_run

    if printf is None and (letters or way_back):
        raise UsageError("--printf-args and --return say how --printf prints packets", hint="give --printf FORMAT too")
    if printf is not None and as_json:
        raise UsageError("--json and --printf are two ways to show a run", hint="leave one of them out")
    if printf is not None and spikes_over is not None:
        raise UsageError("--printf prints packets, and --spikes-over is about spikes", hint="leave one of them out")
    over_ns = None if spikes_over is None else parse_duration_ns(spikes_over)
    report = None if printf is None else parse_report(printf, letters)
    found = find_run(runs, run)
    if report is not None:
        for text in report_text(found, "return" if way_back else "forward", report):
            click.echo(text, nl=False)
    elif as_json:
        click.echo(json.dumps(shown.show_json(found, over_ns), indent=1))
    else:
        print_text(shown.show_text(found, over_ns), sys.stdout)
