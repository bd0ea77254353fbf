# SPDX-License-Identifier: Apache-2.0
"""A NIC's clock against its system's: the sign, the bound, and by which way it was read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from latlab.timing import phc
from latlab.timing.clock_lines import PhcLine
from tests.timing.machines import end, machine, site
from tests.timing.test_guest_methods import Lines

STAMPS = '{"nic":"eth0","phc":%s,"capabilities":[],"transmit":[],"receive":[],"config":null}'
ASK = "latlab-probe clock stamps --nic eth0"


def test_a_stamp_plus_the_offset_is_the_systems_time() -> None:
    line = '{"tai_ns":5000,"phc_ns":3000,"width_ns":101,"way":"extended","tai_offset_ns":0}'
    watch = phc.PhcWatch("sender", "eth0", Lines(line, line))
    first, second = watch.take()
    assert (first.host, first.source, first.reference) == ("sender", "phc", "clock of eth0")
    assert (first.time_ns, first.offset_ns, first.error_ns) == (5000, 2000, 52)
    assert "PTP_SYS_OFFSET_EXTENDED" in (first.event or "")
    assert second.event is None


@given(system=st.integers(0, 2**62), width=st.integers(0, 10**9), where=st.floats(0, 1), difference=st.integers())
def test_wherever_in_between_the_nic_was_read_the_truth_is_within_the_bound(
    system: int, width: int, where: float, difference: int
) -> None:
    # The probe gives the middle, rounded down, of the system's two readings.
    line = PhcLine(system + width // 2, system + round(where * width) - difference, width, "basic", 0)
    assert abs((line.tai_ns - line.phc_ns) - difference) <= phc.error_ns(line)


def test_what_is_no_line_ends_the_watching_with_a_reason() -> None:
    watch = phc.PhcWatch("sender", "eth0", Lines("oops"))
    assert watch.take() == []
    assert "no reading of a clock" in (watch.failure or "")


def test_a_nic_without_a_clock_is_an_obstacle_that_names_it() -> None:
    with_clock, without = machine("hypervisor", {ASK: STAMPS % 0}), machine("peer", {ASK: STAMPS % "null"})
    here = site(with_clock, without)
    assert phc.obstacle(here, end(with_clock), end(with_clock)) is None
    assert "eth0 of peer has no clock" in (phc.obstacle(here, end(with_clock), end(without)) or "")
