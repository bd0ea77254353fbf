# SPDX-License-Identifier: Apache-2.0
"""Drift of the level: a lasting slope, and changes after which the level stays.

The slots' levels are put together to at most `SEGMENTS` segments, by the mean of their middle half again: a burst of
load in one slot does not move them. What segments differ by anyway is taken from differences over several distances, so
that a level which wanders by itself is not a drift. Changes are found one after the other, each where it explains most;
the slope is that of Theil (1950) and Sen (1968), of what is left without them. Which of both tells the run better is
decided by a penalised sum of squares.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from latlab.stats.shapes.series import midmean
from latlab.stats.tube import Floats

SEGMENTS = 64
MIN_SLOTS = 4
"""In a segment."""
FEWEST = 16
"""Segments: fewer say nothing of what they differ by."""
EDGE = 3
"""Segments at least between two changes."""
MOST_CHANGES = 5
SIGMAS = 5
LEAST_SHARE = 0.01
"""Of the level: less is no drift worth telling."""
LEAST_SPREAD = 0.15
"""Nor what is less than this share of the packets' own spread."""
_PENALTY = 16.0
"""For each number that is fitted, in squares of the noise."""


@dataclass(frozen=True)
class Change:
    """After segment boundary `at_s` the level is higher by `size_ns`."""

    at_s: float
    doubt_s: float
    """When it was is known to so much: two segments."""
    size_ns: float
    bound_ns: float
    sigmas: float


@dataclass(frozen=True)
class Drift:
    """`rise_ns`: by how much the level rose from the first to the last segment; 0 if it did not. `sigmas`: how many
    standard deviations that is. `fitted_ns`: slope and changes, at the times that were given."""

    rise_ns: float
    bound_ns: float
    sigmas: float
    changes: tuple[Change, ...]
    fitted_ns: Floats = field(repr=False)


def least_of(usual_ns: float, spread_ns: float) -> float:
    """What is too little to be told."""
    return max(LEAST_SHARE * abs(usual_ns), LEAST_SPREAD * spread_ns, 1.0)


def find_drift(time_s: Floats, level_ns: Floats, least_ns: float) -> Drift:
    """Of slots' times and levels. What moved by less than `least_ns` is none."""
    nothing = Drift(0.0, 0.0, 0.0, (), np.zeros(len(time_s)))
    size = max(MIN_SLOTS, -(-len(time_s) // SEGMENTS))
    count = len(time_s) // size
    if count < FEWEST:
        return nothing
    starts = np.arange(count) * size
    time = np.add.reduceat(time_s[: count * size], starts) / size
    raw = midmean(level_ns[: count * size].reshape(count, size))
    level = _smooth(raw)
    sigma = max(_noise(raw), least_ns / 20, 1e-9)
    models = [_steps_of(time, level, sigma, with_slope=False), _steps_of(time, level, sigma, with_slope=True)]
    _, steps, slope = min(models, key=lambda model: model[0])
    while True:
        found = _sized(time, raw, steps, sigma, slope)
        weak = [at for at, change in zip(steps, found, strict=True) if not _sure(change, least_ns)]
        if not weak:
            break
        smallest = min(weak, key=lambda at: found[steps.index(at)].sigmas)
        steps = [at for at in steps if at != smallest]
        slope = slope or not steps
    rest = raw - _stepped(len(raw), steps, found)
    tilt = _slope(time, rest) if slope else 0.0
    length = float(time_s[-1] - time_s[0])
    error = sigma / (float(np.std(time)) * np.sqrt(count)) * length
    rise = tilt * length
    sure = abs(rise) > max(least_ns, SIGMAS * error)
    edges = (time[1:] + time[:-1]) / 2
    fitted = np.zeros(len(time_s))
    for at, change in zip(steps, found, strict=True):
        fitted += change.size_ns * (time_s > edges[at - 1])
    if sure:
        fitted += tilt * (time_s - time[0])
    return Drift(rise if sure else 0.0, 1.96 * error, abs(rise) / error, tuple(found), fitted)


def _sure(change: Change, least_ns: float) -> bool:
    return change.sigmas > SIGMAS and abs(change.size_ns) > least_ns


def _smooth(level: Floats) -> Floats:
    """Running median of three: a single segment is no level."""
    padded = np.concatenate([level[:1], level, level[-1:]])
    found: Floats = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    return found


def _noise(level: Floats) -> float:
    """One standard deviation of a segment, as far as it matters for many: of differences over 1, 2 and 4 segments of
    means over as many, the largest, by their median and by p90. Neither slopes nor a few changes move it."""
    found = []
    for size in (1, 2, 4):
        whole = len(level) // size
        change = np.diff(level[: whole * size].reshape(whole, size).mean(axis=1))
        middle, high = np.quantile(np.abs(change - np.median(change)), (0.5, 0.9))
        found.append(max(1.4826 * float(middle), float(high) / 1.645) * np.sqrt(size / 2))
    return float(max(found))


def _steps_of(time: Floats, level: Floats, sigma: float, *, with_slope: bool) -> tuple[float, list[int], bool]:
    """The penalised sum of squares of the best steps, added one by one; before which segments they are."""
    count = len(level)
    columns = [np.ones(count)] + ([(time - time.mean()) / max(float(np.ptp(time)), 1e-9)] if with_slope else [])
    steps: list[int] = []
    cost = _left(columns, level, sigma) + _PENALTY * len(columns)
    while len(steps) < MOST_CHANGES:
        places = [at for at in range(EDGE, count - EDGE + 1) if all(abs(at - other) >= EDGE for other in steps)]
        tried = [(_left([*columns, (np.arange(count) >= at).astype(float)], level, sigma), at) for at in places]
        if not tried:
            break
        left, at = min(tried)
        with_it = left + _PENALTY * (len(columns) + 2 + len(steps))
        if with_it >= cost:
            break
        cost, steps = with_it, [*steps, at]
        columns.append((np.arange(count) >= at).astype(float))
    return cost, sorted(steps), with_slope


def _left(columns: list[Floats], level: Floats, sigma: float) -> float:
    """What is left of the level after least squares, in squares of the noise; far ones count less (Huber 1964)."""
    design = np.stack(columns, axis=1)
    fitted = np.linalg.lstsq(design, level, rcond=None)[0]
    off = np.abs(level - design @ fitted) / sigma
    return float(np.where(off < 4, np.square(off), 8 * off - 16).sum())


def _sized(time: Floats, level: Floats, steps: list[int], sigma: float, slope: bool) -> list[Change]:
    """How large each step is: the levels on both sides of it, up to the next ones, less the slope."""
    if slope and steps:
        inside = [part for part in np.split(np.arange(len(level)), steps) if len(part) > 1]
        tilts = [(_slope(time[part], level[part]), len(part) ** 3) for part in inside]
        tilt = sum(value * weight for value, weight in tilts) / sum(weight for _, weight in tilts)
        level = level - tilt * (time - time[0])
    found = []
    for number, at in enumerate(steps):
        begin = steps[number - 1] if number else 0
        end = steps[number + 1] if number + 1 < len(steps) else len(level)
        size = float(np.median(level[at:end]) - np.median(level[begin:at]))
        error = 1.2533 * sigma * float(np.sqrt(1 / (at - begin) + 1 / (end - at)))
        found.append(
            Change(
                float(time[at] + time[at - 1]) / 2,
                2 * float(time[at] - time[at - 1]),
                size,
                1.96 * error,
                abs(size) / error,
            )
        )
    return found


def _stepped(count: int, steps: list[int], found: list[Change]) -> Floats:
    total = np.zeros(count)
    for at, change in zip(steps, found, strict=True):
        total[at:] += change.size_ns
    return total


def _slope(time: Floats, level: Floats) -> float:
    """Median of the slopes of all pairs."""
    first, second = np.triu_indices(len(time), 1)
    return float(np.median((level[second] - level[first]) / (time[second] - time[first])))
