# SPDX-License-Identifier: Apache-2.0
"""Watching a run that another process measures."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from latlab.hosts import interrupt
from latlab.verbs.options import JSON, RUNS


@click.command()
@click.argument("run", default="latest")
@RUNS
@JSON
@click.option("--once", is_flag=True, help="Show how it stands now, and end.")
def watch(run: str, runs: Path, as_json: bool, once: bool) -> None:
    """Show a RUN while it goes on (see `latlab show`), until it ends; Ctrl-C leaves it alone.

    With --json, one object a second, a line each.
    """
    from latlab import watching

    with interrupt.at_safe_points(process_ends=True):
        code = watching.watch(runs, run, as_json=as_json, once=once)
    sys.exit(code)
