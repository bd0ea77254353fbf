# SPDX-License-Identifier: Apache-2.0
"""The page of runs, in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from latlab.verbs.options import RUNS


@click.command("open")
@click.argument("names", nargs=-1, metavar="[RUN...]")
@RUNS
def open_page(names: tuple[str, ...], runs: Path) -> None:
    """Open the page of RUNs (see `latlab show`; default: the latest) in the browser, or say where it is."""
    from latlab.browser import show_file
    from latlab.library import report_runs
    from latlab.store.find import find_run

    found = [find_run(runs, name) for name in names or ("latest",)]
    path = report_runs(found)
    reason = show_file(path)
    click.echo(f"{path}" if reason is None else f"{path}: {reason}; open it where there is one")
