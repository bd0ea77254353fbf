# SPDX-License-Identifier: Apache-2.0
"""A run as the page needs it: its document, and the course of its samples, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from latlab.errors import StoreError
from latlab.report.page.judge import Interval, Value, value_of
from latlab.report.page.reduce import (
    WAYS,
    Course,
    Tail,
    Way,
    fields_of,
    metrics_of,
    reduced,
    tail,
)
from latlab.stats.clocks import SHARED, UNKNOWN
from latlab.stats.summary import QUANTILES, NotMeasured, Summary
from latlab.stats.ways import Times
from latlab.store.document import RunDocument
from latlab.store.find import with_statistics
from latlab.store.run_dir import RunDirectory
from latlab.store.samples import PARQUET_NAME, Samples

PER_DECADE = 48
"""Points of a curve for each tenth of the packets: 336 for 10^7 of them."""


@dataclass(frozen=True)
class Drawn:
    """What is drawn of one way of one run; `heat` begins with row `first_row`. `below` are the packets of no time or
    less, which a wrong clock makes: no row of a logarithmic axis can hold them."""

    low_ns: Times
    high_ns: Times
    first_row: int
    heat: Times
    below: int
    curve: Tail


@dataclass
class Measured:
    """`course` is None when there is nothing to draw; `notes` say why, and what else is missing."""

    run: RunDirectory
    document: RunDocument
    course: Course | None = None
    drawn: dict[str, Drawn] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    intervals_ns: dict[str, dict[str, Interval]] = field(default_factory=dict)
    """Of each way and quantile: run.json's, or of older runs those of the samples."""

    def summary(self, way: str) -> Summary | None:
        found = self.document.metrics.get(way)
        return found if isinstance(found, Summary) else None

    def value(self, way: str, statistic: str) -> Value:
        found = self.summary(way)
        return Value(None, None, 0) if found is None else value_of(found, self.intervals_ns.get(way, {}), statistic)

    def why_not(self, way: str) -> str:
        """Why there is no number; "" if there is one."""
        found = self.document.metrics.get(way)
        return found.not_measured if isinstance(found, NotMeasured) else "" if found else "not measured"


def measure(run: RunDirectory, ways: Sequence[str] = WAYS) -> Measured:
    """Reads the run's samples. What cannot be read is said in the notes: it is no reason to show nothing.

    `ways`: what is wanted of `WAYS`; fewer are read faster.
    """
    made = Measured(run, with_statistics(run))
    try:
        samples = run.samples()
        if samples is None or made.document.status == "running":
            made.notes.append("no samples to draw: " + ("there are none" if samples is None else "the run goes on"))
        else:
            _read(made, samples, ways)
    except StoreError as error:
        made.course = None
        made.notes.append(error.message)
    return made


def _read(made: Measured, samples: Samples, wanted: Sequence[str]) -> None:
    document = made.document
    if samples.cut_bytes:
        made.notes.append("the samples end within a record: they are read up to the last whole one")
    ways = [way for way in wanted if made.summary(way)]
    if document.timing.method not in (UNKNOWN, SHARED) and not (made.run.path / PARQUET_NAME).exists():
        one_way = [way for way in ways if way != "round_trip"]
        if one_way:
            made.notes.append("the run did not finish: the offset of its clocks was not stored packet by packet, so "
                              "its one-way times are not drawn")  # fmt: skip
        ways = [way for way in ways if way not in one_way]
    metrics = metrics_of(document.direction, ways)
    timing, fields = document.timing, fields_of(metrics)
    packets = max((int(chunk.seq.max()) + 1 for chunk, *_ in samples.with_clocks(["seq"]) if len(chunk)), default=0)
    if not packets:
        made.notes.append("no samples to draw: there are none")
        return
    made.course = reduced(samples.with_clocks(fields), metrics, document.direction, packets,
                          max(1, samples.header.period_ns), timing.offset_ns, timing.rate_ppb)  # fmt: skip
    for name, way in made.course.ways.items():
        if way.distribution.n:
            stored = made.summary(name)
            own = dict(zip(QUANTILES, way.distribution.intervals(list(QUANTILES.values())), strict=True))
            made.intervals_ns[name] = _pairs(stored.intervals_ns) if stored and stored.intervals_ns else own
            made.drawn[name] = _drawn(way)
    made.course.ways.clear()  # a page of many runs keeps only what it draws


def _pairs(intervals: dict[str, list[int] | None]) -> dict[str, Interval]:
    return {name: (pair[0], pair[1]) if pair else None for name, pair in intervals.items()}


def _drawn(way: Way) -> Drawn:
    below = int(way.heat[:, 0].sum())
    rows = np.flatnonzero(way.heat[:, 1:].any(axis=0)) + 1
    first, last = (int(rows[0]), int(rows[-1])) if len(rows) else (1, 1)
    heat = way.heat[:, first : last + 1].copy()
    return Drawn(way.low_ns, way.high_ns, first, heat, below, tail(way.distribution, PER_DECADE))
