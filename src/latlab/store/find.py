# SPDX-License-Identifier: Apache-2.0
"""From what a user types for a run (a path, an id, the beginning of one, `latest`) to the run; and its numbers."""

from __future__ import annotations

from pathlib import Path

from latlab.errors import StoreError
from latlab.store.document import RunDocument, Verdict
from latlab.store.run_dir import DOCUMENT_NAME, RunDirectory, is_run, open_run, run_paths
from latlab.store.statistics import fill

LATEST = "latest"
_SHOWN_CANDIDATES = 4


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


def with_statistics(run: RunDirectory) -> RunDocument:
    """The run's document; metrics and counts are computed from the samples if the run ended before they were saved.

    Samples that cannot be read become one more reason of the verdict.
    """
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
