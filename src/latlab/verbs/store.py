# SPDX-License-Identifier: Apache-2.0
"""Over the runs that are kept: list, show, label, sql."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from latlab.errors import UsageError
from latlab.verbs.options import JSON, RETURN, RUNS, filters

if TYPE_CHECKING:
    from latlab.store.select import Wanted


@click.command("list")
@filters
@click.option(
    "--sort",
    "key",
    default="id",
    metavar="KEY",
    help="id (by time), attachment, load, bench, kernel, n, lost, p50, p99, max, ...; -KEY: the largest first.",
)
@RUNS
@JSON
def list_runs(wanted: Wanted, key: str, runs: Path, as_json: bool) -> None:
    """List the runs, all or those that the filters choose."""
    from latlab.report import listing
    from latlab.report.layout import print_text
    from latlab.store.index import entries
    from latlab.store.select import nothing_found, ordered, select

    there = entries(runs)
    found = ordered(select(there, wanted), key)
    if as_json:
        click.echo(json.dumps(listing.list_json(found), indent=1))
    elif there and not found:
        click.echo(f" {nothing_found(there, wanted)}")
    else:
        print_text(listing.list_text(found, runs), sys.stdout)


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


class _Signs(click.Command):
    """A command in whose arguments `+name` and `-name` are options: --add name, --remove name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_as_option(word) for word in args])


def _as_option(word: str) -> str:
    if word.startswith("+"):
        return f"--add={word[1:]}"
    if word.startswith("-") and not word.startswith("--") and word not in ("-", "-h"):
        return f"--remove={word[1:]}"
    return word


@click.command(cls=_Signs)
@click.argument("names", nargs=-1, required=True, metavar="RUN... [+LABEL|-LABEL]...")
@click.option("--add", multiple=True, metavar="LABEL", help="The same as +LABEL: give it.")
@click.option("--remove", multiple=True, metavar="LABEL", help="The same as -LABEL: take it away.")
@RUNS
@JSON
def label(names: tuple[str, ...], add: tuple[str, ...], remove: tuple[str, ...], runs: Path, as_json: bool) -> None:
    """Give labels to runs (+LABEL) or take them away (-LABEL); show those that they have then."""
    from latlab.store.find import find_run
    from latlab.store.labels import change_labels, checked

    for word in (*add, *remove):
        checked(word)  # all of them before the first run is changed
    found = {run.id: run.path for run in [find_run(runs, name) for name in names]}
    labels = {run_id: change_labels(path, add, remove) for run_id, path in found.items()}
    if as_json:
        click.echo(json.dumps([{"id": run_id, "labels": given} for run_id, given in labels.items()], indent=1))
    else:
        for run_id, given in labels.items():
            click.echo(f"{run_id}: {' '.join(given) or 'no labels'}")


@click.command()
@click.argument("query")
@filters
@RUNS
@JSON
@click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets.")
def sql(query: str, wanted: Wanted, runs: Path, as_json: bool, as_csv: bool) -> None:
    """Ask QUERY, one SELECT in DuckDB's SQL, of all runs or those that the filters choose.

    Tables: runs, metrics, anomalies, shapes, samples (a row for each packet), timing.
    DESCRIBE runs shows the columns of one. Times are integers in ns, as their names say. Nothing can be written.
    """
    from latlab.report import rows
    from latlab.store.index import entries
    from latlab.store.select import select
    from latlab.store.sql.session import asking

    if as_csv and as_json:
        raise UsageError("--csv and --json are two ways to show an answer", hint="leave one of them out")
    with asking(select(entries(runs), wanted), query) as answer:
        if as_csv or as_json:
            shown = (rows.as_csv if as_csv else rows.as_json)(answer.columns, answer.chunks)
        else:
            shown = rows.as_text(answer.columns, answer.types, answer.chunks)
        for text in shown:
            click.echo(text, nl=False)
        for remark in answer.remarks:
            click.echo(f"        {remark}", err=True)
