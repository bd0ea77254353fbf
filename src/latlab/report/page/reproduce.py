# SPDX-License-Identifier: Apache-2.0
"""How to measure a run again: its scenario with every option written out, and the exact commands of it as a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from latlab.hosts.commands import as_shell
from latlab.report.layout import printable
from latlab.scenario.model import Point
from latlab.scenario.write import scenario_yaml
from latlab.store.document import RunDocument
from latlab.store.run_dir import RunDirectory

LONGEST_LINE = 2_000


def scenario_of(document: RunDocument) -> str:
    """The scenario file; a comment that says why there is none, for what latlab did not measure itself."""
    try:
        return scenario_yaml(Point.model_validate(document.point), document.scenario)
    except ValidationError:
        kind = "another program measured it" if document.bench.kind == "imported" else "its point is not a whole one"
        return f"# no scenario of latlab's gives this run: {kind}\n"


def command_of(document: RunDocument) -> str:
    """What runs that scenario."""
    name = document.bench.name or document.bench.kind
    return "" if document.bench.kind == "imported" else f"latlab run scenario.yaml --bench {name}"


def script_of(run: RunDirectory, most: int) -> str:
    """Every command of the run in its order, the host behind it; "" if there is no log of them."""
    if not run.commands.exists() or most <= 0:
        return ""
    lines: list[str] = []
    left_out = 0
    for line in _lines(run.commands):
        if len(lines) < most:
            lines.append(line)
        else:
            left_out += 1
    if left_out:
        lines.append(f"# {left_out} more commands are in {run.commands.name} of the run's directory")
    return "\n".join(lines) + "\n" if lines else ""


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, text in enumerate(file, 1):
            try:
                yield _line(json.loads(text))
            except (ValueError, KeyError, TypeError, AttributeError):
                yield f"# line {number} of {path.name} cannot be read"


def _line(record: dict[str, Any]) -> str:
    files = {int(fd): str(name) for fd, name in (record.get("files") or {}).items()}
    words = as_shell([str(word) for word in record["argv"]], files=files, background=bool(record.get("background")))
    if len(words) > LONGEST_LINE:
        words = f"# {printable(words[:LONGEST_LINE])} ... ({len(words)} characters)"
    code = record.get("exit_code")
    ended = "" if code in (0, None) else f", ended with {printable(str(code))}"
    return f"{words}  # on {printable(str(record['host']))}{ended}"
