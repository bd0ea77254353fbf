# SPDX-License-Identifier: Apache-2.0
"""Events that come again and again: on a beat (a timer), or each so long after the last (something that runs, sleeps
and runs again).

A beat's candidates are the highest powers over a range of periods, four harmonics together (the Z2 test of Buccheri et
al. 1983), taken from one FFT of the events. Each is judged by its *occupancy*: of the beats that fell into time with
samples, how many have an event near them, against how many would by chance at the events' rate (binomial), times the
number of beats, phases and widths that were tried. An occupied beat counts once, so events that come in clumps do not
look periodic. The intervals are judged alike: how many events have another one within a range of times after them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from latlab.stats.bins import Flags
from latlab.stats.tube import Floats

FEWEST = 5
"""Beats, or events."""
OCCUPIED = 0.6
"""Share of the beats that have an event, at the least: else "each" were no word for it."""
CHANCE = 2e-4
"""That events without a period have one; this small, because several sets of events are tried."""
WIDTHS = (1 / 256, 1 / 64, 1 / 32, 1 / 16, 1 / 10)
"""Of the period, to either side of a beat."""
SPREADS = (1 / 32, 1 / 16, 1 / 8, 1 / 6)
"""Of an interval, to either side."""
MOST_EVENTS = 2_000
_FINE = 1 << 18
_CANDIDATES = 16
_PHASES = 32
HARMONICS = 4
"""A timer's spikes are sharp: their powers at multiples of a rate add up, those of others do not."""


@dataclass(frozen=True)
class Beat:
    """Times in s since packet 0. `members`: which of the events belong to it. `chance` that it is none.

    `kind`: `timer` keeps its phase: beat k is at `first_s` + k * `period_s`, to within `width_s`. `rest` does not: each
    event comes `period_s` after the last, to within `width_s`.
    """

    kind: Literal["timer", "rest"]
    period_s: float
    bound_s: float
    """95 % of the period."""
    first_s: float
    width_s: float
    beats: int
    occupied: int
    members: npt.NDArray[np.intp]
    chance: float


@dataclass(frozen=True)
class Covered:
    """When there were samples: in bins of `step_s` each, from 0 on."""

    step_s: float
    there: Flags

    @property
    def seconds(self) -> float:
        return float(self.there.sum()) * self.step_s

    @property
    def edges_s(self) -> tuple[float, float]:
        places = np.flatnonzero(self.there)
        return (float(places[0]) * self.step_s, float(places[-1] + 1) * self.step_s) if len(places) else (0.0, 0.0)

    def at(self, time_s: Floats) -> Flags:
        """Whether there were samples at these times and around them, to a bin."""
        place = np.clip((time_s / self.step_s).astype(np.int64), 0, len(self.there) - 1)
        around = [self.there[np.clip(place + by, 0, len(self.there) - 1)] for by in (-1, 0, 1)]
        found: Flags = around[0] & around[1] & around[2]
        return found


def find_beat(time_s: Floats, covered: Covered, *, shortest_s: float = 0.0, grain_s: float = 0.0) -> Beat | None:
    """The most certain period of events at these times, in order; None if they have none. `grain_s`: to which a time is
    known, that between two packets."""
    if not FEWEST <= len(time_s) <= MOST_EVENTS or covered.seconds <= 0:
        return None
    found = [
        beat for beat in (_timer(time_s, covered, shortest_s, grain_s), _rest(time_s, covered, shortest_s)) if beat
    ]
    return min(found, key=lambda beat: beat.chance, default=None)


def _timer(time_s: Floats, covered: Covered, shortest_s: float, grain_s: float) -> Beat | None:
    begin, end = covered.edges_s
    span = end - begin
    highest = min(4 * len(time_s) / span, 1 / max(shortest_s, 1e-9), _FINE / 16 / span)
    lowest = (FEWEST - 1) / span
    if highest <= lowest:
        return None
    counts = np.bincount(((time_s - begin) / span * _FINE).astype(np.int64).clip(0, _FINE - 1), minlength=_FINE)
    power = np.abs(np.fft.rfft(counts, 4 * _FINE)) ** 2 / len(time_s)
    places = np.arange(int(np.ceil(lowest * 4 * span)), min(int(highest * 4 * span) + 1, len(power) // HARMONICS))
    if not len(places):
        return None
    summed = sum(power[number * places] for number in range(1, HARMONICS + 1))
    rate = np.arange(len(power)) / (4 * span)
    tried = (highest - lowest) * span
    best: Beat | None = None
    for place in places[_peaks(np.asarray(summed))]:
        beat = _judged(time_s, covered, 1 / float(rate[place]), tried, grain_s)
        if beat is not None and (best is None or _better(beat, best)):
            best = beat
    return best if best is not None and best.chance < CHANCE else None


def _better(one: Beat, other: Beat) -> bool:
    """Of a beat and one twice as fast, both of which the events fit, the slower is the true one: all its beats have
    one. Else the less likely by chance."""
    if one.occupied >= 0.8 * other.occupied and other.occupied >= 0.8 * one.occupied:
        return one.occupied / one.beats > other.occupied / other.beats
    return one.chance < other.chance


def _peaks(power: Floats) -> list[int]:
    padded = np.pad(power, 1)
    inner = np.flatnonzero((power >= padded[:-2]) & (power > padded[2:]))
    return [int(place) for place in inner[np.argsort(-power[inner], kind="stable")][:_CANDIDATES]]


def _judged(time_s: Floats, covered: Covered, period: float, tried: float, grain_s: float) -> Beat | None:
    """The beat near this period that the events fit best."""
    begin, end = covered.edges_s
    # The candidate's rate is known to what the length of the run can tell: a little to either side.
    tries = [1 / (1 / period + by / (end - begin)) for by in np.linspace(-1 / 6, 1 / 6, 9)]
    period, first, _ = max((_fullest(time_s, one) for one in tries), key=lambda found: found[2])
    before = 0
    for width in (1 / 8, 1 / 16, 1 / 32, 1 / 64):  # outliers go, then what is left is fitted anew
        number = np.round((time_s - first) / period)
        off = np.abs(time_s - first - number * period)
        near = off <= width * period
        met = len(np.unique(number[near]))
        if met < max(FEWEST, 0.6 * before):
            if not before:
                return None
            break  # the beat is not as sharp as that
        before = met
        period, first = _line(number[near], time_s[near], off[near])
    beats = np.arange(np.ceil((begin - first) / period), np.floor((end - first) / period) + 1)
    beats = beats[covered.at(first + beats * period)]
    if len(beats) < FEWEST:
        return None
    number = np.round((time_s - first) / period)
    off = np.abs(time_s - first - number * period)
    rate = len(time_s) / covered.seconds
    hits = [int(np.isin(beats, number[off <= share * period]).sum()) for share in WIDTHS]
    chances = [
        _at_least(hit, len(beats), -np.expm1(-rate * 2 * share * period)) * tried * len(WIDTHS) / (2 * share)
        for share, hit in zip(WIDTHS, hits, strict=True)
    ]
    chance = min(chances)
    at = chances.index(chance)
    # What is a little further off than what makes it sure belongs to it, too, unless it is what chance puts there.
    for wider in range(at + 1, len(WIDTHS)):
        by_chance = rate * 2 * (WIDTHS[wider] - WIDTHS[at]) * period * len(beats)
        if hits[wider] - hits[at] > 3 * by_chance:
            at = wider
    share, occupied = WIDTHS[at], hits[at]
    if occupied < max(FEWEST, OCCUPIED * len(beats)):
        return None
    members = _one_each(number, off, share * period)
    off = time_s[members] - first - number[members] * period
    jitter = float(np.sqrt(np.mean(np.square(off)) + grain_s**2 / 12))
    away = number[members] - number[members].mean()
    bound = 1.96 * jitter / float(np.sqrt(np.square(away).sum()))
    return Beat(
        "timer",
        period,
        bound,
        first + float(number[members].min()) * period,
        jitter,
        len(beats),
        occupied,
        members,
        min(1.0, chance),
    )


def _fullest(time_s: Floats, period: float) -> tuple[float, float, int]:
    """The period, the time of a beat in the phase that most events have, and how many those are."""
    counts = np.bincount((time_s / period % 1 * _PHASES).astype(np.int64) % _PHASES, minlength=_PHASES)
    around = counts + np.roll(counts, 1) + np.roll(counts, -1)
    fullest = int(np.argmax(around))
    return period, (fullest + 0.5) / _PHASES * period, int(around[fullest])


def _line(number: Floats, time: Floats, off: Floats) -> tuple[float, float]:
    """Period and time of beat 0, by least squares over the nearer half and more; outliers weigh little (Cauchy)."""
    scale = max(float(np.median(off)), 1e-9)
    weight = 1 / (1 + np.square(off / (2.4 * scale)))
    middle = float((weight * number).sum() / weight.sum())
    level = float((weight * time).sum() / weight.sum())
    away = number - middle
    period = float((weight * away * (time - level)).sum() / (weight * np.square(away)).sum())
    return period, level - middle * period


def _one_each(number: Floats, off: Floats, width: float) -> npt.NDArray[np.intp]:
    """Of each beat the event that is nearest to it, if it is near enough."""
    order = np.lexsort((off, number))
    order = order[off[order] <= width]
    first = np.diff(number[order], prepend=np.nan) != 0
    return np.sort(order[first])


def _rest(time_s: Floats, covered: Covered, shortest_s: float) -> Beat | None:
    begin, end = covered.edges_s
    mean = covered.seconds / len(time_s)
    longest, shortest = (end - begin) / FEWEST, max(shortest_s, mean / 4)
    if longest <= shortest:
        return None
    periods = np.geomspace(shortest, longest, max(2, int(np.log(longest / shortest) / 0.02)))
    tried = np.log(longest / shortest) * sum(1 / (2 * spread) for spread in SPREADS)
    best: Beat | None = None
    for period in periods:
        apart = time_s[np.diff(time_s, prepend=-np.inf) > period / 3]  # what follows at once is the same one
        for spread in SPREADS:
            low, high = (1 - spread) * period, (1 + spread) * period
            after = np.searchsorted(apart, apart + low)
            follows = (after < len(apart)) & (apart[np.minimum(after, len(apart) - 1)] <= apart + high)
            due = covered.at(apart + period) & (apart + high < end)
            hits = int((follows & due).sum())
            if hits < FEWEST or hits * period < OCCUPIED * covered.seconds or hits < OCCUPIED * int(due.sum()):
                continue
            by_chance = -np.expm1(-len(apart) / covered.seconds * (high - low))
            chance = _at_least(hits, int(due.sum()), by_chance) * max(tried, 1)
            if best is None or chance < best.chance:
                gaps = apart[after[follows & due]] - apart[follows & due]
                members = np.flatnonzero(np.isin(time_s, np.union1d(apart[follows], apart[after[follows]])))
                middle = float(np.median(gaps))
                bound = 1.96 * 1.2533 * float(gaps.std()) / np.sqrt(len(gaps))
                width = float(max(gaps.max() - middle, middle - gaps.min()))
                best = Beat("rest", middle, bound, float(apart[0]), width, int(due.sum()), hits, members, chance)
    return best if best is not None and best.chance < CHANCE else None


def _at_least(hits: int, tries: int, chance: float) -> float:
    """Binomial: so many or more."""
    if hits <= 0:
        return 1.0
    from scipy.special import betainc  # takes most of a second to load

    return float(betainc(hits, tries - hits + 1, min(max(chance, 1e-300), 1.0)))
