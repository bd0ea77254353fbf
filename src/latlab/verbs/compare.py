# SPDX-License-Identifier: Apache-2.0
"""Runs beside each other: compare, and the baselines that have names."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click

from latlab.errors import UsageError
from latlab.verbs.options import JSON, RUNS


def _words(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Each of them may hold several, with commas between."""
    return tuple(dict.fromkeys(word.strip() for text in value for word in text.split(",") if word.strip()))


def parse_tolerance(text: str) -> float:
    """ "5%" as a share. Raises UsageError for anything but a percentage from 0 to below 10,000."""
    match = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,6})?) ?%", text.strip(), re.ASCII)
    if match is None:
        likely = f"{text.strip()}%" if re.fullmatch(r"[0-9.]{1,9}", text.strip()) else "5%"
        raise UsageError(f"not a tolerance: {text!r}", hint=f"it is a share of A's value: write --tolerance {likely}")
    return float(match[1]) / 100


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--metric", "metrics", multiple=True, callback=_words, metavar="NAME",
              help="What decides: round_trip (usual), up, down, a stage such as up_send_path, or lost.")  # fmt: skip
@click.option("--quantile", "quantiles", multiple=True, callback=_words, metavar="NAME",
              help="Which of its numbers: p50, p90, p99 (usual) ... p99.9999, min, mean, max.")  # fmt: skip
@click.option("--tolerance", default="0%", show_default=True, help="B may be so much worse, as a share of A.")
@click.option("--under-test", multiple=True, callback=_words, metavar="WHAT",
              help="What may differ, and nothing else: kernel, load, flow, nic, ... Usual: attachment.")  # fmt: skip
@click.option("--stages", is_flag=True, help="Every stage of the way too, not only whole ways.")
@click.option("--without-invalid", is_flag=True, help="Leave out runs that cannot be believed.")
@RUNS
@JSON
def compare(a: str, b: str, metrics: tuple[str, ...], quantiles: tuple[str, ...], tolerance: str,
            under_test: tuple[str, ...], stages: bool, without_invalid: bool, runs: Path,
            as_json: bool) -> None:  # fmt: skip
    """Say by how much B is worse or better than A, or that it is undecided.

    A and B are each a run (as in `latlab show`), several (ONE,ANOTHER, a pattern, label:NAME, a folder), or
    baseline:NAME. Several runs a side tell how much runs differ; one cannot.

    Exit code 1 when B is worse, beyond noise and tolerance; 2 when runs cannot be believed; 3 when they must not be
    compared.
    """
    from latlab.comparison import compare as compared
    from latlab.report.compare import compare_json, compare_text
    from latlab.report.layout import print_text
    from latlab.stats.comparing import Question

    question = Question(metrics, quantiles, parse_tolerance(tolerance), under_test, stages=stages)
    found = compared(a, b, runs, question, without_invalid=without_invalid)
    if as_json:
        click.echo(json.dumps(compare_json(found), indent=1))
    else:
        print_text(compare_text(found), sys.stdout)
    sys.exit(found.exit_code)


@click.group()
def baseline() -> None:
    """Give runs a name to compare with: latlab compare baseline:NAME RUN."""


@baseline.command("set")
@click.argument("name")
@click.argument("chosen", nargs=-1, required=True, metavar="RUN...")
@RUNS
def set_(name: str, chosen: tuple[str, ...], runs: Path) -> None:
    """Give NAME to these runs, each said as for `latlab compare`."""
    from latlab.store.baselines import set_baseline
    from latlab.store.sides import runs_of

    found = [run for words in chosen for run in runs_of(runs, words)]
    before = set_baseline(runs, name, found)
    count = len({run.path for run in found})
    click.echo(f"baseline {name}: {count} run{'s' if count > 1 else ''}{f', in place of {before}' if before else ''}")


@baseline.command("list")
@RUNS
@JSON
def list_(runs: Path, as_json: bool) -> None:
    """Show the baselines."""
    from latlab.report.compare import baselines_text
    from latlab.report.layout import print_text
    from latlab.store.baselines import read_baselines

    known = read_baselines(runs)
    if as_json:
        click.echo(json.dumps({name: entry.model_dump(mode="json") for name, entry in known.items()}, indent=1))
        return
    lines = [(name, f"{entry.set:%Y-%m-%d %H:%M} UTC", entry.runs) for name, entry in sorted(known.items())]
    print_text(baselines_text(lines, str(runs)), sys.stdout)


@baseline.command()
@click.argument("name")
@RUNS
def remove(name: str, runs: Path) -> None:
    """Forget NAME; the runs stay."""
    from latlab.store.baselines import remove_baseline

    remove_baseline(runs, name)
    click.echo(f"baseline {name} is forgotten; its runs stay")
