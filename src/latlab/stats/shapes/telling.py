# SPDX-License-Identifier: Apache-2.0
"""Puts the shapes that were found into sentences, with a number each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latlab.stats.shapes import LOSS, Shape
from latlab.stats.shapes.beats import Beat
from latlab.stats.shapes.levels import Drift
from latlab.stats.shapes.losses import Bursts
from latlab.stats.shapes.modes import Modes
from latlab.stats.shapes.ripple import Ripple
from latlab.stats.shapes.series import Series
from latlab.stats.shapes.spikes import Events, Spikes
from latlab.stats.shapes.words import confident, several, time
from latlab.stats.ways import Times

MOST_MEMBERS = 1_000


class Teller:
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

    def spikes(self, found: Spikes, events: Events) -> Shape:
        """One sentence for these of the spikes."""
        series = self.series
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
        if found.tails is not None:
            from scipy.special import gammainc  # takes most of a second to load

            chance = float(gammainc(len(events), found.tails.expected(events.excess_ns.min(keepdims=True))[0]))
        details = {"spikes": float(len(events)), "threshold_ns": float(round(found.over_ns)),
                   "median_ns": float(round(float(np.median(events.excess_ns))))}  # fmt: skip
        return Shape(
            "spikes", self.metric, sentence, round(top), "ns", confident(chance),
            self.due(events.first[0]), self.due(events.last[-1]),
            packets, named(events), None, details=details,
        )  # fmt: skip

    def hidden(self, found: Spikes, events: Events, beat: Beat) -> Shape:
        """Spikes that are no higher than the tail of the others: that they come again and again shows what they are."""
        members = events[beat.members]
        told = self.spikes(replace(found, tails=None, over_ns=float(members.excess_ns.min())), members)
        sentence = f"{told.sentence}; the tail of the others reaches as high, but these come again and again"
        return replace(told, sentence=sentence, confidence=confident(beat.chance))

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

    def drift(self, drift: Drift) -> list[Shape]:
        found = []
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
            told = self._drift(sentence, change.size_ns, change.bound_ns, change.sigmas, when, when)
            found.append(replace(told, details={"doubt_ns": float(round(change.doubt_s * 1e9))}))
        return found

    def _drift(self, sentence: str, size: float, bound: float, sigmas: float, start: int, end: int) -> Shape:
        chance = 2 * float(np.exp(-(min(sigmas, 30) ** 2) / 2)) * 64
        return Shape("drift", self.metric, sentence, round(size, 1), "ns", confident(chance), start, end,
                     self.series.total, (), round(float(bound), 1))  # fmt: skip

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


def named(events: Events) -> tuple[int, ...]:
    """The worst packet of each, of the `MOST_MEMBERS` largest, in order."""
    chosen = np.argsort(-events.excess_ns, kind="stable")[:MOST_MEMBERS]
    return tuple(np.sort(events.seq[chosen]).tolist())


def _rose(size: float) -> str:
    return "rose" if size > 0 else "fell"


def losses_shape(bursts: Bursts, start_ns: int, period_ns: int) -> Shape:
    """One sentence for all bursts of loss of a run."""
    worst = int(np.argmax(bursts.lost))
    lost, at = int(bursts.lost.sum()), f"{int(bursts.first[worst]) * period_ns / 1e9:.2f} s"
    over = time(float((bursts.last[worst] - bursts.first[worst] + 1) * period_ns))
    if len(bursts.first) == 1:
        sentence = f"1 burst of loss, of {lost} packets within {over} at {at}"
    else:
        sentence = (
            f"{len(bursts.first)} bursts of loss, {lost} packets in all; the largest {int(bursts.lost[worst])} packets "
            f"within {over} at {at}"
        )
    sentence += f"; {several(bursts.others, 'packet')} besides {'was' if bursts.others == 1 else 'were'} lost singly"
    chosen = np.argsort(-bursts.lost, kind="stable")[:MOST_MEMBERS]
    return Shape(
        "loss bursts", LOSS, sentence, lost, "packets", confident(bursts.chance),
        start_ns + int(bursts.first[0]) * period_ns, start_ns + int(bursts.last[-1] + 1) * period_ns, lost,
        tuple(np.sort(bursts.first[chosen]).tolist()), None,
        details={"bursts": float(len(bursts.first)), "largest_packets": float(bursts.lost[worst])},
    )  # fmt: skip
