# SPDX-License-Identifier: Apache-2.0
"""The tool's own judgement of a run, as the self-test asks for it: that of every run, told nothing of any fault."""

from __future__ import annotations

from dataclasses import dataclass

from latlab.errors import MeasurementError
from latlab.selftest.score import Reported
from latlab.stats.analysis import analyse
from latlab.store.document import AnomalyRecord
from latlab.store.run_dir import RunDirectory

SYNC_LOG = ("master-lost", "fault-reset", "servo")
"""Kinds that the packets alone cannot show."""


@dataclass(frozen=True)
class Said:
    """What a run's document tells of its sync log."""

    record: AnomalyRecord
    way: str | None = None

    @property
    def verdict(self) -> str:
        return self.record.verdict

    @property
    def kind(self) -> str:
        return self.record.kind

    @property
    def start_ns(self) -> int:
        return self.record.start_ns

    @property
    def end_ns(self) -> int:
        return self.record.end_ns

    @property
    def size(self) -> float:
        return self.record.size

    @property
    def bound(self) -> float | None:
        return self.record.bound


def find(run: RunDirectory) -> list[Reported]:
    """All anomalies of a run; its document keeps the largest ones only. MeasurementError when it has no samples."""
    kept = run.samples()
    if kept is None:
        raise MeasurementError(f"{run.path} holds no samples", hint="Run the self-test again.")
    found = analyse(kept.columns, kept.header, run.document.direction, run.document.timescales).anomalies
    return [*found, *(Said(record) for record in run.document.anomalies if record.kind in SYNC_LOG)]
