# SPDX-License-Identifier: Apache-2.0
"""What a scenario will do on a bench, before it does it: the points, what is left out and why, the time and the room.

The time is an estimate, from constants that are all here; it is meant to be right within a factor of two. The room is
that of the raw samples, which a run needs until it has packed them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from latlab.scenario.applicable import applicable
from latlab.scenario.bench_model import AnyBench
from latlab.scenario.model import Netperf, Ping, Point, Probe, Scenario
from latlab.scenario.points import expand, point_label, point_slug, same_set_up, varying_keys

NS_PER_SECOND = 1_000_000_000

BENCH_UP_SECONDS = {"emulated": 8.0, "local": 1.0, "boards": 10.0}
"""Boards get the guest's files, and their NICs a carrier."""
GUEST_BOOT_SECONDS = {"emulated": 8.0, "local": 5.0, "boards": 5.0}
ATTACH_SECONDS = {"emulated": 2.0, "local": 0.5, "boards": 1.0}
"""Making the attachment, the evidence before and after, undoing, and writing the run."""
ROUND_TRIP_SECONDS = {"emulated": 0.002, "local": 0.002, "boards": 0.001}
"""One transaction of netperf; from pings through a tap and a bridge without load (1.4 ms emulated, 1.9 ms local)."""
INSTRUMENT_SECONDS = {"emulated": 1.5, "local": 0.5, "boards": 1.0}
"""Starting and stopping one instrument, or one test of netperf."""
LOAD_SECONDS = 3.0
"""Starting the load, letting it settle, and stopping it."""
SAMPLE_BYTES = 136
"""One record of samples.raw (docs/run-directory.md)."""


@dataclass(frozen=True)
class PlannedPoint:
    """One point that will be measured. `number` counts from 1."""

    number: int
    point: Point
    label: str
    slug: str
    seconds: float


@dataclass(frozen=True)
class LeftOut:
    """One point that will not be measured, and the reason."""

    point: Point
    label: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """All points of a scenario on a bench, in their order, each in exactly one of the two lists."""

    points: tuple[PlannedPoint, ...]
    left_out: tuple[LeftOut, ...]
    seconds: float
    """For the whole scenario: bringing the bench up, and every point."""
    bytes: int
    """Of all raw samples, one record for each packet: what is on disk afterwards is smaller."""


def make_plan(scenario: Scenario, bench: AnyBench) -> Plan:
    """The plan of a scenario on a bench. Pure: no machine is asked."""
    points = expand(scenario)
    varying = varying_keys(points)
    planned: list[PlannedPoint] = []
    left_out: list[LeftOut] = []
    for point in points:
        label = point_label(point, varying)
        reason = applicable(point, bench)
        if reason is not None:
            left_out.append(LeftOut(point, label, reason))
        else:
            shared = bool(scenario.reuse_guest and planned and same_set_up(planned[-1].point, point))
            seconds = estimate_seconds(point, bench.kind, set_up=not shared)
            planned.append(PlannedPoint(len(planned) + 1, point, label, point_slug(point, varying), seconds))
    total = sum(p.seconds for p in planned) + (BENCH_UP_SECONDS[bench.kind] if planned else 0.0)
    return Plan(tuple(planned), tuple(left_out), total, sum(sample_bytes(p.point) for p in planned))


def narrowed(plan: Plan, reason: Callable[[Point], str | None]) -> Plan:
    """The plan without the points for which there is a reason, numbered anew. Pure."""
    kept: list[PlannedPoint] = []
    left_out = list(plan.left_out)
    for planned in plan.points:
        why = reason(planned.point)
        if why is None:
            kept.append(replace(planned, number=len(kept) + 1))
        else:
            left_out.append(LeftOut(planned.point, planned.label, why))
    # What is saved is the time of the points: the bench is up already.
    seconds = plan.seconds - sum(p.seconds for p in plan.points) + sum(p.seconds for p in kept)
    return Plan(tuple(kept), tuple(left_out), seconds, sum(sample_bytes(p.point) for p in kept))


def sample_bytes(point: Point) -> int:
    """The raw samples of one point."""
    return sum(point.flow.count * SAMPLE_BYTES for instrument in point.instruments if isinstance(instrument, Probe))


def estimate_seconds(point: Point, bench_kind: str, *, set_up: bool = True) -> float:
    """How long one point takes on a bench of this kind, in seconds; `set_up`: from scratch."""
    seconds = ATTACH_SECONDS[bench_kind] if set_up else 0.0
    if set_up and point.attachment.kind not in ("baseline", "existing"):
        seconds += GUEST_BOOT_SECONDS[bench_kind]
    if point.load is not None:
        seconds += LOAD_SECONDS
    for instrument in point.instruments:
        runs = len(instrument.tests) if isinstance(instrument, Netperf) else 1
        seconds += runs * INSTRUMENT_SECONDS[bench_kind]
        if isinstance(instrument, Probe):
            flow = point.flow
            seconds += (flow.count * flow.period_ns + flow.timeout_ns) / NS_PER_SECOND
        elif isinstance(instrument, Netperf):
            seconds += runs * instrument.transactions * ROUND_TRIP_SECONDS[bench_kind]
        elif isinstance(instrument, Ping):
            seconds += (instrument.count - 1) * instrument.interval_ns / NS_PER_SECOND
    return seconds


def about(seconds: float) -> str:
    """An estimate as people say it: "about 45 s", "about 3 min", "about 2.5 h", "about 4 days"."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"about {seconds / 3600:.1f} h"
    return f"about {round(seconds / 86400)} days"
