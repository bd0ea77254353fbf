# SPDX-License-Identifier: Apache-2.0
"""What was odd in a run, and whose fault it was: the network's, a clock's, the sender's, or not known.

The rules, and why they hold, are written down in docs/verdicts.md. All of it is pure: from the clocks' path
(`stats.clock_path`), the counts of each bin and the late packets (`stats.late`) to a list of `Anomaly`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from latlab.stats.bins import Bins, Flags, Times, stretches
from latlab.stats.clock_path import COARSE, ClockPath
from latlab.stats.tube import Floats

Blame = Literal["network", "clock", "sender", "unknown"]
"""`network` is all that is between the sender's driver and its stack: also the host that carries a guest, and the
receiver. `place` says where."""

Kind = Literal[
    "delay", "stall", "loss", "duplication", "reordering",
    "step", "ramp", "negative", "master-lost", "fault-reset", "servo",
    "sender-stall",
]  # fmt: skip
Place = Literal["sender", "forward", "receiver", "back", "clock", ""]

SIGMAS = 5
"""So far above its usual level a bin is an anomaly."""
CHANCE = 0.01
"""That a run in which packets are lost all the same all the time has an anomaly; shared by all its bins."""
TOGETHER = (1, 8, 64)
"""So many bins are counted together: what is rare but lasts does not show in one."""
DELAY_BINS = 3
"""What is shorter is for the packets themselves to tell."""
LEVELS = 4
"""A part of a delay is another one when it is so many times the delay's median."""
UNSEEN = 3
"""Of the path's noise: a step of a clock that is smaller may be seen in one way only, the one with less noise."""
STALL = 6
"""What lasts less than so many times its own size is a stall: packets that waited for its end tell by themselves."""
JOIN_BINS = 2
MIN_STRETCHES = 8
"""Of a delay's length, in a run: fewer say nothing of how far such stretches differ."""
WANDER_SHARE = 0.8
"""Of stretches like it that differ by less than a delay's bound allows, at the least; the rest may be delays."""
AROUND = 20
"""Bins before and after a delay, against which it is measured."""


@dataclass(frozen=True)
class Anomaly:
    """`size` is in ns for a delay, a stall or a step, in ppb for a ramp, in packets for what is counted. The true size
    is within `bound` of it, if that is not None. Times are on the sender's clock, in ns of TAI.
    """

    verdict: Blame
    kind: Kind
    place: Place
    start_ns: int
    end_ns: int
    packets: int
    size: float
    bound: float | None
    evidence: tuple[str, ...]

    @property
    def unit(self) -> str:
        if self.kind in ("loss", "duplication", "reordering"):
            return "packets"
        return "ppb" if self.kind == "ramp" else "ns"

    @property
    def way(self) -> str | None:
        """`forward` or `return`, if it was in one of them."""
        return {"forward": "forward", "back": "return"}.get(self.place)


def us(value_ns: float) -> str:
    """As a person reads it: ns below 1 us, else us."""
    if abs(value_ns) < 1e3:
        return f"{value_ns:.0f} ns"
    return f"{value_ns / 1000:.1f} us" if abs(value_ns) < 1e5 else f"{value_ns / 1000:.0f} us"


def clock_moves(path: ClockPath) -> list[Anomaly]:
    """Steps and ramps: both ways moved, oppositely, and their sum did not."""
    bins, found = path.bins, []
    for step in path.steps:
        moved = (
            f"the way there and the way back moved oppositely by {us(abs(step.size_ns))} within "
            f"{_seconds(bins, step.before, step.after):.1f} s, and the round trip did not: no network does that"
        )
        found.append(_clock(bins, "step", step.before, step.after, step.size_ns, step.bound_ns, moved))
    for ramp in path.ramps:
        seconds = _seconds(bins, ramp.first, ramp.last)
        moved = (
            f"for {seconds:.1f} s the way there and the way back drifted apart, by {us(abs(ramp.size_ns))} in the end, "
            f"and the round trip did not: the reflector's clock ran {ramp.rate_ppb / 1000:+.2f} ppm off its usual rate"
        )
        bound = 2 * ramp.bound_ns / max(seconds, 1e-9)  # where it began and ended is not known better
        found.append(_clock(bins, "ramp", ramp.first, ramp.last, ramp.rate_ppb, bound, moved))
    return found


def _clock(bins: Bins, kind: Kind, first: int, last: int, size: float, bound: float, evidence: str) -> Anomaly:
    packets = int(bins.sent[first : last + 1].sum())
    return Anomaly("clock", kind, "clock", int(bins.time_ns[first]), int(bins.time_ns[last]), packets, size, bound,
                   (evidence,))  # fmt: skip


def _seconds(bins: Bins, first: int, last: int) -> float:
    return float(bins.time_ns[last] - bins.time_ns[first]) / 1e9


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
            begin, end = _edges(bins, first, last)
            if end - begin < STALL * size:
                continue
            ways = ("there", "back") if place == "forward" else ("back", "there")
            told = (
                f"the way {ways[0]} rose by {us(size)} for {_seconds(bins, first, last):.1f} s, the way {ways[1]} "
                f"by {us(aside)}: a clock would have moved them oppositely"
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


def _edges(bins: Bins, first: int, last: int) -> tuple[int, int]:
    """When the first of these bins began and the last one ended."""
    after = min(last + 1, len(bins) - 1)
    middle = int(bins.time_ns[after] - bins.time_ns[last]) // 2 if after > last else 0
    before = int(bins.time_ns[first] - bins.time_ns[first - 1]) // 2 if first else 0
    return int(bins.time_ns[first]) - before, int(bins.time_ns[last]) + middle


def counted(bins: Bins) -> list[Anomaly]:
    """Stretches in which more was lost, duplicated or reordered than the rest of the run lets expect."""
    kinds: tuple[tuple[Kind, Times, str], ...] = (
        ("loss", bins.lost, "lost"),
        ("duplication", bins.duplicated, "answered twice"),
        ("reordering", bins.reordered, "overtaken"),
    )
    found = []
    for kind, counts, word in kinds:
        if not counts.any():
            continue
        odd, usual = _too_many(counts, bins.sent)
        for first, last in stretches(odd, JOIN_BINS):
            number, sent = int(counts[first : last + 1].sum()), int(bins.sent[first : last + 1].sum())
            told = f"{number} of {sent} packets were {word}; of the others, {usual:.2g} of all"
            begin, end = _edges(bins, first, last)
            found.append(Anomaly("network", kind, "", begin, end, number, number, None, (told,)))
    return found


def _too_many(counts: Times, sent: Times) -> tuple[Flags, float]:
    """Which bins, alone or `TOGETHER`, count more than chance allows at the rate of those that do not; and that rate.

    The rate is at first that of all; what is too much for it is left out, until nothing is.
    """
    from scipy.special import gammainc  # takes most of a second to load, and most runs lose nothing

    odd = np.zeros(len(counts), bool)
    chance = CHANCE / (len(counts) * sum(1 / size for size in TOGETHER))
    while True:
        usual = float(counts[~odd].sum()) / max(1, int(sent[~odd].sum()))
        before = int(odd.sum())
        for size in TOGETHER:
            starts = np.arange(0, len(counts), size)
            number = np.add.reduceat(np.where(odd, 0, counts), starts)
            # Poisson: so many or more, with this mean.
            mean = usual * np.add.reduceat(np.where(odd, 0, sent), starts)
            much = (number > 0) & (gammainc(np.maximum(number, 1), mean) < chance)
            odd |= np.repeat(much, size)[: len(counts)]
        if int(odd.sum()) == before:
            break
    for first, last in stretches(odd, JOIN_BINS):
        begin, end = _densest(counts[first : last + 1], sent[first : last + 1], usual)
        odd[first : last + 1] = False
        odd[first + begin : first + end + 1] = True
    return odd, usual


def _densest(counts: Times, sent: Times, usual: float) -> tuple[int, int]:
    """First and last bin of the part of these that stands out most from the usual rate: where the likelihood ratio of
    its own rate to that one is largest (a scan statistic, Kulldorff 1997), found by the largest sum of a part.
    """
    first, last = 0, len(counts) - 1
    while True:
        rate = float(counts[first : last + 1].sum()) / max(1, int(sent[first : last + 1].sum()))
        least = max(usual, rate / 1000)
        if rate <= least:
            return first, last
        gain = np.cumsum(counts - sent * (rate - least) / np.log(rate / least))
        floor = np.minimum.accumulate(np.concatenate([[0.0], gain[:-1]]))
        end = int(np.argmax(gain - floor))
        begin = int(np.argmin(np.concatenate([[0.0], gain[:end]])))
        if (begin, end) == (first, last) or end - begin >= last - first:
            return begin, end
        first, last = begin, end


def in_order(anomalies: Iterable[Anomaly]) -> list[Anomaly]:
    return sorted(anomalies, key=lambda anomaly: (anomaly.start_ns, anomaly.kind))


def totals(anomalies: Sequence[Anomaly]) -> dict[Blame, int]:
    """How many of each verdict."""
    found: dict[Blame, int] = {}
    for anomaly in anomalies:
        found[anomaly.verdict] = found.get(anomaly.verdict, 0) + 1
    return found


def told_once(known: Iterable[Anomaly], stalls: Sequence[Anomaly], bin_ns: int) -> list[Anomaly]:
    """What is `known` without the delays that are long stalls: packets that waited for the end, all of the time."""

    def is_stall(delay: Anomaly) -> bool:
        return delay.kind == "delay" and any(
            stall.place == delay.place
            and stall.size > 1.5 * delay.size
            and stall.size > (delay.end_ns - delay.start_ns - 2 * bin_ns)
            and stall.start_ns < delay.start_ns + bin_ns
            and stall.end_ns > delay.end_ns - 2 * bin_ns
            for stall in stalls
        )

    return [anomaly for anomaly in known if not is_stall(anomaly)]
