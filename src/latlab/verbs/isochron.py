# SPDX-License-Identifier: Apache-2.0
"""From the files of isochron to runs; `export` has the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from latlab.verbs.options import JSON, RUNS


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
