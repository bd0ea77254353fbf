# SPDX-License-Identifier: Apache-2.0
"""Steps and ramps of a clock, from its path through the tube of what the exchanges allow (`stats.clock_path`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latlab.stats.bins import stretches
from latlab.stats.slopes import middle_slope
from latlab.stats.tube import Floats

BESIDE = 8
"""So many bins on either side tell how large a step was."""
STEP_BINS = 2
"""A step is over within so many bins."""
_SIGMA = 1.4826 / np.sqrt(2)
"""From the median of the absolute differences of neighbours to their standard deviation, if they are normal."""


@dataclass(frozen=True)
class Step:
    """The clock of the reflector went ahead by `size_ns` between two bins, by their numbers."""

    before: int
    after: int
    size_ns: float
    bound_ns: float


@dataclass(frozen=True)
class Ramp:
    """From bin to bin it ran faster by `rate_ppb` than in most of the run, and was ahead by `size_ns` in the end."""

    first: int
    last: int
    rate_ppb: float
    size_ns: float
    bound_ns: float


def place(step: Step) -> int:
    return step.before


def noise_of(level: Floats) -> float:
    """Three standard deviations of one level from the next, whatever they do over many bins."""
    change = np.diff(level[np.isfinite(level)])
    return float(3 * _SIGMA * np.median(np.abs(change - np.median(change)))) if len(change) else 0.0


def find_steps(path: Floats, level: Floats, excess: Floats) -> list[Step]:
    """Where the path goes far within `STEP_BINS` bins, and further than right before and after."""
    span, noise = STEP_BINS, noise_of(level)
    if len(path) <= span:
        return []
    jump = path[span:] - path[:-span]
    found: list[Step] = []
    for k in np.argsort(-np.abs(jump)):
        if abs(jump[k]) <= max(noise / 3, 1.0):
            break
        if any(k < step.after + span and k + span > step.before - span for step in found):
            continue
        beside = np.concatenate([jump[max(0, k - 2 * span) : max(0, k - span + 1)], jump[k + span : k + 2 * span + 1]])
        if len(beside) and abs(jump[k]) < 3 * np.max(np.abs(beside)):
            continue
        before = _calmest(excess, max(0, k - BESIDE + 1), k + 1)
        after = _calmest(excess, k + span, k + span + BESIDE)
        bound = noise + float(excess[before].max() + excess[after].max()) / 2
        # The levels tell better than the path, which is the least that it can have been; but delays move them.
        moved = float(np.median(path[after]) - np.median(path[before]))
        size = float(np.median(level[after]) - np.median(level[before]))
        size = float(np.clip(size, moved - bound - noise, moved + bound + noise))
        if abs(size) > bound:
            found.append(Step(int(k), int(k) + span, size, bound))
    return sorted(found, key=place)


def _calmest(excess: Floats, begin: int, end: int) -> npt.NDArray[np.intp]:
    """Half of these bins: those to which least was added."""
    found = np.argsort(excess[begin:end], kind="stable")
    return begin + found[: max(1, (len(found) + 1) // 2)]


def stepped_by(count: int, steps: list[Step]) -> Floats:
    """What the steps have added up to, bin by bin; in the middle of a step, half of it."""
    total = np.zeros(count)
    for step in steps:
        total[step.before + 1 : step.after] += step.size_ns / 2
        total[step.after :] += step.size_ns
    return total


def find_ramps(path: Floats, time: Floats, level: Floats, excess: Floats) -> list[Ramp]:
    """Stretches over which the path rises, or falls, by more than the tube's width; of each its steep part, and what is
    steep in the rest: a path is never quite level.
    """
    noise, slopes = noise_of(level), np.diff(path) / np.diff(time)
    change = np.sign(np.round(np.diff(path), 3))
    starts = np.flatnonzero(np.diff(change, prepend=2.0))
    open_: list[tuple[int, int]] = list(zip(starts.tolist(), [*starts[1:].tolist(), len(change)], strict=True))
    found = []
    while open_:
        first, last = open_.pop()
        bound = 2 * noise + float(np.median(excess[first : last + 1])) / 2
        if abs(path[last] - path[first]) <= bound:
            continue
        steep = np.abs(slopes[first:last])
        begin = first
        for begins, ends in stretches(steep >= steep.max() / 3, STEP_BINS):
            head, tail = first + begins, first + ends + 1
            open_.append((begin, head))
            begin = tail
            if abs(path[tail] - path[head]) > bound:
                rate = middle_slope(time[head : tail + 1], level[head : tail + 1])
                duration, moved = float(time[tail] - time[head]), path[tail] - path[head]
                # The levels tell better than the path, which is the least that it can have been; but delays move them.
                size = float(np.clip(rate * duration, moved - bound, moved + bound))
                if abs(size) > bound:
                    found.append(Ramp(head, tail, size / duration, size, bound))
        open_.append((begin, last))
    return sorted(found, key=lambda ramp: ramp.first)


def rather_step(level: Floats, excess: Floats, ramp: Ramp) -> int | None:
    """Before which bin the clock stepped, if a step fits the calmer bins better than this ramp does; else None.

    A step that is little larger than the tube is wide lets the shortest path rise long before it.
    """
    begin, end = max(0, ramp.first - 2 * BESIDE), min(len(level), ramp.last + 2 * BESIDE + 1)
    places = begin + np.flatnonzero(excess[begin:end] <= np.median(excess[begin:end]))
    values = level[places]
    line = np.interp(places, [ramp.first, ramp.last], [0.0, ramp.size_ns])
    rising = float(np.square(values - line - np.mean(values - line)).sum())
    count = np.arange(1, len(values))
    before, after = np.cumsum(values)[:-1], np.cumsum(values[::-1])[::-1][1:]
    # The squares that are left on both sides of a step, less those of the values themselves.
    left = float(np.square(values).sum()) - np.square(before) / count - np.square(after) / (len(values) - count)
    best = int(np.argmin(left)) if len(left) else 0
    inside = len(left) > 0 and ramp.first <= places[best] and places[best + 1] <= ramp.last
    return int(places[best + 1]) if inside and left[best] < rising else None
