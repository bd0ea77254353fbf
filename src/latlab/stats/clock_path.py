# SPDX-License-Identifier: Apache-2.0
"""How the reflector's clock moved against the sender's, from nothing but the measured exchanges.

Of each bin of packets (`stats.bins`), with `forward` and `back` as the stamps have them:

- their sum is free of the clocks. What it has above its floor, the *excess*, was added by the network or the hosts:
  nothing else can;
- half their difference follows the clocks, and is off by at most half the excess, since every way may only be longer
  than its floor, never shorter. So the clock was within half the excess of it, and half the noise: a *tube*;
- a clock does not move without need. The shortest path through the tube is how it must have moved at the least: a
  lasting delay in one direction leaves it straight, a step bends it.

What is left between the path and the tube's edges was the network's, direction by direction. The path's shape is known
to the noise; its height, an unknown constant, only to the hard bound that a packet cannot arrive before it was sent
(as in NTP, RFC 5905: half the shortest round trip). The bound is carried from the best exchanges to their neighbours
along the path, and widened by `WANDER` for each second on the way and by the noise: that is all that is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from latlab.stats.bins import ABSENT, Bins, Times
from latlab.stats.tube import Floats, shortest_path

WANDER = 1e-6
"""Of a free-running clock's rate against the path: seconds per second. Quartz wanders a tenth of it within minutes."""
MIN_BINS = 8
"""Fewer have no noise to speak of."""
FLOOR_QUANTILE = 0.1
_SIGMA = 1.4826 / np.sqrt(2)
"""From the median of the absolute differences of neighbours to their standard deviation, if they are normal."""
STEP_BINS = 2
"""A step is over within so many bins."""
COARSE = 10
"""So many bins together for what is slow and small."""


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


@dataclass(frozen=True)
class ClockPath:
    """Arrays with one entry for each of `bins`."""

    bins: Bins
    offset_ns: Times
    """Reflector's clock - sender's."""
    error_ns: Times
    """The true offset is within so much of it."""
    forward_excess_ns: Floats
    """What the lower quartile of the way there has above the floor, whatever the clocks did; NaN where unknown."""
    back_excess_ns: Floats
    noise_ns: float
    """Three standard deviations of a bin's offset: smaller moves of the clock are not seen."""
    rate_ppb: float
    """How much faster the reflector's clock ran, over the run."""
    steps: tuple[Step, ...] = ()
    ramps: tuple[Ramp, ...] = ()

    def at(self, seq: Times) -> tuple[Times, Times]:
        """Offset and its bound for packets with these numbers, interpolated between the middles of bins.

        Across a step it is that of the packet's own bin.
        """
        bins = self.bins
        place = (seq - bins.first_seq[0]) / bins.packets - 0.5
        knots = (bins.first_seq - bins.first_seq[0]) / bins.packets
        relative = self.offset_ns - self.offset_ns[0]
        offset = np.interp(place, knots, relative.astype(np.float64)).round().astype(np.int64)
        own = bins.index(seq)
        for step in self.steps:
            near = (own >= step.before) & (own <= step.after)
            offset[near] = relative[own[near]]
        return offset + self.offset_ns[0], self.error_ns[own]


def same_clock(bins: Bins) -> ClockPath:
    """The path of two ends that read one clock: nothing moves, and the excess of each way is plain to see."""
    zero = np.zeros(len(bins), np.int64)
    forward, back = _plain(bins.forward_ns, bins.base_ns), _plain(bins.back_ns, -bins.base_ns)
    floors = [np.nanquantile(way, FLOOR_QUANTILE) if np.isfinite(way).any() else 0.0 for way in (forward, back)]
    noise = max(_noise(forward), _noise(back))
    return ClockPath(bins, zero, zero, forward - floors[0], back - floors[1], noise, 0.0)


def clock_path(bins: Bins, wander: float = WANDER) -> ClockPath | None:
    """The path of two clocks, or None: fewer than `MIN_BINS` bins have exchanges in both ways.

    Steps are looked for bin by bin; what is slower in medians of up to `COARSE` bins, which have less noise.
    """
    both = np.flatnonzero(bins.both)
    if len(both) < MIN_BINS:
        return None
    forward, back = bins.forward_ns[both].astype(np.float64), bins.back_ns[both].astype(np.float64)
    time = _seconds(bins)[both]
    middle, total = (forward - back) / 2, forward + back
    excess = np.maximum(total - np.quantile(total, FLOOR_QUANTILE), 0)
    calm = excess <= max(2 * _noise(middle), np.quantile(excess, FLOOR_QUANTILE))
    rate, uncertain = _rate(time[calm], middle[calm])
    wander = wander + uncertain / 1e9
    level = middle - rate * time
    fine = _path(time, level, excess)
    steps = _steps(fine, level, excess)
    stepped = _stepped(len(level), steps)
    for step in steps:
        excess[step.before + 1 : step.after] += 2 * abs(step.size_ns)  # when in these bins it stepped is not known
    ramps = []
    for ramp in _ramps(_path(time, level - stepped, excess), time, level - stepped, excess):
        if ramp.last - ramp.first > 2 * STEP_BINS:
            ramps.append(ramp)
        else:
            steps.append(Step(ramp.first, ramp.last, ramp.size_ns, ramp.bound_ns))
    steps.sort(key=_place)
    stepped = _stepped(len(level), steps)

    coarse = min(COARSE, max(1, len(both) // (2 * MIN_BINS)))
    slow_time, slow_level, slow_excess = (_medians(values, coarse) for values in (time, level - stepped, excess))
    slow = _path(slow_time, slow_level, slow_excess)
    for ramp in _ramps(slow, slow_time, slow_level, slow_excess):
        found = replace(ramp, first=ramp.first * coarse, last=min(ramp.last * coarse, len(both) - 1))
        if any(found.first < other.last and other.first < found.last for other in ramps):
            continue
        if ramp.last - ramp.first > STEP_BINS:
            ramps.append(found)
        elif not any(found.first <= step.after and step.before <= found.last for step in steps):
            # Too small to be seen bin by bin: whether it took a moment or the whole of these bins is not known.
            steps.append(Step(found.first, found.last, found.size_ns, found.bound_ns))
    half = excess / 2 + _noise(level)
    path = np.clip(np.interp(time, slow_time, slow) + stepped, level - half, level + half)

    moved = path + rate * time
    low = -bins.back_min_ns[both].astype(np.float64) - moved
    high = bins.forward_min_ns[both].astype(np.float64) - moved
    noise = _noise(level)
    height, error = _height(time, low, high, noise, wander, steps)
    everywhere = np.interp(_seconds(bins), time, moved + height)
    near = np.clip(np.searchsorted(both, np.arange(len(bins))), 0, len(both) - 1)
    ways = np.full((2, len(bins)), np.nan)
    ways[0, both], ways[1, both] = level + excess / 2 - path, path - level + excess / 2
    return ClockPath(
        bins=bins,
        offset_ns=np.round(everywhere).astype(np.int64) + bins.base_ns,
        error_ns=np.ceil(error).astype(np.int64)[near],
        forward_excess_ns=ways[0],
        back_excess_ns=ways[1],
        noise_ns=noise,
        rate_ppb=rate,
        steps=tuple(
            replace(s, before=int(both[s.before]), after=int(both[s.after])) for s in sorted(steps, key=_place)
        ),
        ramps=tuple(replace(ramp, first=int(both[ramp.first]), last=int(both[ramp.last])) for ramp in ramps),
    )


def _place(step: Step) -> int:
    return step.before


def _path(time: Floats, level: Floats, excess: Floats) -> Floats:
    half = excess / 2 + _noise(level)
    return shortest_path(time, level - half, level + half)


def _medians(values: Floats, size: int) -> Floats:
    """Of each `size` values in a row; the last, shorter part belongs to the one before it."""
    whole = max(1, len(values) // size)
    parts = np.median(values[: whole * size].reshape(whole, size), axis=1)
    if whole * size < len(values):
        parts[-1] = np.median(values[(whole - 1) * size :])
    return parts


def _plain(values: Times, base_ns: int) -> Floats:
    return np.where(values == ABSENT, np.nan, values.astype(np.float64) + base_ns)


def _seconds(bins: Bins) -> Floats:
    """Since the first bin. A sender whose clock was put back shall not make time run backwards."""
    since = (bins.time_ns - bins.time_ns[0]).astype(np.float64) / 1e9
    found: Floats = np.maximum.accumulate(since) + 1e-6 * np.arange(len(since))
    return found


def _rate(time: Floats, middle: Floats) -> tuple[float, float]:
    """The slope that most of the run has, in ns per second, which is ppb, and how uncertain it is.

    Of the slopes over an eighth of the run, the middle of the shortest interval that holds half of them (the shorth,
    Andrews et al. 1972): neither steps nor a rate that differed for a third of the time move it.
    """
    lag = max(1, len(time) // 8)
    slopes = np.sort((middle[lag:] - middle[:-lag]) / (time[lag:] - time[:-lag]))
    half = len(slopes) // 2
    widths = slopes[half:] - slopes[: len(slopes) - half]
    start = int(np.argmin(widths))
    # Slopes that share levels are not independent: about as many as there are lags in the run are.
    return float(np.median(slopes[start : start + half + 1])), float(widths[start] / 2 / np.sqrt(len(time) / lag))


def _noise(level: Floats) -> float:
    """Three standard deviations of one level from the next, whatever they do over many bins."""
    change = np.diff(level[np.isfinite(level)])
    return float(3 * _SIGMA * np.median(np.abs(change - np.median(change)))) if len(change) else 0.0


def _steps(path: Floats, level: Floats, excess: Floats) -> list[Step]:
    """Where the path goes far within `STEP_BINS` bins, and further than right before and after."""
    span, noise = STEP_BINS, _noise(level)
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
        before, after = slice(max(0, k - 4), k + 1), slice(k + span, k + span + 5)
        size = float(np.median(level[after]) - np.median(level[before]))
        bound = noise + float(np.median(excess[before]) + np.median(excess[after])) / 2
        if abs(size) > bound:
            found.append(Step(int(k), int(k) + span, size, bound))
    return sorted(found, key=_place)


def _stepped(count: int, steps: list[Step]) -> Floats:
    """What the steps have added up to, bin by bin; in the middle of a step, half of it."""
    total = np.zeros(count)
    for step in steps:
        total[step.before + 1 : step.after] += step.size_ns / 2
        total[step.after :] += step.size_ns
    return total


def _ramps(path: Floats, time: Floats, level: Floats, excess: Floats) -> list[Ramp]:
    """Stretches over which the path rises, or falls, by more than the tube's width."""
    noise = _noise(level)
    change = np.sign(np.round(np.diff(path), 3))
    starts = np.flatnonzero(np.diff(change, prepend=2.0))
    found = []
    for first, last in zip(starts.tolist(), [*starts[1:].tolist(), len(change)], strict=True):
        bound = 2 * noise + float(np.median(excess[first : last + 1])) / 2
        if abs(path[last] - path[first]) <= bound:
            continue
        # The steep part of it: a path is never quite level.
        steep = np.abs(np.diff(path[first : last + 1]) / np.diff(time[first : last + 1]))
        chosen = np.flatnonzero(steep >= steep.max() / 3)
        begin, end = first + int(chosen[0]), first + int(chosen[-1]) + 1
        if abs(path[end] - path[begin]) > bound:
            duration = float(time[end] - time[begin])
            rate = _slope(time[begin : end + 1], level[begin : end + 1])
            found.append(Ramp(begin, end, rate, rate * duration, bound))
    return found


def _slope(time: Floats, level: Floats) -> float:
    """Of two levels or more: median of the slopes between the first and the second half (after Theil 1950)."""
    half = len(time) // 2
    return float(np.median((level[-half:] - level[:half]) / (time[-half:] - time[:half])))


def _height(
    time: Floats, low: Floats, high: Floats, noise: float, wander: float, steps: list[Step]
) -> tuple[float, Floats]:
    """The path's height over where it was drawn, and the bound of each bin's offset from it.

    `low` and `high`: between which the clock was, seen from the path. They hold for their own bin; for another one they
    are widened by the noise and by what the clock may have wandered. Nothing is carried across a step.
    """
    floor, ceiling = low.copy(), high.copy()
    steps = sorted(steps, key=_place)
    begins, ends = [0, *(step.after for step in steps)], [*(step.before + 1 for step in steps), len(time)]
    for begin, end in zip(begins, ends, strict=True):
        part = slice(begin, end)
        ceiling[part] = np.minimum(high[part], _carried(time[part], high[part], wander) + 2 * noise)
        floor[part] = -np.minimum(-low[part], _carried(time[part], -low[part], wander) + 2 * noise)
    height = float(np.median((floor + ceiling) / 2))
    error = np.maximum(np.maximum(ceiling - height, height - floor), 0)
    for step in steps:
        # In which part of these bins it stepped is not known.
        part = slice(step.before, step.after + 1)
        error[part] = error[part].max() + abs(step.size_ns)
    return height, error


def _carried(time: Floats, bound: Floats, wander: float) -> Floats:
    """min over j of bound[j] + wander * |time - time[j]|, in ns for seconds."""
    slope = wander * 1e9 * time
    ahead: npt.NDArray[np.float64] = np.minimum.accumulate(bound - slope) + slope
    behind = np.minimum.accumulate((bound + slope)[::-1])[::-1] - slope
    return np.minimum(ahead, behind)
