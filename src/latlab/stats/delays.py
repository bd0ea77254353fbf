# SPDX-License-Identifier: Apache-2.0
"""Lasting delays: stretches of bins in which one way took longer than before and after, whatever the clocks did."""

from __future__ import annotations

import numpy as np

from latlab.stats.anomalies import JOIN_BINS, Anomaly, edges, seconds_between, us
from latlab.stats.bins import stretches
from latlab.stats.clock_path import COARSE, ClockPath
from latlab.stats.tube import Floats

SIGMAS = 5
"""So far above its usual level a bin is an anomaly."""
DELAY_BINS = 3
"""What is shorter is for the packets themselves to tell."""
LEVELS = 4
"""A part of a delay is another one when it is so many times the delay's median."""
UNSEEN = 3
"""Of the path's noise: a step of a clock that is smaller may be seen in one way only, the one with less noise."""
STALL = 6
"""What lasts less than so many times its own size is a stall: packets that waited for its end tell by themselves."""
MIN_STRETCHES = 8
"""Of a delay's length, in a run: fewer say nothing of how far such stretches differ."""
WANDER_SHARE = 0.8
"""Of stretches like it that differ by less than a delay's bound allows, at the least; the rest may be delays."""
AROUND = 20
"""Bins before and after a delay, against which it is measured."""


def delays(path: ClockPath) -> list[Anomaly]:
    """Stretches of bins in which one way took longer than before and after, whatever the clocks did."""
    bins, found = path.bins, []
    # Where the clock moved its path is known worst; the sum of both ways is free of it.
    total = path.forward_excess_ns + path.back_excess_ns
    total -= np.nanmedian(total) if np.isfinite(total).any() else 0.0
    near = np.zeros(len(bins), bool)
    for begin, end, _ in _moves(path):
        near[max(0, begin - COARSE) : end + COARSE + 1] = True
    for place, excess, other in (
        ("forward", path.forward_excess_ns, path.back_excess_ns),
        ("back", path.back_excess_ns, path.forward_excess_ns),
    ):
        usual, threshold, noise = _usual(excess)
        noise = max(noise, path.noise_ns)
        above = np.where(near, np.minimum(excess - usual, total), excess - usual)
        for first, last in _levels(_smooth(above), threshold):
            size, bound = _above(excess, first, last, noise)
            bound += _wander(excess, first, last)
            aside, _ = _above(other, first, last, noise)
            doubt, rise = _doubt(path, first, last), _above(excess + other, first, last, noise)[0]
            if size < UNSEEN * path.noise_ns and rise < size / 2:
                continue  # the sum of both ways is free of the clocks, and did not rise: a move too small to be seen
            if doubt:
                size = min(size, rise)
            if size <= bound + doubt:
                continue
            begin, end = edges(bins, first, last)
            if end - begin < STALL * size:
                continue
            ways = ("there", "back") if place == "forward" else ("back", "there")
            seconds = seconds_between(bins, first, last)
            told = (
                f"the way {ways[0]} rose by {us(size)} for {seconds:.1f} s, the way {ways[1]} by {us(aside)}: "
                "a clock would have moved them oppositely"
            )
            packets = int(bins.sent[first : last + 1].sum())
            found.append(
                Anomaly(
                    "network",
                    "delay",
                    "forward" if place == "forward" else "back",
                    begin,
                    end,
                    packets,
                    size,
                    bound,
                    (told,),
                )
            )
    return found


def _doubt(path: ClockPath, first: int, last: int) -> float:
    """How far the path may be off in these bins because the clock moved near them."""
    near = [bound for begin, end, bound in _moves(path) if begin <= last + COARSE and end >= first - COARSE]
    return max(near, default=0.0)


def _moves(path: ClockPath) -> list[tuple[int, int, float]]:
    """First and last bin of each step and ramp, and its bound."""
    steps = [(step.before, step.after, step.bound_ns) for step in path.steps]
    return steps + [(ramp.first, ramp.last, ramp.bound_ns) for ramp in path.ramps]


def _usual(excess: Floats) -> tuple[float, float, float]:
    """The usual level, how far above it is an anomaly, and three sigmas of one bin.

    The spread is taken from below the median: delays are above it.
    """
    known = excess[np.isfinite(excess)]
    if len(known) < 2:
        return 0.0, np.inf, 0.0
    low, usual = (float(q) for q in np.quantile(known, (0.1, 0.5)))
    change = np.diff(known)
    noise = 3 * 1.0483 * float(np.median(np.abs(change - np.median(change))))
    return usual, max(SIGMAS * (usual - low) / 1.2816, SIGMAS / 3 * noise, 1.0), noise


def _levels(above: Floats, threshold: float) -> list[tuple[int, int]]:
    """First and last of `DELAY_BINS` bins and more that are above the threshold. What is far higher than the rest of
    its stretch is one by itself.
    """
    found, open_ = [], stretches(above > threshold, JOIN_BINS)
    while open_:
        first, last = open_.pop()
        if last - first + 1 < DELAY_BINS:
            continue
        part = above[first : last + 1]
        peak = float(np.nanmax(part))
        high = stretches(part > peak / 2, JOIN_BINS)
        if peak <= LEVELS * float(np.nanmedian(part)) or high == [(0, last - first)]:
            found.append((first, last))
            continue
        begin = first
        for head, tail in high:
            open_ += [(begin, first + head - 1), (first + head, first + tail)]
            begin = first + tail + 1
        open_.append((begin, last))
    return sorted(found)


def _smooth(values: Floats) -> Floats:
    """Running median of three."""
    if len(values) < 3:
        return values
    padded = np.concatenate([values[:1], values, values[-1:]])
    found: Floats = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    return found


def _above(excess: Floats, first: int, last: int, noise: float) -> tuple[float, float]:
    """How far these bins are above those around them, and the bound of that."""
    inner = excess[first + 1 : last] if last - first >= 4 else excess[first : last + 1]
    before, after = excess[max(0, first - AROUND) : max(0, first - 1)], excess[last + 2 : last + 2 + AROUND]
    around = [float(np.nanmedian(part)) for part in (before, after) if np.isfinite(part).any()]
    level = float(np.mean(around)) if around else float(np.nanquantile(excess, 0.1))
    count = len(before) + len(after)
    bound = noise * (1 / np.sqrt(len(inner)) + 1 / np.sqrt(max(count, 1))) + (np.ptp(around) if around else 0.0)
    return float(np.nanmedian(inner)) - level, float(bound)


def _wander(excess: Floats, first: int, last: int) -> float:
    """How far the level of so many bins differs, 99.9 % of the time, from those before and after them, without any
    cause of its own: from as many stretches as there are in the rest of the run, against their two neighbours.
    """
    size, apart = last - first + 1, []
    for rest in (excess[:first], excess[last + 1 :]):
        known = rest[np.isfinite(rest)]
        whole = len(known) // size
        levels = np.median(known[: whole * size].reshape(whole, size), axis=1)
        apart.append(np.abs(levels[1:-1] - (levels[:-2] + levels[2:]) / 2))
    joined = np.concatenate(apart)
    if len(joined) < MIN_STRETCHES:
        return 0.0
    return float(max(3.29 * 1.4826 * np.median(joined), np.quantile(joined, WANDER_SHARE)))
