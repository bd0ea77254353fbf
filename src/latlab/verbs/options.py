# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs have, said the same way everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

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

_FILTERS = (
    ("attachment", "PATTERN", "Only runs with this attachment, such as 'ovs*'. All of these may be said again."),
    ("load", "PATTERN", "With this load, as the list shows it."),
    ("bench", "PATTERN", "On this bench, by its kind or its name."),
    ("kernel", "PATTERN", "With this kernel on one of its machines; its beginning will do."),
    ("label", "PATTERN", "With this label; several: with all of them."),
    ("scenario", "PATTERN", "Of this scenario."),
    ("verdict", "VERDICT", "With this verdict: valid, suspect, invalid."),
)
_TIMES = (
    ("since", "Begun at this time or later: 2026-11-20, 2026-11-20T14:03 (UTC), or 2h, 3d, 4w ago."),
    ("until", "Begun at this time or before; a day alone counts to its end."),
)


def filters(function: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose runs, and gives them as `wanted`, a `store.select.Wanted`."""

    @wraps(function)
    def asked(**values: Any) -> None:
        from latlab.store.select import Wanted, parse_time

        now = datetime.now(UTC)
        given: dict[str, Any] = {name: values.pop(f"of_{name}") for name, _, _ in _FILTERS}
        for name, _ in _TIMES:
            text = values.pop(name)
            given[name] = None if text is None else parse_time(text, now, end=name == "until")
        function(wanted=Wanted(**given), **values)

    for name, text in reversed(_TIMES):
        asked = click.option(f"--{name}", metavar="TIME", help=text)(asked)
    for name, metavar, text in reversed(_FILTERS):
        asked = click.option(f"--{name}", f"of_{name}", multiple=True, metavar=metavar, help=text)(asked)
    return asked
