# SPDX-License-Identifier: Apache-2.0
"""Two systems' clocks through one counter that both can read. Pure arithmetic.

Each system reads its clock between two readings of its counter. A guest's counter is its host's, scaled and shifted by
KVM, so all of these readings can be put on one scale, the guest's, and the host's clock be found at the moment at which
the guest read its own.

Bound: hard, if of the host's last two readings before that moment, its first two after it and all between them, the
clock changed its rate or was stepped at most once. Then either what the two before foretell or what the two after tell
of the past is right; the result covers both. The kernel's own wavering of the rate is added (`DITHER_PPB`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latlab.timing.clock_lines import WORD, CounterLine, Scaling

DITHER_PPB = 250
"""The kernel steers its clock by switching its multiplier between two neighbours: one unit in 2^23 at most, here
doubled (timekeeping_adjust in Linux' kernel/time/timekeeping.c)."""


@dataclass(frozen=True)
class Compared:
    """The guest's clock and its host's at one moment; `error_ns` bounds how far `host_tai_ns` may be off."""

    guest_tai_ns: int
    host_tai_ns: int
    error_ns: int


def guest_counter(host_counter: int, scaling: Scaling) -> int:
    """What a guest reads when its host's counter stands there (kvm_read_l1_tsc in Linux' arch/x86/kvm/x86.c)."""
    return ((host_counter * scaling.ratio >> scaling.bits) + scaling.offset) % WORD


def signed(difference: int) -> int:
    """A difference of two counters as the number nearest to 0."""
    return (difference + WORD // 2) % WORD - WORD // 2


@dataclass(frozen=True)
class Point:
    """A clock's reading on a counter's scale; `at` is the middle and `half` half of the span, in ticks."""

    at: float
    half: float
    tai_ns: int


def point(line: CounterLine, zero: int, scaling: Scaling = Scaling(0)) -> Point:  # noqa: B008 - it is frozen
    """A reading, in ticks of the guest's counter from `zero`."""
    first = signed(guest_counter(line.counter, scaling) - zero)
    last = signed(guest_counter((line.counter + line.ticks) % WORD, scaling) - zero)
    return Point((first + last) / 2, (last - first) / 2 + (1 if scaling.bits else 0), line.tai_ns)


def compare(before: Sequence[Point], after: Sequence[Point], guest: Point) -> Compared | None:
    """The host's clock at the guest's reading. `before` and `after`: two of the host's readings each, in order.

    None when they do not stand in that order, as after a counter was set anew.
    """
    (p0, p1), (p2, p3) = before, after
    if not p0.at < p1.at <= guest.at <= p2.at < p3.at:
        return None
    low_b, high_b, rate_b = _extrapolated(p0, p1, guest.at, p1.tai_ns)
    low_a, high_a, rate_a = _extrapolated(p3, p2, guest.at, p1.tai_ns)
    own = guest.half * max(rate_a, rate_b)
    low, high = min(low_b, low_a) - own, max(high_b, high_a) + own
    return Compared(guest.tai_ns, p1.tai_ns + round((low + high) / 2), int((high - low) / 2) + 2)


def _extrapolated(far: Point, near: Point, at: float, base_ns: int) -> tuple[float, float, float]:
    """Where the clock stands at `at`, from two of its readings: lowest and highest ns from `base_ns`, and ns a tick."""
    rate = (near.tai_ns - far.tai_ns) / (near.at - far.at)
    beyond = abs(at - near.at)
    middle = near.tai_ns - base_ns + rate * (at - near.at)
    lever = beyond / abs(near.at - far.at)
    ticks = near.half + (near.half + far.half) * lever
    # A step makes the rate nonsense, below 0 even; as a length in ns of one tick its amount will do.
    error = abs(rate) * (ticks + beyond * DITHER_PPB / 1e9)
    return middle - error, middle + error, abs(rate)
