# SPDX-License-Identifier: Apache-2.0
"""Figures for papers."""

from __future__ import annotations

from pathlib import Path

import click

from latlab.errors import UsageError
from latlab.verbs.options import RUNS

_KINDS = ("percentiles", "ccdf", "series", "histogram", "heat", "matrix", "shift")


@click.command()
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("names", nargs=-1, metavar="RUNS...")
@RUNS
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE.svg|png|pdf")
@click.option("--metric", "way", default="round_trip", show_default=True, help="round_trip, up or down.")
@click.option("--at", "statistic", default="p99", show_default=True, help="Of the matrix: p50 ... p99.9999, or max.")
@click.option("--budget", metavar="TIME", help="Of the matrix: what a latency may be, with its unit: 500us.")
@click.option("--width", type=click.Choice(["column", "page"]), default="column", show_default=True)
@click.option("--invalid", is_flag=True, help="Draw runs that are not to be believed as well, and say so beside them.")
def figure(
    kind: str, names: tuple[str, ...], runs: Path, output: Path, way: str, statistic: str, budget: str | None,
    width: str, invalid: bool,
) -> None:  # fmt: skip
    """Draw a figure of RUNS (paths, ids, `latest`, folders), fit for a paper. A shift is of two sides, A and B."""
    from latlab.report import figures
    from latlab.report.writing import asked_budget

    figures.check_output(output)
    asked = figures.Asked(way, statistic, asked_budget(budget), figures.WIDTHS[width], invalid)
    if kind == figures.SHIFT:
        if len(names) != 2:
            raise UsageError("a shift is from A to B", hint=f"latlab figure shift A B -o {output}")
        left_out = figures.draw_shift(names[0], names[1], runs, asked, output)
    else:
        left_out = figures.draw_runs(kind, names, runs, asked, output)
    for line in left_out:
        click.echo(f"left out: {line}", err=True)
    click.echo(str(output))
