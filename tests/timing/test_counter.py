# SPDX-License-Identifier: Apache-2.0
"""The truth is inside the bound, whatever KVM makes of the counter, while the clock changes its rate or is stepped."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from latlab.timing.clock_lines import WORD, CounterLine, Scaling
from latlab.timing.counter import DITHER_PPB, compare, guest_counter, point, signed

RATE = 2_500_000_000
"""Ticks of the host's counter in a second."""


@dataclass(frozen=True)
class Clock:
    """A system's clock as a function of its counter: at `change` ticks it jumps and goes on at another rate."""

    start_ns: int
    rate_ppb: int
    change: int
    step_ns: int
    later_ppb: int

    def at(self, ticks: Fraction | int) -> Fraction:
        first = min(Fraction(ticks), Fraction(self.change))
        after = max(Fraction(ticks) - self.change, Fraction(0))
        ns = first * (10**9 + self.rate_ppb) / RATE + after * (10**9 + self.later_ppb) / RATE
        return self.start_ns + ns + (self.step_ns if ticks >= self.change else 0)


ppb = st.integers(-500_000, 500_000)
steps = st.just(0) | st.integers(-(10**8), 10**8)
SPAN = RATE // 40
"""25 ms."""
changes = st.integers(-5 * SPAN, 5 * SPAN)
clocks = st.builds(Clock, st.integers(0, 2 * 10**18), ppb, changes, steps, ppb)
words = st.integers(0, WORD - 1)
scalings = st.builds(Scaling, st.integers(-WORD // 2, WORD // 2)) | st.builds(
    # From a tenth to ten times as fast, in the fixed point of Intel (48 bits) and of AMD (32).
    lambda offset, tenth, bits: Scaling(offset, tenth * 2**bits // 1000, bits),
    st.integers(-WORD // 2, WORD // 2),
    st.integers(100, 10_000),
    st.sampled_from([32, 48]),
)


def read(clock: Clock, at: int, ticks: int, where: float, base: int) -> CounterLine:
    """A reading that begins at `at` ticks (of the true counter) and reads the clock at a part `where` of its width."""
    return CounterLine(int(clock.at(at + Fraction(where) * ticks)), (base + at) % WORD, ticks)


@given(words, scalings)
def test_a_guests_counter_as_kvm_makes_it(counter: int, scaling: Scaling) -> None:
    made = guest_counter(counter, scaling)
    assert 0 <= made < WORD
    # mul_u64_u64_shr, then an addition in 64 bits.
    assert made == (((counter * scaling.ratio) >> scaling.bits) % WORD + scaling.offset % WORD) % WORD


@given(words, st.integers(-(2**62), 2**62))
def test_differences_of_counters_survive_their_wrapping_round(counter: int, difference: int) -> None:
    assert signed((counter + difference) % WORD - counter) == difference


@given(
    clock=clocks,
    base=st.integers(0, 2**60) | st.just(0),
    offset=st.integers(-WORD // 2, WORD // 2),
    spans=st.lists(st.integers(SPAN // 50, SPAN), min_size=4, max_size=4),
    widths=st.lists(st.integers(50, 100_000), min_size=5, max_size=5),
    wheres=st.lists(st.floats(0, 1), min_size=5, max_size=5),
    data=st.data(),
)
def test_the_hosts_clock_is_within_the_bound(
    clock: Clock, base: int, offset: int, spans: list[int], widths: list[int], wheres: list[float], data: st.DataObject
) -> None:
    places = [sum(spans[:n]) - 2 * SPAN for n in range(1, 5)]
    asked = data.draw(st.integers(places[1] + widths[1], max(places[1] + widths[1], places[2] - widths[4])))
    assume(asked + widths[4] <= places[2])
    host = [read(clock, place, widths[n], wheres[n], base) for n, place in enumerate(places)]
    scaling = Scaling(offset)
    zero = guest_counter((base + asked) % WORD, scaling)
    guest = CounterLine(0, zero, widths[4])
    points = [point(line, zero, scaling) for line in host]
    found = compare(points[:2], points[2:], point(guest, zero))
    assert found is not None
    truth = clock.at(asked + Fraction(wheres[4]) * widths[4])
    if clock.step_ns and asked <= clock.change <= asked + widths[4]:
        return  # stepped while it was being read
    assert abs(found.host_tai_ns - truth) <= found.error_ns


@given(base=st.integers(2**33, 2**50), scaling=scalings, width=st.integers(50, 10_000), rate=ppb)
def test_a_steady_clock_is_known_to_little_more_than_the_widths(
    base: int, scaling: Scaling, width: int, rate: int
) -> None:
    clock = Clock(10**18, rate, 0, 0, rate)
    asked = SPAN // 2
    host = [read(clock, n * SPAN, width, 0.5, base) for n in (-1, 0, 1, 2)]
    zero = guest_counter((base + asked) % WORD, scaling)
    points = [point(line, zero, scaling) for line in host]
    found = compare(points[:2], points[2:], point(CounterLine(77, zero, 0), zero))
    assert found is not None
    assert found.guest_tai_ns == 77
    assert abs(found.host_tai_ns - clock.at(asked)) <= found.error_ns
    width_ns = width * 10**9 / RATE
    # Half a width at the near reading, and the two of the rate, half as far away.
    assert found.error_ns <= 1.01 * width_ns + 12_500_000 * DITHER_PPB / 1e9 + 40


@given(st.permutations(range(4)))
def test_readings_out_of_order_are_not_compared(order: list[int]) -> None:
    clock = Clock(10**18, 0, 0, 0, 0)
    host = [point(read(clock, n * SPAN, 50, 0.5, 0), SPAN + SPAN // 2) for n in range(4)]
    shuffled = [host[n] for n in order]
    found = compare(shuffled[:2], shuffled[2:], point(CounterLine(0, SPAN + SPAN // 2, 50), SPAN + SPAN // 2))
    assert (found is not None) == (order == [0, 1, 2, 3])
