# SPDX-License-Identifier: Apache-2.0
"""From what a user types for runs (a path, an id, the beginning of one, `latest`, a folder) to them; their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latlab.errors import StoreError
from latlab.stats.stamps import METRICS
from latlab.stats.summary import Summary
from latlab.store.document import RunDocument, Verdict
from latlab.store.run_dir import DOCUMENT_NAME, BrokenRun, RunDirectory, is_run, iter_runs, open_run, run_paths
from latlab.store.statistics import fill

LATEST = "latest"
_SHOWN_CANDIDATES = 4
_SPIKY = ("spikes", "periodic")


def find_run(root: Path, name: str) -> RunDirectory:
    """The run that `name` means: `latest`, an id or its unique beginning (under `root`), or a path.

    Raises StoreError if there is none, if there are several, or if it cannot be read.
    """
    paths = run_paths(root)
    if name == LATEST:
        if not paths:
            raise StoreError(f"there are no runs in {root}", hint="`latlab run SCENARIO` makes one")
        return open_run(paths[-1])
    exact = [path for path in paths if path.name == name]
    matching = exact or [path for path in paths if name and path.name.startswith(name)]
    if len(matching) == 1:
        return open_run(matching[0])
    if matching:
        shown = ", ".join(path.name for path in matching[:_SHOWN_CANDIDATES])
        more = f" and {len(matching) - _SHOWN_CANDIDATES} more" if len(matching) > _SHOWN_CANDIDATES else ""
        raise StoreError(f"{name} is the beginning of {len(matching)} runs: {shown}{more}", hint="type more of the id")
    path = Path(name)
    if name and path.name == DOCUMENT_NAME:
        path = path.parent
    if name and path.is_dir():
        if not is_run(path):
            raise StoreError(f"{path} is not the directory of a run", hint="`latlab list` shows the runs")
        return open_run(path)
    raise StoreError(f"there is no run {name!r} in {root}", hint="`latlab list` shows the runs")


def find_runs(root: Path, names: Sequence[str]) -> list[RunDirectory | BrokenRun]:
    """The runs that `names` mean: each as `find_run` takes it, or a folder of runs; all under `root` without a name.

    In the order of the names, oldest first within a folder, each once. A run of a folder may be broken. Raises
    StoreError for a name that means no run, and where there is none at all.
    """
    found: dict[Path, RunDirectory | BrokenRun] = {}
    for name in names or [str(root)]:
        path = Path(name)
        folder = path.is_dir() and not is_run(path)
        runs = list(iter_runs(path)) if folder or not names else [find_run(root, name)]
        if not runs:
            raise StoreError(f"there are no runs in {path}", hint="`latlab run SCENARIO` makes one")
        found |= {run.path.resolve(): run for run in runs if run.path.resolve() not in found}
    return list(found.values())


def with_intervals(run: RunDirectory) -> RunDocument:
    """The run's document; the intervals of its quantiles are computed from the samples if an older latlab left none.

    Only of metrics on one clock: the others' comparison of clocks cannot be made again from the samples alone.
    Raises StoreError if samples cannot be read.
    """
    document = run.document
    without = [key for key, found in document.metrics.items() if isinstance(found, Summary) and not found.intervals_ns]
    samples = run.samples() if without else None
    if samples is None:
        return document
    again = document.model_copy()
    fill(again, samples)
    one_clock = {metric.key(document.direction) for metric in METRICS if not metric.two_clocks}
    metrics = dict(document.metrics)
    for key in without:
        old, new = metrics[key], again.metrics.get(key)
        if key in one_clock and isinstance(old, Summary) and isinstance(new, Summary) and old.n == new.n:
            metrics[key] = replace(old, intervals_ns=new.intervals_ns)
    return document.model_copy(update={"metrics": metrics})


def with_statistics(run: RunDirectory, spikes_over_ns: int | None = None) -> RunDocument:
    """The run's document; metrics and counts are computed from the samples if the run ended before they were saved.

    Samples that cannot be read become one more reason of the verdict. With `spikes_over_ns`, spikes and
    their beat are looked for anew: a spike is what takes longer. StoreError if there are no samples for that.
    """
    if spikes_over_ns is not None:
        return _with_spikes(run, spikes_over_ns)
    if run.document.metrics or run.document.status == "running":
        return run.document
    document = run.document.model_copy()
    try:
        samples = run.samples()
        if samples is not None:
            fill(document, samples)
            if samples.cut_bytes:
                cut = (
                    f"the samples end in the middle of a record: read up to the last whole one, {samples.records} "
                    f"records; {samples.cut_bytes} bytes are left out"
                )
                document.verdict = Verdict(value="invalid", reasons=[*document.verdict.reasons, cut])
    except StoreError as error:
        document.verdict = Verdict(value="invalid", reasons=[*document.verdict.reasons, error.message])
    return document


def _with_spikes(run: RunDirectory, over_ns: int) -> RunDocument:
    samples = run.samples()
    if samples is None or run.document.status == "running":
        raise StoreError(f"{run.path} has no samples to look for spikes in", hint="show it without --spikes-over")
    document, computed = run.document.model_copy(), run.document.model_copy(deep=True)
    fill(computed, samples, spikes_over_ns=over_ns)
    spiky = [shape for shape in computed.shapes if shape.kind in _SPIKY]
    document.shapes = spiky + [shape for shape in document.shapes if shape.kind not in _SPIKY]
    return document
