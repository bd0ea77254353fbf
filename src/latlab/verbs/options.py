# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs have, said the same way everywhere."""

from __future__ import annotations

from pathlib import Path

import click

RUNS = click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder of the runs."
)
BENCH = click.option(
    "--bench", "bench_name", default="emulated", show_default=True, help="emulated, emulated-pair, local, or a file."
)
SET = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change the scenario: flow.period=5ms"
)
RETURN = click.option("--return", "way_back", is_flag=True, help="The replies' way instead of the packets' own.")
JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")
