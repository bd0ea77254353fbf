# SPDX-License-Identifier: Apache-2.0
"""Which runs make one row of a weekly report, what the row is called, and the numbers of several runs as one row's.

The run is the unit: of what each run has one of (avg, stddev, a quantile) the row has the median, of min and max the
extremes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from latlab.report.table import row_labels
from latlab.stats.summary import QUANTILES, Summary
from latlab.store.document import InstrumentResult, RunDocument, Verdict, VerdictValue

KERNELS = ("kernel of the hypervisor", "kernel of the guest", "kernel of the peer")
_WORST = {"valid": 0, "suspect": 1, "invalid": 2}


@dataclass(frozen=True)
class WeeklyRow:
    """Runs of one point that make one row."""

    label: str
    documents: Sequence[RunDocument]
    new: bool | None

    @property
    def verdict(self) -> VerdictValue:
        return max((document.verdict.value for document in self.documents), key=_WORST.__getitem__)

    @property
    def usable(self) -> bool:
        return usable(self.documents[0])


def usable(document: RunDocument) -> bool:
    """Whether a run has numbers that a table may show."""
    return document.status == "done" and document.verdict.value != "invalid"


def _kernels(document: RunDocument) -> tuple[str, ...]:
    return tuple(document.versions.get(name, "") for name in KERNELS)


def rows_of(documents: Sequence[RunDocument], new: Mapping[int, bool | None]) -> list[WeeklyRow]:
    """Runs of one point and kernel, all new or none, with numbers or without: a row, where its first run stands."""
    found: dict[object, list[RunDocument]] = {}
    for document in documents:
        state = "usable" if usable(document) else document.status
        key = (document.point_id, _kernels(document), new[id(document)], state)
        found.setdefault(key, []).append(document)
    rows = list(found.values())
    of_points = {members[0].point_id: members[0] for members in rows}
    words = dict(zip(of_points, row_labels(list(of_points.values())), strict=True))
    labels = [words[members[0].point_id] for members in rows]
    for extra in (_kernel_words, _last_day):
        seen = list(labels)
        labels = [
            f"{label}, {extra(members)}" if seen.count(label) > 1 and _differ(extra, rows, seen, label) else label
            for label, members in zip(seen, rows, strict=True)
        ]
    labels = [f"{label} ({labels[:at].count(label) + 1})" if label in labels[:at] else label
              for at, label in enumerate(labels)]  # fmt: skip
    return [WeeklyRow(label, members, new[id(members[0])]) for label, members in zip(labels, rows, strict=True)]


def _differ(
    extra: Callable[[Sequence[RunDocument]], str],
    rows: Sequence[Sequence[RunDocument]],
    labels: Sequence[str],
    one: str,
) -> bool:
    return len({extra(row) for row, label in zip(rows, labels, strict=True) if label == one}) > 1


def _kernel_words(documents: Sequence[RunDocument]) -> str:
    return "kernel " + "/".join(dict.fromkeys(word for word in _kernels(documents[0]) if word) or ("not known",))


def _last_day(documents: Sequence[RunDocument]) -> str:
    return max(document.created for document in documents).date().isoformat()


def combined(summaries: Sequence[Summary]) -> Summary:
    """Of the runs of one point: extremes of all, medians of what each run has one of, the largest bound.

    A quantile that one run does not support is None. Raises ValueError without summaries.
    """
    if len(summaries) == 1:
        return summaries[0]
    deviations = [s.stddev_ns for s in summaries if s.stddev_ns is not None]
    quantiles: dict[str, int | None] = {}
    for name in QUANTILES:
        values = [value for s in summaries if (value := s.quantiles_ns.get(name)) is not None]
        quantiles[name] = round(median(values)) if len(values) == len(summaries) else None
    return Summary(
        n=sum(s.n for s in summaries),
        min_ns=min(s.min_ns for s in summaries),
        mean_ns=median(s.mean_ns for s in summaries),
        max_ns=max(s.max_ns for s in summaries),
        stddev_ns=median(deviations) if deviations else None,
        quantiles_ns=quantiles,
        quantile_relative_error=max(s.quantile_relative_error for s in summaries),
        bound_ns=max(s.bound_ns for s in summaries),
    )


def with_instruments(row: WeeklyRow) -> RunDocument:
    """The row's last run, with the instruments of all its runs put together in the same way."""
    last = row.documents[-1]
    if len(row.documents) == 1:
        return last
    names = dict.fromkeys(name for document in row.documents for name in document.instruments)
    found = {}
    for name in names:
        results = [document.instruments[name] for document in row.documents if name in document.instruments]
        measured = [result for result in results if result.not_measured is None]
        found[name] = _instruments(measured) if measured else results[-1]
    return last.model_copy(update={"instruments": found, "verdict": Verdict(value=row.verdict)})


def _instruments(results: Sequence[InstrumentResult]) -> InstrumentResult:
    def values(name: str) -> list[Any]:
        return [value for result in results if (value := getattr(result, name)) is not None]

    ways: dict[str, Callable[[list[Any]], Any]] = {
        "n": sum, "lost": sum, "min_ns": min, "mean_ns": median, "max_ns": max, "stddev_ns": median,
        "transactions_per_s": median,
    }  # fmt: skip
    return InstrumentResult(**{name: way(there) for name, way in ways.items() if (there := values(name))})
