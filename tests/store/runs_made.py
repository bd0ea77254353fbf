# SPDX-License-Identifier: Apache-2.0
"""Folders of runs for the tests of the store."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latlab.store.document import BenchFacts, RunDocument
from latlab.store.run_dir import RunDirectory, open_run
from tests.samples_maker import exchanges, lose, stream

DATA = Path(__file__).parents[1] / "data"
FORMAT_1, CLOCKS = DATA / "run-format-1", DATA / "run-format-1-clocks"
LONG_AGO = 1_600_000_000
"""A time that no file is changed at by chance, in seconds since 1970."""


def add(root: Path, name: str, changes: Mapping[str, Any] | None = None, *, like: Path = FORMAT_1) -> Path:
    """A copy of a sample run as `root`/`name`, with these fields of its run.json changed."""
    path = root / name
    shutil.copytree(like, path)
    change(path, {"id": name, **(changes or {})})
    return path


def change(path: Path, changes: Mapping[str, Any]) -> None:
    document = path / "run.json"
    values = json.loads(document.read_bytes()) | dict(changes)
    document.write_text(json.dumps(values))


def settle(root: Path, seconds: float = LONG_AGO) -> None:
    """As if no file had been changed for long: the index keeps only what does not change any more."""
    for path in root.glob("*/*.json"):
        os.utime(path, (seconds, seconds))


def interrupted(root: Path, name: str, count: int, *, cut: int = 0) -> RunDirectory:
    """A run whose writer died: its samples are still samples.raw, with `cut` bytes missing at the end."""
    document = RunDocument(
        id=name, created=json.loads((FORMAT_1 / "run.json").read_bytes())["created"], scenario="s",
        point={"flow": {"direction": "up"}}, point_id="a1b2c3d4e5f6", attachment="xdp", load="none",
        bench=BenchFacts(kind="local", name="local"), timescales={"sender": "system", "reflector": "system"},
    )  # fmt: skip
    run = RunDirectory(root / name, document)
    run.path.mkdir(parents=True)
    records = exchanges(count, extra_ns=7)
    lose(records, 3)
    raw = stream(records)
    (run.path / "samples.raw").write_bytes(raw[: len(raw) - cut])
    run.save()
    return open_run(run.path)


OLD, NEW, CUT = "20261120T140311Z-old-c46e16", "20261121T090000Z-clocks-480776", "20261122T000000Z-cut-a1b2c3"


def three(folder: Path) -> Path:
    """A folder of runs: one of the first form, one with two clocks, and one that was cut off in the middle."""
    root = folder / "runs"
    add(root, OLD)
    add(root, NEW, like=CLOCKS)
    interrupted(root, CUT, 50, cut=7)
    return root
