# SPDX-License-Identifier: Apache-2.0
"""Whose fault a shape is, so that what a clock did is never told as the network's.

- A spike has the verdict of the anomaly at its time (`stats.late`, `stats.anomalies`); spikes of different verdicts are
  different shapes. One that no anomaly explains is not judged.
- The round trip is of one clock, so what its level does is the network's (and the hosts').
- A one-way time is of two. What its level does is the network's only if the round trip does it, too, or if both ends
  read one clock. It is the clocks' if the other way does the opposite and the round trip does not. Else it is not
  known; and if it is no more than the bound by which the clocks are known, that is said.
- A loss is the network's: a clock loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from latlab.stats.anomalies import Anomaly, Blame
from latlab.stats.clocks import SHARED, Clocks
from latlab.stats.shapes import LOSS, Shape
from latlab.stats.shapes.spikes import Events
from latlab.stats.shapes.words import time
from latlab.stats.ways import Times

ALIKE = 0.5
"""Of the size of a one-way time's shape the round trip's, or the other way's, is at least."""
SAME_PERIOD = 0.05
_LEVELS = ("drift", "ripple")
_ORDER: tuple[Blame, ...] = ("network", "sender", "clock", "unknown")


@dataclass(frozen=True)
class Judge:
    """`anomalies`: what is known of a run's. `seq`, `time_ns`: of some packets, in order, when the sender set out to
    send them, on its own clock, which may have been set meanwhile: anomalies are told on it."""

    anomalies: Sequence[Anomaly] = ()
    seq: Times = field(default_factory=lambda: np.empty(0, np.int64))
    time_ns: Times = field(default_factory=lambda: np.empty(0, np.int64))

    def when(self, seq: Times, start_ns: int, period_ns: int) -> Times:
        """When these packets set out, by the nearest one before that is known."""
        due = start_ns + seq * period_ns
        if not len(self.seq):
            return due
        near = np.maximum(np.searchsorted(self.seq, seq, side="right") - 1, 0)
        found: Times = self.time_ns[near] + (seq - self.seq[near]) * period_ns
        return found


def blame_of(events: Events, judge: Judge, start_ns: int, period_ns: int, slot_ns: int) -> list[Blame]:
    """The verdict of each event: that of the largest anomaly that overlaps it; a stall before what lasts longer."""
    anomalies = judge.anomalies
    judged = sorted((a for a in anomalies if a.unit == "ns"), key=lambda a: a.start_ns)
    starts = np.array([anomaly.start_ns for anomaly in judged], np.int64)
    ends = np.maximum.accumulate(np.array([anomaly.end_ns for anomaly in judged], np.int64))
    found: list[Blame] = []
    begins, ends_of = (judge.when(seq, start_ns, period_ns).tolist() for seq in (events.first, events.last))
    for begin, last in zip(begins, ends_of, strict=True):
        end = last + period_ns
        # Of a step it is known in which bins it was; a late packet's time is known to a period.
        low = int(np.searchsorted(ends, begin - slot_ns))
        high = int(np.searchsorted(starts, end + slot_ns))
        near = [a for a in judged[low:high] if _overlaps(a, begin, end, period_ns, slot_ns)]
        best = max(near, key=lambda a: ("stall" in a.kind, abs(a.size)), default=None)
        found.append(best.verdict if best is not None else "unknown")
    return found


def _overlaps(anomaly: Anomaly, begin: int, end: int, period_ns: int, slot_ns: int) -> bool:
    slack = 2 * period_ns if "stall" in anomaly.kind else slot_ns
    return anomaly.start_ns <= end + slack and anomaly.end_ns >= begin - slack


def by_verdict(verdicts: Sequence[Blame]) -> list[tuple[Blame, npt.NDArray[np.intp]]]:
    """Each verdict that there is, with the places where it is."""
    named = np.array(verdicts)
    return [(verdict, np.flatnonzero(named == verdict)) for verdict in _ORDER if (named == verdict).any()]


def most(verdicts: Sequence[Blame]) -> Blame:
    """What more than half of them say."""
    for verdict in _ORDER:
        if 2 * sum(other == verdict for other in verdicts) > len(verdicts):
            return verdict
    return "unknown"


def blamed(shapes: Sequence[Shape], clocks: Clocks, *, claimed: bool = False) -> list[Shape]:
    """The shapes of a run's metrics with their verdicts, each as `finding` left it. `claimed`: nothing is known of the
    clocks that the one-way times are of."""
    return [_blamed(shape, shapes, clocks, claimed) for shape in shapes]


def _blamed(shape: Shape, shapes: Sequence[Shape], clocks: Clocks, claimed: bool) -> Shape:
    if shape.metric == LOSS or (shape.metric == "round_trip" and shape.kind in (*_LEVELS, "two modes")):
        return replace(shape, verdict="network")
    if shape.metric == "round_trip":
        return shape
    if claimed:
        told = "nothing is known of the clocks that this was measured with"
        return replace(shape, verdict="unknown", sentence=f"{shape.sentence}; {told}")
    if clocks.method == SHARED:
        return shape if shape.kind in ("spikes", "periodic") else replace(shape, verdict="network")
    if shape.kind not in (*_LEVELS, "two modes"):
        return shape
    if any(other.metric == "round_trip" and _alike(shape, other) for other in shapes):
        return replace(shape, verdict="network")
    other_way = {"up": "down", "down": "up"}[shape.metric]
    if any(other.metric == other_way and _alike(shape, other) and _opposite(shape, other) for other in shapes):
        told = "the other way does the opposite and the round trip does not: that is the clocks'"
        return replace(shape, verdict="clock", sentence=f"{shape.sentence}; {told}")
    bound = clocks.usual_error_ns
    told = "the round trip does not do the same, so it may be the clocks'"
    if abs(shape.value) <= bound:
        told = f"that is within the ± {time(bound)} by which the clocks are known, so it may be theirs"
    return replace(shape, verdict="unknown", sentence=f"{shape.sentence}; {told}")


def _alike(shape: Shape, other: Shape) -> bool:
    """Whether another metric has the same shape: of its kind, time or period, and of half its size at least."""
    if other.kind != shape.kind or abs(other.value) < ALIKE * abs(shape.value):
        return False
    if shape.kind == "ripple":
        ours, theirs = shape.details["period_ns"], other.details["period_ns"]
        return abs(ours - theirs) <= SAME_PERIOD * ours
    if shape.kind == "two modes":
        return True
    if other.metric == "round_trip" and shape.value * other.value < 0:
        return False
    # Both over the whole run, or both changes at about one time.
    lasting = shape.end_ns - shape.start_ns
    if (lasting > 0) != (other.end_ns > other.start_ns):
        return False
    return lasting > 0 or abs(other.start_ns - shape.start_ns) <= shape.details["doubt_ns"] + other.details["doubt_ns"]


def _opposite(shape: Shape, other: Shape) -> bool:
    if abs(shape.value) < ALIKE * abs(other.value):
        return False
    if shape.kind != "ripple":
        return shape.value * other.value < 0
    period = shape.details["period_ns"]
    phases = [one.details.get("phase_ns") for one in (shape, other)]
    if phases[0] is None or phases[1] is None:
        return True  # which of both is ahead is not known of a fast ripple; that the round trip has none is
    apart = (phases[0] - phases[1]) / period % 1
    return abs(apart - 0.5) < 0.15
