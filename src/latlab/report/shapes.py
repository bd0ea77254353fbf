# SPDX-License-Identifier: Apache-2.0
"""The shapes of a run in time, as `latlab show` tells them: each a sentence, whose fault it is, and how sure that is.

A one-way time that only repeats what the round trip has is told with it. What the clocks did, or may have done, stands
apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from latlab.report.layout import STYLES, paragraph
from latlab.stats.stamps import METRICS
from latlab.store.document import RunDocument, ShapeRecord

ALIKE = 0.1
"""Of a period, a height or a time: no further are two shapes apart that are one."""
_CLOCKS = ("clock", "unknown")


def append_shapes(text: Text, document: RunDocument) -> None:
    """Nothing, if the run has none."""
    told = with_repeats(document.shapes)
    for title, chosen in (
        ("over time", [pair for pair in told if not _apart(pair[0])]),
        ("over time, of the clocks or not known whose", [pair for pair in told if _apart(pair[0])]),
    ):
        if chosen:
            text.append(f"\n {title}\n", "bold")
        for shape, also in chosen:
            style = STYLES["suspect"] if shape.verdict == "clock" else ""
            paragraph(text, "   ", shape_line(shape, also), style)


def shape_line(shape: ShapeRecord, also: Sequence[str] = ()) -> str:
    """`also`: further metrics that show it."""
    where = f", and in {' and '.join(also)}" if also else ""
    return f"{metric_words(shape.metric)}: {shape.sentence} ({shape.verdict}, {_percent(shape.confidence)} sure{where})"


def metric_words(metric: str) -> str:
    """A metric as tables call it: `round trip`, `up`."""
    return {m.name: m.label for m in METRICS if m.leg is None}.get(metric, metric)


def with_repeats(shapes: Sequence[ShapeRecord]) -> list[tuple[ShapeRecord, list[str]]]:
    """Each shape, without those of one-way times that only repeat one of the round trip; and which metrics do."""
    told: list[tuple[ShapeRecord, list[str]]] = []
    for shape in shapes:
        same = [also for other, also in told if other.metric == "round_trip" and _repeats(shape, other)]
        if shape.metric in ("up", "down") and same:
            if shape.metric not in same[0]:
                same[0].append(shape.metric)
        else:
            told.append((shape, []))
    return told


def _repeats(shape: ShapeRecord, other: ShapeRecord) -> bool:
    if (shape.kind, shape.verdict) != (other.kind, other.verdict):
        return False
    if shape.kind == "spikes":
        return bool(set(shape.members) & set(other.members))
    if shape.kind == "ripple":
        return _near(shape.details.get("period_ns", 0), other.details.get("period_ns", 0))
    if shape.kind == "drift":
        apart = abs(shape.start_ns - other.start_ns)
        doubt = other.details.get("doubt_ns", 0.1 * (other.end_ns - other.start_ns))
        return apart <= doubt and _near(shape.value, other.value, 0.5)
    return _near(shape.value, other.value)


def _near(one: float, other: float, share: float = ALIKE) -> bool:
    return abs(one - other) <= share * abs(other)


def _apart(shape: ShapeRecord) -> bool:
    return shape.verdict in _CLOCKS and shape.metric in ("up", "down")


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
