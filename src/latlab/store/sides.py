# SPDX-License-Identifier: Apache-2.0
"""From what a user types for one run or several to the runs: `find_run`'s words, patterns, labels, folders, baselines.

latest                       20261120T1403           runs/2026...            as find_run takes them
2026*-tap-bridge-*           a pattern of ids, or of paths
label:NAME                   the runs that have this label
other-runs/                  all runs of a folder
baseline:NAME                the runs of a baseline
ONE,ANOTHER                  all of these
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from pathlib import Path

from latlab.errors import StoreError
from latlab.store.baselines import PREFIX, baseline_runs
from latlab.store.find import find_run
from latlab.store.index import entries
from latlab.store.run_dir import RunDirectory, is_run, open_run, run_paths

LABEL = "label:"


def runs_of(root: Path, words: str) -> list[RunDirectory]:
    """The runs that `words` mean, each once, in the order of the words. Raises StoreError if a word means none, or one
    of them cannot be read."""
    found: dict[Path, RunDirectory] = {}
    for word in words.split(","):
        for run in _one(root, word.strip()):
            found.setdefault(run.path.resolve(), run)
    return list(found.values())


def _one(root: Path, word: str) -> list[RunDirectory]:
    if word.startswith(PREFIX):
        return baseline_runs(root, word.removeprefix(PREFIX))
    if word.startswith(LABEL):
        name = word.removeprefix(LABEL)
        labelled = [entry.path for entry in entries(root) if name in entry.labels]
        return _opened(labelled, f"no run in {root} has the label {name!r}")
    if any(letter in word for letter in "*?["):
        matching = [path for path in run_paths(root) if fnmatch.fnmatchcase(path.name, word)]
        matching = matching or sorted(path for path in _glob(Path(word)) if is_run(path))
        return _opened(matching, f"no run matches {word!r}, neither by its id in {root} nor by its path")
    if word and Path(word).is_dir() and not is_run(Path(word)):
        return _opened(run_paths(Path(word)), f"there are no runs in {word}")
    return [find_run(root, word)]


def _glob(pattern: Path) -> Iterator[Path]:
    start = Path(pattern.anchor)
    yield from start.glob(str(pattern.relative_to(start)))


def _opened(paths: list[Path], none: str) -> list[RunDirectory]:
    if not paths:
        raise StoreError(none, hint="`latlab list` shows the runs")
    return [open_run(path) for path in paths]
