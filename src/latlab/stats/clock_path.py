# SPDX-License-Identifier: Apache-2.0
"""How the reflector's clock moved against the sender's, from nothing but the measured exchanges.

Of each bin of packets (`stats.bins`), with `forward` and `back` as the stamps have them:

- their sum is free of the clocks. What it has above its floor, the *excess*, was added by the network or the hosts:
  nothing else can;
- half their difference follows the clocks, and is off by at most half the excess, since every way may only be longer
  than its floor, never shorter. So the clock was within half the excess of it, and half the noise: a *tube*;
- a clock does not move without need. The shortest path through the tube is how it must have moved at the least: a
  lasting delay in one direction leaves it straight, a step bends it.

What was left between the path and the tube's edges was the network's, direction by direction. The path's shape is known
to the tube's width; its height, an unknown constant, only to the hard bound that a packet cannot arrive before it was
sent (as in NTP, RFC 5905: half the shortest round trip). The bound of each bin is put together from both (`_bound`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from latlab.stats.bins import Bins, Flags
from latlab.stats.moves import (
    BESIDE,
    STEP_BINS,
    Ramp,
    Step,
    find_ramps,
    find_steps,
    noise_of,
    place,
    rather_step,
    stepped_by,
)
from latlab.stats.slopes import usual_slope
from latlab.stats.tube import Floats, shortest_path
from latlab.stats.ways import ABSENT, Times

SLEW = 500e-6
"""No clock runs further off its usual rate without being seen to, in seconds for each second: it is the most that
adjtimex(2) gives to a servo."""
MIN_BINS = 8
"""Fewer have no noise to speak of."""
FLOOR_QUANTILE = 0.1
COARSE = 10
"""So many bins together for what is slow and small."""
SAFE = 5 / 3
"""Of the noise, which is three standard deviations: so much of it for a bound that holds for a day's bins."""


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

    @property
    def moving(self) -> list[tuple[int, int]]:
        """First and last packet of each step and ramp."""
        first, last = self.bins.first_seq, self.bins.first_seq + self.bins.packets - 1
        spans = [(step.before, step.after) for step in self.steps] + [(ramp.first, ramp.last) for ramp in self.ramps]
        return [(int(first[begin]), int(last[end])) for begin, end in spans]

    def stepping(self, seq: Times) -> Flags:
        """Whether the clock stepped in the bin of these packets, so that their offset may be off by the whole step."""
        return self._stepping[self.bins.index(seq)]

    @cached_property
    def usual_error_ns(self) -> int:
        """The bound of half of the bins."""
        return int(np.median(self.error_ns))

    @cached_property
    def _stepping(self) -> Flags:
        found = np.zeros(len(self.bins), bool)
        for step in self.steps:
            found[step.before : step.after + 1] = True
        return found

    def at(self, seq: Times, lag_ns: Times | int = 0) -> tuple[Times, Times]:
        """Offset and its bound for packets with these numbers, interpolated between the middles of bins.

        Across a step it is that of the packet's own bin. `lag_ns`: how much later than scheduled they set out.
        """
        bins = self.bins
        if self._still or not len(seq):
            zero = np.zeros(len(seq), np.int64)
            return zero, zero
        own = bins.index(seq)
        middle, relative = self._line
        place = (seq - bins.first_seq[0]).astype(np.float64)
        first, last = max(0, int(own.min()) - 1), int(own.max()) + 2  # of the many bins, those that these lie between
        found = np.interp(place, middle[first:last], relative[first:last])
        # Beyond the first and the last bin's middle, and in the bins of a step, by the usual rate.
        if first == 0 or last > len(bins) or self._stepping[first:last].any():
            usual = self.rate_ppb / 1e9 * bins.period_ns
            alone = (place < middle[0]) | (place > middle[-1]) | self._stepping[own]
            found[alone] = relative[own[alone]] + usual * (place[alone] - middle[own[alone]])
        found += self.rate_ppb / 1e9 * lag_ns
        return found.round(out=found).astype(np.int64) + self.offset_ns[0], self.error_ns[own]

    @cached_property
    def _line(self) -> tuple[Floats, Floats]:
        """Where the bins' middles are, and the offset there, both from the first bin's."""
        middle = self.bins.first_seq - self.bins.first_seq[0] + self.bins.packets / 2
        return middle, (self.offset_ns - self.offset_ns[0]).astype(np.float64)

    @cached_property
    def _still(self) -> bool:
        """One clock."""
        return not (self.offset_ns.any() or self.error_ns.any() or self.rate_ppb or self.steps)


def same_clock(bins: Bins) -> ClockPath:
    """The path of two ends that read one clock: nothing moves, and the excess of each way is plain to see."""
    zero = np.zeros(len(bins), np.int64)
    forward, back = _plain(bins.forward_ns, bins.base_ns), _plain(bins.back_ns, -bins.base_ns)
    floors = [np.nanquantile(way, FLOOR_QUANTILE) if np.isfinite(way).any() else 0.0 for way in (forward, back)]
    noise = max(noise_of(forward), noise_of(back))
    return ClockPath(bins, zero, zero, forward - floors[0], back - floors[1], noise, 0.0)


def clock_path(bins: Bins) -> ClockPath | None:
    """The path of two clocks, or None: fewer than `MIN_BINS` bins have exchanges in both ways."""
    both = np.flatnonzero(bins.both)
    if len(both) < MIN_BINS:
        return None
    forward, back = bins.forward_ns[both].astype(np.float64), bins.back_ns[both].astype(np.float64)
    time = _seconds(bins)[both]
    middle, total = (forward - back) / 2, forward + back
    excess = np.maximum(total - np.quantile(total, FLOOR_QUANTILE), 0)
    calm = excess <= max(2 * noise_of(middle), np.quantile(excess, FLOOR_QUANTILE))
    rate = usual_slope(time[calm], middle[calm])
    # A packet that was held meets a clock that has drifted on by then, so its excess may be off by as much.
    excess *= 1 + 4 * abs(rate) / 1e9
    level = middle - rate * time
    path, steps, ramps = _traced(time, level, excess)
    moved = path + rate * time
    # What is unlike the drift by which the bin was put to its middle; and clocks drift while a packet is on its way.
    unlike = np.abs(_gradient(moved, time) / 1e9 - bins.drift) * bins.packets * bins.period_ns / 2
    slack = unlike + abs(bins.drift) * np.maximum(total, 0) + 1
    low = -bins.back_min_ns[both].astype(np.float64) - moved - slack
    high = bins.forward_min_ns[both].astype(np.float64) - moved + slack
    noise = noise_of(level)
    edge = excess / 2 + SAFE * noise
    height, error = _bound(time, path, low, high, level - edge - path, level + edge - path, steps)
    seconds = _seconds(bins)
    everywhere = np.interp(seconds, time, moved + height)
    near = _nearest(both, len(bins))
    error = (error + unlike)[near] + SLEW * 1e9 * np.abs(seconds - time[near])
    # A packet's offset lies between those of its bin and of one beside it.
    error = np.maximum(error, np.maximum(np.append(error[1:], 0), np.append(0, error[:-1])))
    ways = np.full((2, len(bins)), np.nan)
    ways[0, both], ways[1, both] = level + excess / 2 - path, path - level + excess / 2
    return ClockPath(
        bins=bins,
        offset_ns=np.round(everywhere).astype(np.int64) + bins.base_ns,
        error_ns=np.ceil(error).astype(np.int64),
        forward_excess_ns=ways[0],
        back_excess_ns=ways[1],
        noise_ns=noise,
        rate_ppb=rate,
        steps=tuple(replace(s, before=int(both[s.before]), after=int(both[s.after])) for s in sorted(steps, key=place)),
        ramps=tuple(replace(ramp, first=int(both[ramp.first]), last=int(both[ramp.last])) for ramp in ramps),
    )


def _traced(time: Floats, level: Floats, excess: Floats) -> tuple[Floats, list[Step], list[Ramp]]:
    """The path, and what it is made of. Steps are looked for bin by bin; what is slower in medians of up to `COARSE`
    bins, which have less noise. Adds to `excess` where a step makes a bin's level uncertain."""
    steps = find_steps(_path(time, level, excess), level, excess)
    stepped = stepped_by(len(level), steps)
    for step in steps:
        excess[step.before + 1 : step.after] += 2 * abs(step.size_ns)  # when in these bins it stepped is not known
    ramps: list[Ramp] = []
    for ramp in find_ramps(_path(time, level - stepped, excess), time, level - stepped, excess):
        where = rather_step(level - stepped, excess, ramp) if ramp.last - ramp.first <= 2 * COARSE else None
        if where is not None:
            steps.append(_step(ramp, where, len(level)))
        elif ramp.last - ramp.first > 2 * STEP_BINS:
            if not _residue(ramp, steps):
                ramps.append(ramp)
        else:
            steps.append(Step(ramp.first, ramp.last, ramp.size_ns, ramp.bound_ns))
    steps.sort(key=place)
    stepped = stepped_by(len(level), steps)

    coarse = min(COARSE, max(1, len(level) // (2 * MIN_BINS)))
    slow_time, slow_level, slow_excess = (_medians(values, coarse) for values in (time, level - stepped, excess))
    slow = _path(slow_time, slow_level, slow_excess)
    for ramp in find_ramps(slow, slow_time, slow_level, slow_excess):
        found = replace(ramp, first=ramp.first * coarse, last=min(ramp.last * coarse, len(level) - 1))
        if any(found.first < other.last and other.first < found.last for other in ramps) or _residue(found, steps):
            continue
        where = rather_step(level - stepped, excess, found) if ramp.last - ramp.first <= BESIDE else None
        if where is None and ramp.last - ramp.first > STEP_BINS:
            ramps.append(found)
        elif not any(found.first <= step.after and step.before <= found.last for step in steps):
            # Too small to be seen bin by bin: it may not be known whether it took a moment or the whole of these bins.
            moment = Step(found.first, found.last, found.size_ns, found.bound_ns)
            steps.append(moment if where is None else _step(found, where, len(level)))
    steps = [step for step in steps if not _bend(step, ramps, time)]
    half = excess / 2 + noise_of(level)
    path = np.clip(np.interp(time, slow_time, slow) + stepped, level - half, level + half)
    return path, steps, ramps


def _step(ramp: Ramp, before: int, count: int) -> Step:
    """The step that looked like this ramp, before this bin of so many."""
    return Step(max(0, before - STEP_BINS), min(before + STEP_BINS, count - 1), ramp.size_ns, ramp.bound_ns)


def _bend(step: Step, ramps: list[Ramp], time: Floats) -> bool:
    """Whether it may be no more than the beginning, the end, or a part of a steep ramp."""
    seconds = float(time[min(step.after, len(time) - 1)] - time[step.before])
    near = [ramp for ramp in ramps if ramp.first - COARSE <= step.after and step.before <= ramp.last + COARSE]
    return any(abs(step.size_ns) <= 2 * abs(ramp.rate_ppb) * seconds for ramp in near)


def _residue(ramp: Ramp, steps: list[Step]) -> bool:
    """Whether it may be what is left of steps whose sizes are known to their bounds only."""
    near = [s.bound_ns for s in steps if ramp.first - COARSE <= s.after and s.before <= ramp.last + COARSE]
    return abs(ramp.size_ns) <= ramp.bound_ns + sum(near)


def _gradient(values: Floats, time: Floats) -> Floats:
    """Of each entry the steeper of the slopes to its neighbours."""
    slopes = np.abs(np.diff(values)) / np.diff(time) * np.sign(np.diff(values))
    left, right = np.append(slopes[:1], slopes), np.append(slopes, slopes[-1:])
    return np.where(np.abs(left) > np.abs(right), left, right)


def _nearest(places: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
    """For each of `count` bins, which of `places` is the nearest."""
    after = np.clip(np.searchsorted(places, np.arange(count)), 0, len(places) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(np.arange(count) - places[before]) < np.abs(np.arange(count) - places[after])
    return np.where(nearer, before, after)


def _path(time: Floats, level: Floats, excess: Floats) -> Floats:
    half = excess / 2 + noise_of(level)
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
    """Of each bin's middle since that of the first. By the packets' numbers: the sender's clock may have been set."""
    found: Floats = (bins.first_seq - bins.first_seq[0]) * (bins.period_ns / 1e9)
    return found


def _bound(
    time: Floats, path: Floats, low: Floats, high: Floats, under: Floats, over: Floats, steps: list[Step]
) -> tuple[float, Floats]:
    """The path's height over where it was drawn, and the bound of each bin's offset from it.

    All but `time` in ns, seen from the path. `low` and `high`: between which the clock was in this bin, hard. `under`
    and `over`: between which the tube has it, but for one constant for the whole run, by which the two ways' floors
    differ. The tube is carried to the bins beside, widened by as much as the path moved and by `SLEW` for the time.
    The constant follows from the bins where both together are closest; and with it, each bin's bound.
    """
    moved = SLEW * 1e9 * time + np.concatenate([[0.0], np.cumsum(np.abs(np.diff(path)))])
    over, under = _carried(moved, over), -_carried(moved, -under)
    known = np.ones(len(time), bool)
    for step in steps:
        # In which part of these bins it stepped is not known, nor which packets were on their way then.
        known[max(0, step.before - COARSE) : step.after + COARSE] = False
    most, least = (high - under)[known].min(initial=np.inf), (low - over)[known].max(initial=-np.inf)
    if not least <= most < np.inf:  # there are no such bins, or something else than what is assumed happened
        height, most, least = float(np.median(low + high) / 2), np.inf, -np.inf
    else:
        height = float(most + least) / 2
    ceiling, floor = np.minimum(high, most + over), np.maximum(low, least + under)
    error = np.maximum(np.abs(ceiling - height), np.abs(height - floor))
    for step in steps:
        part = slice(step.before, step.after + 1)
        error[part] = error[part].max() + abs(step.size_ns)
    return height, error


def _carried(moved: Floats, bound: Floats) -> Floats:
    """min over j of bound[j] + |moved - moved[j]|; `moved` never falls."""
    ahead: npt.NDArray[np.float64] = np.minimum.accumulate(bound - moved) + moved
    behind = np.minimum.accumulate((bound + moved)[::-1])[::-1] - moved
    return np.minimum(ahead, behind)
