# SPDX-License-Identifier: Apache-2.0
"""Runs that have a name, to be compared with again and again: `baselines.json` in the folder of the runs.

    {"format": 1, "baselines": {"main": {"set": "2026-11-21T14:03:11Z", "runs": ["20261120T140311Z-user-a1b2c3"]}}}

A plain file, replaced in one step. Runs stand in it by their directories' names, so that the folder may be copied, kept
by a CI as an artefact, or put under version control as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from latlab.errors import MeasurementError, StoreError, UsageError
from latlab.store.disk import os_errors, replace_file
from latlab.store.document import now
from latlab.store.run_dir import RunDirectory, is_run, open_run

FILE_NAME = "baselines.json"
FORMAT = 1
PREFIX = "baseline:"
"""Before a baseline's name, where a run is asked for."""
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,79}", re.ASCII)


class Baseline(BaseModel):
    """`runs` are the names of their directories, in the folder that has the baseline."""

    set: datetime
    runs: list[str] = Field(min_length=1)


class _File(BaseModel):
    format: int = FORMAT
    baselines: dict[str, Baseline] = {}


def read_baselines(root: Path) -> dict[str, Baseline]:
    """All baselines of the folder, by name; none if it has no such file. Raises StoreError if it cannot be read."""
    file = root / FILE_NAME
    if not file.exists():
        return {}
    with os_errors(file, "reading"):
        data = file.read_bytes()
    try:
        values = json.loads(data)
        number = values.get("format") if isinstance(values, dict) else None
        if isinstance(number, int) and number > FORMAT:
            raise StoreError(
                f"{file} has format {number}; this latlab reads up to {FORMAT}",
                hint="upgrade latlab to the version that wrote it, or a later one",
            )
        return _File.model_validate(values).baselines
    except (ValueError, ValidationError) as error:
        raise StoreError(f"{file} is damaged", hint="mend it, or delete it and set the baselines anew") from error


def baseline_runs(root: Path, name: str) -> list[RunDirectory]:
    """The runs of a baseline. Raises StoreError when there is no such baseline, or a run of it is gone."""
    known = read_baselines(root)
    if name not in known:
        there = f"there are: {', '.join(sorted(known))}" if known else "latlab baseline set NAME RUN... makes one"
        raise StoreError(f"{root} has no baseline {name!r}", hint=there)
    for run in known[name].runs:
        if Path(run).name != run or not is_run(root / run):
            raise StoreError(
                f"run {run} of baseline {name} is not in {root}", hint=f"set it anew: latlab baseline set {name} RUN..."
            )
    return [open_run(root / run) for run in known[name].runs]


def set_baseline(root: Path, name: str, runs: Sequence[RunDirectory]) -> int:
    """Gives the name to these runs, which are in `root`; returns how many had it before.

    Raises UsageError for a name that is none or a run that is elsewhere, MeasurementError for one that is not to be
    believed, StoreError when the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a baseline", hint="letters, digits and . _ + - only, at most 80")
    names = list(dict.fromkeys(run.path.name for run in runs))
    if not names:
        raise UsageError(f"baseline {name} would have no runs", hint="name at least one run")
    for run in runs:
        if run.path.resolve().parent != root.resolve():
            raise UsageError(
                f"{run.path} is not in {root}: a baseline's runs are kept beside it",
                hint=f"copy it there, or name its folder: --runs {run.path.parent}",
            )
        if run.document.status != "done" or run.document.verdict.value == "invalid":
            reasons = "; ".join(run.document.verdict.reasons) or run.document.status
            raise MeasurementError(f"{run.id} cannot be a baseline: {reasons}", hint="choose runs that are valid")
    known = read_baselines(root)
    before = len(known[name].runs) if name in known else 0
    _write(root, known | {name: Baseline(set=now(), runs=names)})
    return before


def remove_baseline(root: Path, name: str) -> None:
    """Forgets the name; the runs stay. Raises StoreError when there is none."""
    known = read_baselines(root)
    if name not in known:
        there = f"there are: {', '.join(sorted(known))}" if known else "there are none"
        raise StoreError(f"{root} has no baseline {name!r}", hint=there)
    _write(root, {other: baseline for other, baseline in known.items() if other != name})


def _write(root: Path, baselines: dict[str, Baseline]) -> None:
    replace_file(root / FILE_NAME, _File(baselines=baselines).model_dump_json(indent=1).encode() + b"\n")
