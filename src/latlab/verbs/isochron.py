# SPDX-License-Identifier: Apache-2.0
"""Between runs and the files of isochron: import, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from latlab.verbs.options import JSON, RETURN, RUNS


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--direction",
    type=click.Choice(["down", "up"]),
    default="down",
    show_default=True,
    help="Where its packets went: into the measured machine, or out of it.",
)
@RUNS
@JSON
def import_file(file: Path, direction: Literal["down", "up"], runs: Path, as_json: bool) -> None:
    """Make a run of FILE, a log of isochron (isochron.dat)."""
    from latlab.isochron.importing import import_log

    run = import_log(file, runs, direction)
    if as_json:
        click.echo(json.dumps({"id": run.id, "path": str(run.path)}))
    else:
        counts = run.document.counts
        click.echo(f"{run.path}: {counts.sent} packets sent, {counts.received} received; latlab show {run.path}")


@click.command()
@click.argument("run", default="latest")
@click.option("-f", "--format", "_format", type=click.Choice(["isochron"]), required=True, help="Whose file.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE")
@RETURN
@RUNS
def export(run: str, _format: str, output: Path, way_back: bool, runs: Path) -> None:
    """Write one RUN (see `latlab show`) as a file of another program."""
    from latlab.isochron.exporting import export_log
    from latlab.store.find import find_run

    told = export_log(find_run(runs, run), "return" if way_back else "forward", output)
    click.echo(f"{output}: {told.packets} packets, {told.not_received} not received")
    for remark in told.remarks():
        click.echo(f"        {remark}", err=True)
