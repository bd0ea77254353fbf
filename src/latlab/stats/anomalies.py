# SPDX-License-Identifier: Apache-2.0
"""What was odd in a run, and whose fault it was: the network's, a clock's, the sender's, or not known.

The rules, and why they hold, are written down in docs/verdicts.md. All of it is pure: from the clocks' path
(`stats.clock_path`), the counts of each bin and the late packets (`stats.late`) to a list of `Anomaly`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from latlab.stats.bins import Bins
from latlab.stats.clock_path import ClockPath

Blame = Literal["network", "clock", "sender", "unknown"]
"""`network` is all that is between the sender's driver and its stack: also the host that carries a guest, and the
receiver. `place` says where."""

Kind = Literal[
    "delay", "stall", "loss", "duplication", "reordering",
    "step", "ramp", "negative", "master-lost", "fault-reset", "servo",
    "sender-stall",
]  # fmt: skip
Place = Literal["sender", "forward", "receiver", "back", "clock", ""]

CLAIM_BINS = 30
"""At the least, before a clock is accused: of fewer bins, the noise is known too badly."""
JOIN_BINS = 2
"""Bins between two stretches that are odd: with no more, they are one."""


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
    """Steps and ramps: both ways moved, oppositely, and their sum did not. None in a run that is too short to know how
    its bins usually differ.
    """
    bins, found = path.bins, []
    if len(bins) < CLAIM_BINS:
        return []
    for step in path.steps:
        moved = (
            f"the way there and the way back moved oppositely by {us(abs(step.size_ns))} within "
            f"{seconds_between(bins, step.before, step.after):.1f} s, and the round trip did not: no network does that"
        )
        found.append(_clock(bins, "step", step.before, step.after, step.size_ns, step.bound_ns, moved))
    for ramp in path.ramps:
        seconds = seconds_between(bins, ramp.first, ramp.last)
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


def seconds_between(bins: Bins, first: int, last: int) -> float:
    return float(bins.time_ns[last] - bins.time_ns[first]) / 1e9


def edges(bins: Bins, first: int, last: int) -> tuple[int, int]:
    """When the first of these bins began and the last one ended."""
    after = min(last + 1, len(bins) - 1)
    middle = int(bins.time_ns[after] - bins.time_ns[last]) // 2 if after > last else 0
    before = int(bins.time_ns[first] - bins.time_ns[first - 1]) // 2 if first else 0
    return int(bins.time_ns[first]) - before, int(bins.time_ns[last]) + middle


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
