# SPDX-License-Identifier: Apache-2.0
"""What lists and selections need to know of a run: a line of the index, made of run.json and labels.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latlab.errors import StoreError
from latlab.stats.clocks import UNKNOWN
from latlab.store.labels import read_labels

if TYPE_CHECKING:
    from latlab.store.document import RunDocument
    from latlab.store.run_dir import BrokenRun, RunDirectory

KEPT_METRICS = ("round_trip", "up", "down")
BROKEN = "broken"
"""The status of a directory whose run.json cannot be read."""


@dataclass(frozen=True)
class Entry:
    """One run directory. What a run does not have is None or empty; times are ns; `created` is ISO 8601, UTC.

    `metrics` has those of `KEPT_METRICS` that the run has, as run.json gives them. `kernels`: by machine, in run.json's
    words ("hypervisor", "guest"; "" where an old run does not say). `reasons` of a broken run say what is left of it.
    `timescales`: as `compared` has them.
    """

    path: Path
    status: str
    verdict: str
    reasons: list[str]
    created: str | None = None
    finished: str | None = None
    scenario: str | None = None
    bench: dict[str, str] | None = None
    """kind, name, accelerator, nic, cable."""
    attachment: str | None = None
    load: str | None = None
    direction: str | None = None
    point_id: str | None = None
    repeat: int | None = None
    kernels: dict[str, str] = field(default_factory=dict)
    timescales: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, Any] | None = None
    anomaly_counts: dict[str, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def broken(self) -> bool:
        return self.status == BROKEN

    @property
    def round_trip(self) -> dict[str, Any] | None:
        """Its summary, if it was measured."""
        return self.measured("round_trip")

    def measured(self, metric: str) -> dict[str, Any] | None:
        """The summary of a metric of `KEPT_METRICS`, if it was measured."""
        found = self.metrics.get(metric)
        return None if found is None or "not_measured" in found else found

    def as_json(self) -> dict[str, Any]:
        """All but the path, for the index."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del values["path"]
        return values


def entry_of(run: RunDirectory | BrokenRun) -> Entry:
    """The entry of a run that was read. Labels that cannot be read become a reason of the verdict."""
    from latlab.store.run_dir import BrokenRun

    labels, complaints = _labels(run.path)
    if isinstance(run, BrokenRun):
        reasons = [run.reason, run.salvage] if run.salvage else [run.reason]
        return Entry(run.path, BROKEN, "invalid", [*reasons, *complaints], labels=labels)
    document = run.document
    values = document.model_dump(mode="json", include={"created", "finished"})
    return Entry(
        path=run.path,
        status=document.status,
        verdict=document.verdict.value,
        reasons=[*document.verdict.reasons, *complaints],
        created=values["created"],
        finished=values["finished"],
        scenario=document.scenario,
        bench={key: getattr(document.bench, key) for key in ("kind", "name", "accelerator", "nic", "cable")},
        attachment=document.attachment,
        load=document.load,
        direction=document.direction,
        point_id=document.point_id,
        repeat=document.repeat,
        kernels={
            key.removeprefix("kernel").removeprefix(" of the "): version
            for key, version in document.versions.items()
            if key == "kernel" or key.startswith("kernel of the ")
        },
        timescales=compared(document),
        metrics={key: asdict(document.metrics[key]) for key in KEPT_METRICS if key in document.metrics},
        counts=asdict(document.counts),
        anomaly_counts=dict(document.anomaly_counts),
        labels=labels,
    )


def compared(document: RunDocument) -> dict[str, str]:
    """Clock -> the time that it shows, with what the run itself found of its ends' clocks: those that a method compared
    show one time."""
    scales: dict[str, str] = {str(clock): time for clock, time in document.timescales.items()}
    if document.timing.method != UNKNOWN:
        scales["sender"] = scales["reflector"] = scales.get("sender", document.timing.method)
    return scales


def _labels(path: Path) -> tuple[list[str], list[str]]:
    try:
        return read_labels(path), []
    except StoreError as error:
        return [], [error.message]
