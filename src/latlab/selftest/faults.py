# SPDX-License-Identifier: Apache-2.0
"""What the self-test can inject, and by which name each of it must be reported. Pure.

A size is in the unit of its kind: ns for what comes late or is wrong, packets for outcomes that are counted, ppb for a
clock that runs too fast. `None` is the size of a fault that has none, such as a master that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Way = Literal["forward", "return"]
Unit = Literal["ns", "packets", "ppb"]
Noise = Literal["level", "single", "count", "slope", "none"]
"""With which noise a kind competes: of the level of many packets, of single packets, of counted outcomes, of the level
over the time that the fault lasts; or with none."""

NS_PER_S = 1_000_000_000
WAYS: tuple[Way, ...] = ("forward", "return")


@dataclass(frozen=True)
class Kind:
    """One kind of fault. `names` are the (verdict, kind) pairs of an anomaly that call it by its name."""

    name: str
    unit: Unit
    noise: Noise
    names: frozenset[tuple[str, str]]
    ways: tuple[Way | None, ...] = (None,)
    lasts_ns: int = NS_PER_S
    """How long it is there; 0: as long as its size says."""
    smallest: int = 0
    largest: int | None = None
    """Limits of what is injected, whatever the floor: what the issue asks for, or what the means can do."""

    @property
    def of_the_clock(self) -> bool:
        return all(verdict == "clock" for verdict, _ in self.names)


def _named(*names: tuple[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(names)


RAMP_NS = 4 * NS_PER_S
STALL_NS = (1_000_000, 20_000_000)
MOST_DELAY_NS = 300_000_000
"""Less than a packet's time-out, and than the fault lasts."""
MOST_PPB = 400_000
"""adjtimex(2) takes 500 ppm; what the clock has already comes on top of ours."""

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("delay", "ns", "level", _named(("network", "delay")), WAYS, largest=MOST_DELAY_NS),
        Kind("loss", "packets", "count", _named(("network", "loss")), WAYS, smallest=3),
        Kind("duplication", "packets", "count", _named(("network", "duplication")), WAYS, smallest=8),
        Kind("reordering", "packets", "count", _named(("network", "reordering")), WAYS, smallest=8),
        Kind("step", "ns", "level", _named(("clock", "step"))),
        Kind("ramp", "ppb", "slope", _named(("clock", "ramp")), lasts_ns=RAMP_NS, largest=MOST_PPB),
        Kind("master-lost", "ns", "none", _named(("clock", "master-lost")), lasts_ns=5 * NS_PER_S),
        Kind("servo", "ns", "none", _named(("clock", "servo")), lasts_ns=5 * NS_PER_S),
        Kind("sender-stall", "ns", "single", _named(("sender", "sender-stall")), lasts_ns=0,
             smallest=STALL_NS[0], largest=STALL_NS[1]),
        Kind("receiver-stall", "ns", "single", _named(("network", "stall")), ("forward",), lasts_ns=0,
             smallest=STALL_NS[0], largest=STALL_NS[1]),
        Kind("vcpu-stop", "ns", "single", _named(("network", "stall")), lasts_ns=0,
             smallest=STALL_NS[0], largest=STALL_NS[1]),
    )
}  # fmt: skip
"""Counted outcomes begin with a number that chance makes none of in one case of three thousand (8), or of twenty (3:
the loss that netem counts is known exactly, also when it is none)."""


@dataclass(frozen=True)
class Fault:
    """One fault of the plan. `floor` is the noise that it competes with, in the unit of its kind."""

    number: int
    kind: str
    way: Way | None
    size: int
    floor: int

    @property
    def of(self) -> Kind:
        return KINDS[self.kind]

    @property
    def lasts_ns(self) -> int:
        return self.of.lasts_ns or self.size


@dataclass(frozen=True)
class Injection:
    """A fault as it really was. Times are TAI on the sender's clock: it began not before `start_ns`, and it was over
    at `end_ns`; that of a stall of the sender is exact, others are as wide as the commands took.

    `true_size` may differ from the size that was asked for: the packets that netem says it dropped, the time until
    the end of a stall at which a packet wanted to leave. `true_error` is how far it may itself be off.
    """

    fault: Fault
    start_ns: int
    end_ns: int
    true_size: int
    true_error: int = 0

    @property
    def above_floor(self) -> bool:
        return self.true_size >= self.fault.floor and self.true_size > 0
