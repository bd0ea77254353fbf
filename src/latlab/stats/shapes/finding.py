# SPDX-License-Identifier: Apache-2.0
"""From the series of one metric to its shapes. Whose fault what the level does is, is judged later (`blame`), when the
other metrics are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from latlab.stats.anomalies import Blame
from latlab.stats.late import JOIN_NS, JOIN_PERIODS
from latlab.stats.shapes import Shape, beats, spikes
from latlab.stats.shapes.beats import Beat, Covered
from latlab.stats.shapes.blame import Judge, blame_of, by_verdict, most
from latlab.stats.shapes.levels import Drift, find_drift, least_of
from latlab.stats.shapes.modes import find_modes
from latlab.stats.shapes.ripple import SHORTEST, Ripple, find_fast, find_ripple
from latlab.stats.shapes.series import Series
from latlab.stats.shapes.spikes import Events, Spikes
from latlab.stats.shapes.telling import Teller
from latlab.stats.tube import Floats

RARE_SETS = (32, 128, 512)
"""So many of the largest exceedances are looked at for a beat, though the tail explains them: together it may not."""
MOST_BEATS = 3
GROUP = 1.3
"""Times the height of one spike the next higher one is of another kind."""
MOST_GROUPS = 8
_MODEL = 16.0
"""For each number of a model of the level, in squares of a slot's noise."""
NOBODY = Judge()
"""Knows of no anomaly."""


@dataclass(frozen=True)
class Level:
    """What the level did: drift and ripple, each found in what the other leaves."""

    drift: Drift
    ripple: Ripple | None
    fitted_ns: Floats
    least_ns: float


def find_shapes(
    series: Series, metric: str, start_ns: int, over_ns: float | None = None, judge: Judge = NOBODY
) -> list[Shape]:
    """All shapes of one metric, in the order in which a person wants them. `start_ns`: when packet 0 was due.
    `judge` says whose fault each spike was."""
    if not series.total:
        return []
    teller = Teller(series, metric, start_ns)
    found: list[Shape] = []
    spiky = spikes.find(series, over_ns)
    slot_ns = series.packets * series.period_ns

    def verdicts(events: Events) -> list[Blame]:
        return blame_of(events, judge, start_ns, series.period_ns, slot_ns)

    if spiky is not None and len(spiky.events):
        for verdict, places in by_verdict(verdicts(spiky.events)):
            found.append(replace(teller.spikes(spiky, spiky.events[places]), verdict=verdict))
    keeping = _beats(series, spiky)
    if keeping and not found and spiky is not None:
        events, beat = keeping[0]
        found.append(replace(teller.hidden(spiky, events, beat), verdict=most(verdicts(events[beat.members]))))
    for events, beat in keeping:
        found.append(replace(teller.beat(events, beat), verdict=most(verdicts(events[beat.members]))))
    level = level_of(series)
    found += teller.drift(level.drift)
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
    found: Floats = rise * (time_s - time_s[0]) / float(np.median(time_s[-third:]) - np.median(time_s[:third]))
    return found


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
            beat = beats.find_beat(
                left.seq.astype(np.float64) * (series.period_ns / 1e9),
                covered,
                shortest_s=shortest,
                grain_s=series.period_ns / 1e9,
            )
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
