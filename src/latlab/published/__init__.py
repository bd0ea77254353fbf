# SPDX-License-Identifier: Apache-2.0
"""Values that others published, to stand beside ours: `published()` reads them, `beside.beside` says of a row of ours
which of them it may be held against, and why not.

The numbers are in the CSV files as they were published, in microseconds; SOURCES.md says where each comes from. What a
number cannot be (a latency of 0, a deviation that its own extremes rule out) is told with it: nothing is corrected.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Literal

PublishedMetric = Literal["round_trip", "up", "down"]

PROJECT = "Linaro, Project Stratos (STR-68)"
MACHINES = "2 x MACCHIATObin (4 x Cortex-A72)"
WEEKLY = "weekly report"
BLOG = 'blog "Network Latency with TSN on Virtual Machine", part 2 (2023-05-15)'
DRAFTS = "the author's public drafts of part 2 of that blog"
SELECTED = "5 minutes picked out of 15, samples over 1000 us and negative ones left out by the author"
REQUEST_WAY = "its report does not say whether up and down are the VM's ways or those of request and reply"
PERIOD_2023_NS = 1_006_000
PACKETS_2023 = 15 * 60 * 1_000_000_000 // PERIOD_2023_NS
"""Of the whole 15 minutes."""

_KINDS = {"rtt": "netperf TCP_RR", "rtt-ping": "ping"}
NS_PER_US = 1_000


@dataclass(frozen=True)
class PublishedValue:
    """One published row. Times in ns; None is what was not published.

    `metric` is ours (`down`: into the VM); `method` is an instrument's name, or words; `load` is in the words of the
    source, `none` without. `selection` says which packets its author left out; `doubts`, what is odd in the row itself.
    """

    source: str
    week: str
    """Of a weekly report: its date. Else the year."""
    metric: PublishedMetric
    method: str
    attachment: str
    direction: str
    load: str
    nic: str
    min_ns: float | None = None
    mean_ns: float | None = None
    max_ns: float | None = None
    stddev_ns: float | None = None
    over_500us: int | None = None
    over_1000us: int | None = None
    period_ns: int | None = None
    selection: str = ""
    note: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """ "vfio, 3 netperf (2023, i225)", "vfio, no load (ping, 2022-03-04, i225)": as a table names it."""
        load = "no load" if self.load == "none" else self.load
        method = f"{self.method.split()[0]}, " if self.method in _KINDS.values() else ""
        return f"{self.attachment}, {load} ({method}{self.week}, {self.nic})"


@functools.cache
def published() -> tuple[PublishedValue, ...]:
    """All published values, in the order of their sources."""
    return (*_weekly(), *_blog(), *_whole())


def _rows(name: str) -> Iterator[dict[str, str]]:
    with files("latlab.published").joinpath(name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _ns(row: Mapping[str, str], column: str) -> float:
    return round(float(row[column]) * NS_PER_US, 3)


def _weekly() -> Iterator[PublishedValue]:
    for row in _rows("study_2022.csv"):
        method = _KINDS.get(row["kind"], row["note"])
        yield PublishedValue(
            source=f"{PROJECT}, {WEEKLY} {row['week']}",
            week=row["week"],
            metric=_metric(row["kind"], row["direction"]),
            method=method,
            attachment=row["attachment"],
            direction=row["direction"],
            load=row["load"],
            nic=row["nic"],
            min_ns=_ns(row, "min_us"),
            mean_ns=_ns(row, "avg_us"),
            max_ns=_ns(row, "max_us"),
            stddev_ns=_ns(row, "stddev_us"),
            note=row["note"],
            doubts=(REQUEST_WAY,) if row["direction"].startswith("host-vm ") else (),
        )


def _metric(kind: str, direction: str) -> PublishedMetric:
    """`host1-vm` goes into the VM; of `vm-host up` the last word says it."""
    if kind != "oneway":
        return "round_trip"
    return "up" if direction.endswith(" up") else "down"


def _blog() -> Iterator[PublishedValue]:
    for row in _rows("study_2023.csv"):
        low = _ns(row, "min_us")
        yield PublishedValue(
            source=f"{PROJECT}, {BLOG}",
            week="2023",
            metric="down",
            method="taprio sample application, wire to guest NIC, with the sender's wake-up and its wait for the gate",
            attachment=row["attachment"],
            direction="host2 -> VM",
            load=row["load"],
            nic="i225",
            min_ns=low,
            mean_ns=_ns(row, "mean_us"),
            max_ns=_ns(row, "max_us"),
            stddev_ns=_ns(row, "stddev_us"),
            period_ns=PERIOD_2023_NS,
            selection=SELECTED,
            doubts=_of_minimum(low),
        )


def _whole() -> Iterator[PublishedValue]:
    for row in _rows("study_2023_full.csv"):
        value = PublishedValue(
            source=f"{PROJECT}, {DRAFTS}",
            week="2023, whole 15 min",
            metric="down",
            method="taprio sample application, wire to guest NIC, with the sender's wake-up and its wait for the gate",
            attachment=row["attachment"],
            direction="host2 -> VM",
            load="3 netperf",
            nic="i225",
            min_ns=_ns(row, "real_min_us"),
            mean_ns=_ns(row, "mean_us"),
            max_ns=_ns(row, "real_max_us"),
            stddev_ns=_ns(row, "stddev_us"),
            over_500us=int(row["over_500us"]),
            over_1000us=int(row["over_1000us"]),
            period_ns=PERIOD_2023_NS,
        )
        yield _with_doubts(value)


def _with_doubts(value: PublishedValue) -> PublishedValue:
    doubts = [*_of_minimum(value.min_ns)]
    if value.over_1000us == 0 and value.max_ns is not None and value.max_ns > 1_000_000:
        doubts.append(f"it counts none over 1000 us, yet its maximum is {value.max_ns / NS_PER_US:.1f} us")
    least = least_stddev_ns(value, PACKETS_2023)
    if value.stddev_ns is not None and value.stddev_ns < least:
        doubts.append(
            f"its own counts and extremes make the stddev at least {least / NS_PER_US:.0f} us: mean and stddev leave "
            "packets out"
        )
    return replace(value, doubts=tuple(doubts))


def _of_minimum(low_ns: float | None) -> tuple[str, ...]:
    if low_ns is None or low_ns > 0:
        return ()
    return (f"its minimum of {low_ns / NS_PER_US:.1f} us is no latency: the clocks were apart",)


def least_stddev_ns(value: PublishedValue, n: int) -> float:
    """The smallest standard deviation that `n` values with this mean, extremes and counts can have, in ns.

    Cantelli's inequality: if a share p of them lies d above the mean (or below), it is at least d sqrt(p / (1 - p)).
    """
    mean = value.mean_ns or 0.0
    away = [(1, abs(edge - mean)) for edge in (value.min_ns, value.max_ns) if edge is not None]
    for count, above_ns in ((value.over_500us, 500_000.0), (value.over_1000us, 1_000_000.0)):
        if count and above_ns > mean:
            away.append((count, above_ns - mean))
    return max((distance * math.sqrt(count / (n - count)) for count, distance in away), default=0.0)
