# SPDX-License-Identifier: Apache-2.0
"""Keeping an emulated bench up, and looking around in it."""

from __future__ import annotations

import sys

import click

from latlab.hosts import interrupt
from latlab.verbs.options import BENCH


@click.group()
def bench() -> None:
    """Keep an emulated bench up between runs, and look around in it."""


@bench.command()
@BENCH
def up(bench_name: str) -> None:
    """Start an emulated bench and leave it running."""
    from latlab import session
    from latlab.bench import keeper

    name, path = session.bench_file(bench_name)
    with interrupt.at_safe_points(process_ends=True):
        seconds = keeper.start(name, path)
    click.echo(
        f"the bench {name} is up, after {seconds:.1f} s; latlab bench shell looks inside, latlab bench down ends it"
    )


@bench.command()
@BENCH
def down(bench_name: str) -> None:
    """End it; nothing of it stays."""
    from latlab import session
    from latlab.bench import keeper

    name, _ = session.bench_file(bench_name)
    keeper.stop(name)
    click.echo(f"the bench {name} is down")


@bench.command()
@click.argument("words", nargs=-1, metavar="[hypervisor|peer] [-- COMMAND...]")
@BENCH
def shell(words: tuple[str, ...], bench_name: str) -> None:
    """Open a shell on the bench's hypervisor or peer, or run COMMAND there. Without either, the hypervisor."""
    from latlab import session

    where, command = (words[0], words[1:]) if words and words[0] in ("hypervisor", "peer") else ("hypervisor", words)
    with interrupt.at_safe_points(process_ends=True):
        code = session.shell(bench_name, where, list(command))
    sys.exit(code)
