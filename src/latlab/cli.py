# SPDX-License-Identifier: Apache-2.0
"""The command line: verbs only. What a verb does is elsewhere, and is imported when it is needed.

Exit codes: 0 fine · 1 worse, or over budget · 2 invalid · 3 usage · 4 the bench is not able · 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from latlab.errors import LatlabError
from latlab.hosts import interrupt
from latlab.verbs import bench, compare, export, figure, isochron, live, report, store
from latlab.verbs import open as opening
from latlab.verbs.options import BENCH, JSON, RUNS, SET


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="latlab")
def cli() -> None:
    """How long a packet takes into, and out of, an application in a virtual machine."""


@cli.command()
@click.argument("scenario")
@BENCH
@SET
@RUNS
@JSON
@click.option("--dry-run", is_flag=True, help="Show the plan; touch nothing.")
@click.option("--show-commands", is_flag=True, help="Show every command, as a script that could be pasted.")
def run(scenario: str, bench_name: str, overrides: tuple[str, ...], runs: Path, as_json: bool, dry_run: bool,
        show_commands: bool) -> None:  # fmt: skip
    """Measure every point of SCENARIO (a file, or a preset's name)."""
    from latlab import session

    made = session.prepare(scenario, bench_name, overrides)
    if dry_run:
        _show_plan(made, as_json)
        if show_commands:
            click.echo("\n".join(session.rehearse(made)))
        return
    with interrupt.at_safe_points(process_ends=True):
        code = session.run(made, runs, as_json=as_json, show_commands=show_commands)
    sys.exit(code)


@cli.command()
@click.argument("scenario")
@BENCH
@SET
@JSON
def plan(scenario: str, bench_name: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show the points of SCENARIO, what is left out and why, and the time it will take."""
    from latlab import session

    _show_plan(session.prepare(scenario, bench_name, overrides), as_json)


def _show_plan(made: Any, as_json: bool) -> None:
    from latlab.report.plan import plan_json, plan_text

    click.echo(json.dumps(plan_json(made.plan), indent=1) if as_json else plan_text(made.plan, made.scenario.name))


@cli.command()
def cleanup() -> None:
    """Undo what latlab processes that were killed had left on this machine; exit code 4 when some of it failed."""
    from latlab import session

    with interrupt.at_safe_points(process_ends=True):
        recovered = session.cleanup()
    if session.root_may_have_more():
        click.echo("What latlab left as root, only root can see and undo: sudo latlab cleanup", err=True)
    for entry in recovered:
        click.echo(str(entry), err=entry.failed)
    if not recovered:
        click.echo("nothing to undo")
    sys.exit(4 if any(entry.failed for entry in recovered) else 0)


@cli.command()
@click.argument("benches", nargs=-1, metavar="[BENCH...]")
@JSON
def doctor(benches: tuple[str, ...], as_json: bool) -> None:
    """Show what each attachment needs on BENCH (default: emulated and local) and lacks; change nothing.

    Exit code 4 when no attachment is ready anywhere.
    """
    from latlab.doctor import examine
    from latlab.report.doctor import doctor_json, doctor_text
    from latlab.report.layout import print_text

    with interrupt.at_safe_points(process_ends=True):
        found = examine(benches)
    if as_json:
        click.echo(json.dumps(doctor_json(found), indent=1))
    else:
        print_text(doctor_text(found), sys.stdout)
    sys.exit(found.exit_code)


@cli.command()
@click.argument("bench", default="emulated")
@click.option("--long", "is_long", is_flag=True, help="At least 200 faults, in a quarter of an hour.")
@click.option("--seed", default=1, show_default=True, help="Of the order of the faults.")
@click.option("--faults", "count", type=click.IntRange(1, 5000), help="How many, in place of the form's own number.")
@click.option("--only", multiple=True, metavar="KIND", help="Only faults of this kind; may be said again.")
@click.option("--attachment", default="baseline", show_default=True, help="Of the guest that the flow goes into.")
@click.option("--runs", type=click.Path(path_type=Path), help="Keep the run's directory, with every packet, there.")
@JSON
def selftest(bench: str, is_long: bool, seed: int, count: int | None, only: tuple[str, ...], attachment: str,
             runs: Path | None, as_json: bool) -> None:  # fmt: skip
    """Inject faults of known size into BENCH and ask latlab to name them.

    Exit code 2 when the bench, or latlab on it, is not as good as it must be.
    """
    from latlab.report.layout import print_text
    from latlab.report.selftest import selftest_json, selftest_text
    from latlab.selftest import story

    with interrupt.at_safe_points(process_ends=True):
        score = story.selftest(story.Asked(bench, is_long, seed, count, attachment, only, runs))
    if as_json:
        click.echo(json.dumps(selftest_json(score), indent=1))
    else:
        print_text(selftest_text(score), sys.stdout)
    sys.exit(0 if score.passed else 2)


@cli.command()
@click.argument("what", type=click.Choice(["scenario", "bench"]))
def schema(what: str) -> None:
    """Print the JSON Schema of scenario or bench files, for editors."""
    from latlab.scenario.schema import bench_schema, scenario_schema

    click.echo(json.dumps(scenario_schema() if what == "scenario" else bench_schema(), indent=2))


_VERBS = (
    *(bench.bench, isochron.import_file, live.watch),
    *(store.list_runs, store.show, store.label, store.sql, opening.open_page, export.export),
    *(compare.compare, compare.baseline, report.report, figure.figure),
)
for _verb in _VERBS:
    cli.add_command(_verb)


def _complain(error: LatlabError) -> None:
    problems = getattr(error, "problems", None)
    if problems:
        for problem in problems:
            click.echo(str(problem), err=True)
    else:
        click.echo(f"latlab: {error.message}", err=True)
        if error.hint:
            click.echo(f"        {error.hint}", err=True)


def _crashed() -> int:
    """A defect of latlab itself: the details go to a file, the user gets one line."""
    with tempfile.NamedTemporaryFile("w", prefix="latlab-defect-", suffix=".txt", delete=False) as f:
        f.write(traceback.format_exc())
    click.echo(f"latlab: this is a defect of latlab itself; please report it with {f.name}", err=True)
    return 4


def main(arguments: list[str] | None = None, command: Callable[..., Any] = cli) -> None:
    """The program. Never lets a traceback out; `LATLAB_TRACEBACK=1` does, for us."""
    try:
        code = command(arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = 3
    except (click.Abort, KeyboardInterrupt):  # click makes the one of the other
        click.echo("latlab: stopped; the machine is as it was found", err=True)
        code = 130
    except LatlabError as error:
        _complain(error)
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has gone
        code = 0
    except Exception:
        if os.environ.get("LATLAB_TRACEBACK"):
            raise
        code = _crashed()
    sys.exit(code if isinstance(code, int) else 0)
