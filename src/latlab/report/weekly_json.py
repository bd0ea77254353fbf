# SPDX-License-Identifier: Apache-2.0
"""The weekly report for programs: the same rows, with times in ns."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from latlab.report.weekly import Weekly
from latlab.report.weekly_rows import WeeklyRow, combined
from latlab.stats.summary import Summary


def weekly_json(report: Weekly) -> dict[str, Any]:
    """`new` is null where no report went out before; `metrics` holds what a run of the row measured, as in run.json."""
    return {
        "number": report.number,
        "date": report.today.isoformat(),
        "since": report.since or None,
        "rows": [_row(row) for row in report.rows],
        "broken": list(report.broken),
        "journal": {
            section: [
                {
                    "text": one.item.text,
                    "state": one.item.state or None,
                    "date": one.item.on.isoformat() if one.item.on else None,
                    "carried": one.carried,
                }
                for one in told
            ]
            for section, told in report.journal.items()
        },
        "published": [
            {**asdict(one.value), "comparable": one.comparable, "why_not": list(one.why_not)}
            for part in report.benches
            for one in part.published.values
        ],
    }


def _row(row: WeeklyRow) -> dict[str, Any]:
    first = row.documents[0]
    keys = dict.fromkeys(key for document in row.documents for key in document.metrics) if row.usable else {}
    metrics: dict[str, Any] = {}
    for key in keys:
        measured = [result for d in row.documents if isinstance(result := d.metrics.get(key), Summary)]
        metrics[key] = asdict(combined(measured)) if measured else None
    return {
        "label": row.label,
        "new": row.new,
        "runs": [document.id for document in row.documents],
        "bench": first.bench.kind,
        "attachment": first.attachment,
        "load": first.load,
        "verdict": row.verdict,
        "reasons": list(dict.fromkeys(reason for d in row.documents for reason in d.verdict.reasons)),
        "metrics": metrics,
        "lost": sum(document.counts.lost for document in row.documents),
    }
