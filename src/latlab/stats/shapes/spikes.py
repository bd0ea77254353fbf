# SPDX-License-Identifier: Apache-2.0
"""Spikes: packets above what the tail of all others allows, or above what was given. Those that follow each other are
one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latlab.stats.bins import Flags
from latlab.stats.late import JOIN_NS, JOIN_PERIODS, LEAST_NS
from latlab.stats.shapes import tails
from latlab.stats.shapes.series import Series
from latlab.stats.shapes.tails import Tails
from latlab.stats.tube import Floats
from latlab.stats.ways import Times

ENOUGH = 1.2
"""Times the exceedances that a tail is fitted to, before those that follow each other are joined."""
HELD = 5
"""Packets of one event count as exceedances, at the most."""
FALSE = 0.2
"""Share of spikes that may be the tail's own, if it is their number that betrays them."""


@dataclass(frozen=True)
class Events:
    """Packets above a level, those that follow each other joined: arrays with one entry for each event, in order."""

    seq: Times
    """Of its worst packet."""
    first: Times
    last: Times
    packets: Times
    excess_ns: Floats
    value_ns: Floats

    def __len__(self) -> int:
        return len(self.seq)

    def __getitem__(self, chosen: Flags | npt.NDArray[np.intp]) -> Events:
        return Events(self.seq[chosen], self.first[chosen], self.last[chosen], self.packets[chosen],
                      self.excess_ns[chosen], self.value_ns[chosen])  # fmt: skip


@dataclass(frozen=True)
class Spikes:
    """`over_ns`: the threshold, above the usual level of the time or, if `given`, above zero. `tails` is None then."""

    events: Events
    over_ns: float
    given: bool
    tails: Tails | None


def joined(series: Series, chosen: Flags) -> Events:
    """The chosen ones of `series.rare` as events: packets less than 20 ms, or 5 periods, apart are one."""
    seq, excess, value = series.rare[chosen], series.excess_ns[chosen], series.value_ns[chosen]
    if not len(seq):
        return Events(seq, seq, seq, seq, excess, value)
    gap = max(JOIN_NS // max(1, series.period_ns), JOIN_PERIODS)
    starts = np.flatnonzero(np.diff(seq, prepend=seq[0] - gap - 1) > gap)
    sizes = np.diff(np.append(starts, len(seq)))
    most = np.maximum.reduceat(excess, starts)
    # Of each event the first packet that has its largest excess.
    places = np.flatnonzero(excess == np.repeat(most, sizes))
    event = np.repeat(np.arange(len(starts)), sizes)[places]
    worst = places[np.searchsorted(event, np.arange(len(starts)))]
    return Events(seq[worst], seq[starts], seq[starts + sizes - 1], sizes, most, value[worst])


def largest(series: Series, number: int) -> Events:
    """About so many of the largest exceedances as events; a long stall is only some of them, however many packets it
    held."""
    if not len(series.rare):
        return joined(series, np.zeros(0, bool))
    wanted = number
    while True:
        wanted = min(wanted, len(series.rare))
        least = np.partition(series.excess_ns, len(series.rare) - wanted)[len(series.rare) - wanted]
        found = joined(series, series.excess_ns >= least)
        if np.minimum(found.packets, HELD).sum() >= number / ENOUGH or wanted == len(series.rare):
            return found
        wanted = int(1.5 * wanted)


def find(series: Series, over_ns: float | None = None) -> Spikes | None:
    """The spikes above `over_ns`, or above the tail; None: there are too few packets to know a tail."""
    if over_ns is not None:
        return Spikes(joined(series, series.value_ns > over_ns), over_ns, True, None)
    wanted = tails.how_many(series.total)
    if not wanted:
        return None
    fitted = tails.fit(largest(series, int(ENOUGH * wanted)).excess_ns)
    if fitted is None:
        return None
    tail = fitted.highest
    least = max(_together(largest(series, wanted // 2).excess_ns, fitted), float(LEAST_NS))
    # What the tail would not have alone belongs to the spike, even if its top alone makes it one.
    events = joined(series, series.excess_ns >= min(least, max(tail.level(tails.CHANCE), float(LEAST_NS))))
    return Spikes(events[events.excess_ns >= least], least, False, fitted)


def _together(excess: Floats, fitted: tails.Tails) -> float:
    """The least spike: above what the tail has once in many runs; or above a level that so many more events exceed than
    the tail lets expect that they are none of its own, though each alone might be. Of such levels, the one that stands
    out most (by its likelihood ratio).
    """
    from scipy.special import gammainc  # takes most of a second to load

    ordered = -np.sort(-excess)
    number = np.arange(1, len(ordered) + 1)
    expected = fitted.expected(ordered)
    alone = ordered > fitted.highest.level(tails.CHANCE)
    improbable = (gammainc(number, expected) < tails.CHANCE / 20) & (expected <= FALSE * number)
    if not improbable.any():
        return float(ordered[alone].min()) if alone.any() else np.inf
    stands_out = number * np.log(number / expected) - (number - expected)
    best = int(np.argmax(np.where(improbable, stands_out, -np.inf)))
    return float(ordered[max(best, int(alone.sum()) - 1)])
