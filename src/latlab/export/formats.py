# SPDX-License-Identifier: Apache-2.0
"""THE table of export's formats, and the one way to write any: beside the file, then in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from latlab.errors import StoreError, UsageError
from latlab.store.disk import os_errors, refuse_what_is_no_file
from latlab.store.run_dir import RunDirectory

Way = Literal["forward", "return"]
Writer = Callable[[Sequence[RunDirectory], Path, Way], list[str]]
"""Writes runs to a path; returns what there is to say: first what was written, then remarks. Raises StoreError."""


@dataclass(frozen=True)
class Format:
    write: Writer
    one_run: bool = False
    """The file holds no more than one run."""
    has_ways: bool = False
    """The file holds one way: the packets', or the replies'."""


def _csv(runs: Sequence[RunDirectory], path: Path, _: Way) -> list[str]:
    from latlab.export.packets import to_table

    return to_table(runs, path, "csv")


def _parquet(runs: Sequence[RunDirectory], path: Path, _: Way) -> list[str]:
    from latlab.export.packets import to_table

    return to_table(runs, path, "parquet")


def _json(runs: Sequence[RunDirectory], path: Path, _: Way) -> list[str]:
    from latlab.export.packets import to_json

    return to_json(runs, path)


def _flent(runs: Sequence[RunDirectory], path: Path, _: Way) -> list[str]:
    from latlab.export.flent import to_flent

    return to_flent(runs[0], path)


def _openmetrics(runs: Sequence[RunDirectory], path: Path, _: Way) -> list[str]:
    from latlab.export.openmetrics import openmetrics
    from latlab.store.find import with_statistics
    from latlab.store.labels import read_labels

    numbers = [(run.id, with_statistics(run), read_labels(run.path)) for run in runs]
    with os_errors(path, "writing"), path.open("w", encoding="utf-8") as file:
        file.writelines(openmetrics(numbers))
    return [f"the numbers of {len(runs)} runs"]


def _isochron(runs: Sequence[RunDirectory], path: Path, way: Way) -> list[str]:
    from latlab.isochron.exporting import export_log

    told = export_log(runs[0], way, path)
    return [f"{told.packets} packets, {told.not_received} not received", *told.remarks()]


FORMATS: dict[str, Format] = {
    "csv": Format(_csv),
    "parquet": Format(_parquet),
    "json": Format(_json),
    "flent": Format(_flent, one_run=True),
    "openmetrics": Format(_openmetrics),
    "isochron": Format(_isochron, one_run=True, has_ways=True),
}


def export(runs: Sequence[RunDirectory], name: str, path: Path, way: Way = "forward") -> list[str]:
    """Write these runs to `path` in the format `name`, in one step: what was there stays until the new file is whole.

    Returns what there is to say of it. UsageError for what the format cannot hold, StoreError when it fails.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}", hint=f"there are {', '.join(FORMATS)}")
    form = FORMATS[name]
    if not runs:
        raise UsageError("there are no runs to export", hint="`latlab list` shows the runs")
    if form.one_run and len(runs) > 1:
        raise UsageError(f"a file of {name} holds one run, and these are {len(runs)}", hint="name one of them")
    if way == "return" and not form.has_ways:
        raise UsageError(f"--return is isochron's: {name} has both ways", hint="leave it out")
    target = path.resolve()
    refuse_what_is_no_file(target)
    with os_errors(path, "writing"), TemporaryDirectory(prefix=".latlab-export-", dir=target.parent) as folder:
        temporary = Path(folder, target.name)
        try:
            told = form.write(runs, temporary, way)
        except StoreError as error:
            raise StoreError(error.message.replace(str(temporary), str(path)), hint=error.hint) from error
        temporary.replace(target)
    return told
