# SPDX-License-Identifier: Apache-2.0
"""Runs as files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from latlab.errors import UsageError
from latlab.verbs.options import RETURN, RUNS, filters

if TYPE_CHECKING:
    from latlab.store.select import Wanted

_FORMATS = ("csv", "parquet", "json", "flent", "openmetrics", "isochron")


@click.command()
@click.argument("names", nargs=-1, metavar="[RUN...]")
@click.option("-f", "--format", "form", type=click.Choice(_FORMATS), required=True, help="Whose file.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE")
@filters
@RETURN
@RUNS
def export(names: tuple[str, ...], form: str, output: Path, wanted: Wanted, way_back: bool, runs: Path) -> None:
    """Write RUNs (see `latlab show`; default: the latest, or those that the filters choose) as a file for others.

    csv, parquet: a row for each packet. json: all of each run. flent: one run as a .flent.gz. openmetrics: the numbers,
    for Prometheus. isochron: one run as isochron.dat.
    """
    from latlab.export import formats
    from latlab.store.find import find_run
    from latlab.store.index import entries
    from latlab.store.run_dir import open_run
    from latlab.store.select import nothing_found, select

    if names and not wanted.all:
        raise UsageError("runs are named, or chosen by filters", hint="leave one of them out")
    if wanted.all:
        found = [find_run(runs, name) for name in names or ("latest",)]
    else:
        there = entries(runs)
        found = [open_run(entry.path) for entry in select(there, wanted) if not entry.broken]
        if not found:
            raise UsageError(nothing_found(there, wanted), hint="`latlab list` shows the runs")
    first, *remarks = formats.export(found, form, output, "return" if way_back else "forward")
    click.echo(f"{output}: {first}")
    for remark in remarks:
        click.echo(f"        {remark}", err=True)
