# SPDX-License-Identifier: Apache-2.0
"""From the series of one metric to its shapes, with their sentences. Whose fault they are is judged later (`blame`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from latlab.stats.bins import Times
from latlab.stats.late import JOIN_NS, JOIN_PERIODS
from latlab.stats.shapes import Shape, beats, spikes
from latlab.stats.shapes.beats import Beat, Covered
from latlab.stats.shapes.levels import Drift, find_drift, least_of
from latlab.stats.shapes.modes import Modes, find_modes
from latlab.stats.shapes.ripple import SHORTEST, Ripple, find_fast, find_ripple
from latlab.stats.shapes.series import Series
from latlab.stats.shapes.spikes import Events, Spikes
from latlab.stats.shapes.words import confident, several, time
from latlab.stats.tube import Floats

MOST_MEMBERS = 1_000
RARE_SETS = (32, 128, 512)
"""So many of the largest exceedances are looked at for a beat, though the tail explains them: together it may not."""
MOST_BEATS = 3
GROUP = 1.3
"""Times the height of one spike the next higher one is of another kind."""
MOST_GROUPS = 8
_MODEL = 16.0
"""For each number of a model of the level, in squares of a slot's noise."""


@dataclass(frozen=True)
class Level:
    """What the level did: drift and ripple, each found in what the other leaves."""

    drift: Drift
    ripple: Ripple | None
    fitted_ns: Floats
    least_ns: float


def find_shapes(series: Series, metric: str, start_ns: int, over_ns: float | None = None) -> list[Shape]:
    """All shapes of one metric, in the order in which a person wants them. `start_ns`: when packet 0 was due."""
    if not series.total:
        return []
    teller = _Teller(series, metric, start_ns)
    found: list[Shape] = []
    spiky = spikes.find(series, over_ns)
    if spiky is not None and len(spiky.events):
        found.append(spikes_shape(series, metric, start_ns, spiky))
    found += [teller.beat(events, beat) for events, beat in _beats(series, spiky)]
    level = level_of(series)
    found += teller.drift(level)
    fast = find_fast(series.blocks, series.period_ns / 1e9, SHORTEST * teller.slot_s, level.least_ns)
    if level.ripple is not None:
        found.append(teller.ripple(level.ripple))
    elif fast is not None:
        found.append(teller.ripple(fast))
    flat = series.sample_ns - level.fitted_ns[teller.slot_of(series.sample)]
    modes = find_modes(flat)
    if modes is not None and not (fast is not None and fast.height_ns > (modes.high_ns - modes.low_ns) / 2):
        found.append(teller.modes(modes))
    return found


def level_of(series: Series) -> Level:
    """Drift and ripple. What is left of a slow ripple looks like changes, and changes look like a ripple: both orders
    are tried, and the one that leaves less is taken."""
    time_s, level = series.time_ns / 1e9, series.level_ns
    least, step = least_of(series.usual_ns, series.spread_ns), series.packets * series.period_ns / 1e9
    tried = []
    first = find_drift(time_s, level, least)
    for base in (first.fitted_ns, _line(time_s, level)):
        ripple = find_ripple(series.slot, step, level - base, least)
        drift = first
        if ripple is not None:
            drift = find_drift(time_s, level - ripple.fitted_ns, least)
            ripple = find_ripple(series.slot, step, level - drift.fitted_ns, least)
        fitted = drift.fitted_ns + (ripple.fitted_ns if ripple is not None else 0.0)
        numbers = 2 * len(drift.changes) + (drift.rise_ns != 0) + (4 if ripple is not None else 0)
        tried.append((level - fitted, numbers, Level(drift, ripple, fitted, least)))
    change = np.diff(level)
    noise = 1.4826 / np.sqrt(2) * float(np.median(np.abs(change - np.median(change)))) if len(change) else 1.0
    noise = max(noise, least / 20, 1e-9)

    def cost(rest: Floats, numbers: int) -> float:
        off = np.minimum(np.abs(rest - np.median(rest)) / noise, 6)
        return float(np.square(off).sum()) + _MODEL * numbers

    return min(tried, key=lambda one: cost(one[0], one[1]))[2]


def _line(time_s: Floats, level: Floats) -> Floats:
    """From the middle of the first third to that of the last."""
    third = len(level) // 3
    if not third:
        return np.zeros(len(level))
    rise = float(np.median(level[-third:]) - np.median(level[:third]))
    return rise * (time_s - time_s[0]) / float(np.median(time_s[-third:]) - np.median(time_s[:third]))


def _beats(series: Series, spiky: Spikes | None) -> list[tuple[Events, Beat]]:
    step = series.packets * series.period_ns
    covered = covered_by(series)
    shortest = 4 * max(JOIN_NS, JOIN_PERIODS * series.period_ns, step // 4) / 1e9
    sets = [spiky.events, *_alike(spiky.events)] if spiky is not None else []
    if spiky is not None and not spiky.given:
        sets += [spikes.largest(series, number) for number in RARE_SETS]
    found: list[tuple[Events, Beat]] = []
    for events in sets:
        left = events[np.sort(np.argsort(-events.excess_ns, kind="stable")[: beats.MOST_EVENTS])]
        while len(found) < MOST_BEATS:
            beat = beats.find_beat(left.seq * (series.period_ns / 1e9), covered, shortest_s=shortest)
            if beat is None:
                break
            found.append((left, beat))
            left = left[np.setdiff1d(np.arange(len(left)), beat.members)]
        if found:
            break
    return found


def _alike(events: Events) -> list[Events]:
    """Events of about one height each, if they have several: what comes on a beat has one cause."""
    order = np.argsort(events.excess_ns, kind="stable")
    cuts = np.flatnonzero(np.diff(np.log(events.excess_ns[order])) > np.log(GROUP)) + 1
    groups = [group for group in np.split(order, cuts) if len(group) >= beats.FEWEST]
    return [events[np.sort(group)] for group in groups if len(group) < len(events)][:MOST_GROUPS]


def covered_by(series: Series) -> Covered:
    """When there were samples, in at most 4,096 bins."""
    first, last = int(series.slot[0]), int(series.slot[-1])
    fold = max(1, -(-(last + 1) // 4_096))
    there = np.zeros(last // fold + 1, bool)
    there[series.slot // fold] = True
    if first // fold == last // fold:
        there[first // fold] = True
    return Covered(fold * series.packets * series.period_ns / 1e9, there)


class _Teller:
    """Puts what was found of one metric into words."""

    def __init__(self, series: Series, metric: str, start_ns: int) -> None:
        self.series, self.metric, self.start_ns = series, metric, start_ns
        self.slot_s = series.packets * series.period_ns / 1e9
        self.begin = start_ns + int(series.slot[0]) * series.packets * series.period_ns
        self.end = self.begin + int(series.span_ns)

    def slot_of(self, seq: Times) -> Times:
        found: Times = np.searchsorted(self.series.slot, seq // self.series.packets)
        return np.clip(found, 0, len(self.series.slot) - 1)

    def due(self, seq: Times | int) -> int:
        return self.start_ns + int(seq) * self.series.period_ns

    def beat(self, events: Events, beat: Beat) -> Shape:
        members = events[beat.members]
        first = f"{beat.first_s:.2f} s"
        if beat.kind == "timer":
            sentence = (
                f"a spike each {time(beat.period_s * 1e9, 4)} (± {time(beat.bound_s * 1e9, 2)}), the first at {first}: "
                f"{beat.occupied} of {beat.beats} beats have one, to within {time(beat.width_s * 1e9, 2)}"
            )
        else:
            low, high = (max(0.0, beat.period_s + sign * beat.width_s) for sign in (-1, 1))
            sentence = (
                f"spikes come again after {time(low * 1e9)} to {time(high * 1e9)}, {time(beat.period_s * 1e9)} in the "
                f"middle: {beat.occupied} of {beat.beats} are followed so; they keep no beat"
            )
        sentence += f"; {time(float(np.median(members.excess_ns)))} above the usual level in the middle"
        start = self.start_ns + round(beat.first_s * 1e9)
        details = {
            "phase_ns": float(round(beat.first_s * 1e9)), "jitter_ns": float(round(beat.width_s * 1e9)),
            "beats": float(beat.beats), "occupied": float(beat.occupied), "keeps_phase": float(beat.kind == "timer"),
            "height_ns": float(np.median(members.excess_ns)),
        }  # fmt: skip
        return Shape(
            "periodic", self.metric, sentence, round(beat.period_s * 1e9), "ns", confident(beat.chance), start,
            self.due(members.last[-1]), int(members.packets.sum()), named(members), round(beat.bound_s * 1e9, 1),
            details=details,
        )  # fmt: skip

    def drift(self, level: Level) -> list[Shape]:
        found, drift = [], level.drift
        minutes = self.series.span_ns / 6e10
        if drift.rise_ns:
            a_minute = drift.rise_ns / minutes
            rate = f"{time(abs(a_minute))} a minute" if minutes >= 1 else f"{time(abs(a_minute) / 60)} a second"
            sentence = f"the level {_rose(drift.rise_ns)} by {time(abs(drift.rise_ns))} from begin to end ({rate})"
            found.append(self._drift(sentence, drift.rise_ns, drift.bound_ns, drift.sigmas, self.begin, self.end))
            found[-1] = replace(found[-1], details={"ns_a_minute": round(a_minute, 3)})
        for change in drift.changes:
            at = change.at_s
            sentence = f"the level {_rose(change.size_ns)} by {time(abs(change.size_ns))} at {at:.1f} s, and stayed"
            when = self.start_ns + round(at * 1e9)
            found.append(self._drift(sentence, change.size_ns, change.bound_ns, change.sigmas, when, when))
        return found

    def _drift(self, sentence: str, size: float, bound: float, sigmas: float, start: int, end: int) -> Shape:
        chance = 2 * float(np.exp(-(min(sigmas, 30) ** 2) / 2)) * 64
        return Shape("drift", self.metric, sentence, round(size, 1), "ns", confident(chance), start, end,
                     self.series.total, (), round(bound, 1))  # fmt: skip

    def ripple(self, ripple: Ripple) -> Shape:
        sentence = (
            f"the level goes up and down by {time(ripple.height_ns)} with a period of {time(ripple.period_s * 1e9)}"
        )
        details = {
            "period_ns": round(ripple.period_s * 1e9, 1),
            "period_bound_ns": round(ripple.period_bound_s * 1e9, 1),
        }
        if np.isfinite(ripple.top_s):
            details["phase_ns"] = float(round(ripple.top_s * 1e9))
            sentence += f", highest at {ripple.top_s:.2f} s for the first time"
        return Shape(
            "ripple", self.metric, sentence, round(ripple.height_ns, 1), "ns", confident(ripple.chance), self.begin,
            self.end, self.series.total, (), round(ripple.bound_ns, 1), details=details,
        )  # fmt: skip

    def modes(self, modes: Modes) -> Shape:
        apart = modes.high_ns - modes.low_ns
        upper = modes.upper_share
        sentence = (
            f"{1 - upper:.0%} of the packets took about {time(modes.low_ns)}, {upper:.0%} about {time(modes.high_ns)}, "
            "and few something between"
        )
        details = {"low_ns": round(modes.low_ns), "high_ns": round(modes.high_ns), "valley_ns": round(modes.valley_ns),
                   "upper_share": round(upper, 4)}  # fmt: skip
        chance = 100 * float(np.exp(-(min(modes.sigmas, 30) ** 2) / 2))
        return Shape("two modes", self.metric, sentence, round(apart), "ns", confident(chance), self.begin, self.end,
                     self.series.total, (), round(modes.bound_ns, 1), details=details)  # fmt: skip


def spikes_shape(series: Series, metric: str, start_ns: int, found: Spikes) -> Shape:
    """One sentence for all of these spikes."""
    events = found.events
    worst = int(np.argmax(events.excess_ns))
    top, usual = float(events.excess_ns[worst]), time(series.usual_ns)
    at = f"{int(events.seq[worst]) * series.period_ns / 1e9:.2f} s"
    over = f"over {time(found.over_ns)}" if found.given else f"of {time(float(events.excess_ns.min()))} or more"
    if len(events) == 1:
        sentence = f"1 spike, of {time(top)} above the usual {usual}, at {at}"
    else:
        mean = series.span_ns / len(events)
        sentence = (
            f"{len(events)} spikes {over}, about one in {time(mean)}; the largest is {time(top)} above the usual "
            f"{usual}, at {at}"
        )
    packets = int(events.packets.sum())
    if packets > len(events):
        sentence += f"; {several(packets, 'packet')} in all"
    chance = 0.0
    if found.tail is not None:
        from scipy.special import gammainc  # takes most of a second to load

        chance = float(gammainc(len(events), found.tail.expected(float(events.excess_ns.min()))))
    details = {"spikes": float(len(events)), "threshold_ns": float(round(found.over_ns)),
               "median_ns": float(round(float(np.median(events.excess_ns))))}  # fmt: skip
    return Shape(
        "spikes", metric, sentence, round(top), "ns", confident(chance),
        start_ns + int(events.first[0]) * series.period_ns, start_ns + int(events.last[-1]) * series.period_ns,
        packets, named(events), None, details=details,
    )  # fmt: skip


def named(events: Events) -> tuple[int, ...]:
    """The worst packet of each, of the `MOST_MEMBERS` largest, in order."""
    chosen = np.argsort(-events.excess_ns, kind="stable")[:MOST_MEMBERS]
    return tuple(np.sort(events.seq[chosen]).tolist())


def _rose(size: float) -> str:
    return "rose" if size > 0 else "fell"
