# SPDX-License-Identifier: Apache-2.0
"""The tool's own judgement of a run, as the self-test asks for it: that of every run, told nothing of any fault."""

from __future__ import annotations

from latlab.errors import MeasurementError
from latlab.selftest.score import Reported
from latlab.stats.analysis import analyse
from latlab.store.run_dir import RunDirectory


def find(run: RunDirectory) -> list[Reported]:
    """All anomalies of a run; its document keeps the largest ones only. MeasurementError when it has no samples."""
    kept = run.samples()
    if kept is None:
        raise MeasurementError(f"{run.path} holds no samples", hint="Run the self-test again.")
    return list(analyse(kept.chunks, kept.header, run.document.direction, run.document.timescales).anomalies)
