# SPDX-License-Identifier: Apache-2.0
"""What a NIC stamps, and how often the probe may ask it to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.timing.ptp.nic import (
    HELD_NS,
    LARGEST,
    RISK,
    UNITS_PER_PPB,
    Filter,
    parse_abilities,
    parse_filter,
    parse_frequency,
    set_filter_argv,
    set_frequency_argv,
    tx_slots,
    tx_stamps_every,
)
from tests.doctor.test_nics import IGB

VETH = """Time stamping parameters for veth0:
Capabilities:
\tsoftware-transmit
\tsoftware-receive
\tsoftware-system-clock
PTP Hardware Clock: none
Hardware Transmit Timestamp Modes: none
Hardware Receive Filter Modes: none
"""


def test_abilities() -> None:
    igb, veth = parse_abilities(IGB), parse_abilities(VETH)
    assert (igb.hardware, igb.software, igb.clock) == (True, True, 0)
    assert (veth.hardware, veth.software, veth.clock) == (False, True, None)
    assert not parse_abilities(IGB.replace("hardware-receive", "hardware-x")).hardware
    assert parse_abilities(IGB.replace("PTP Hardware Clock", "Hardware timestamp provider index")).clock == 0
    assert not parse_abilities("netlink error: No such device").hardware


def test_the_filter_is_read_as_it_is_set() -> None:
    assert parse_filter("current settings:\ntx_type 1\nrx_filter 12\n") == Filter(1, 12)
    assert parse_filter("Device driver does not have support for non-destructive SIOCGHWTSTAMP.") is None
    assert set_filter_argv("eth0", Filter(1, 12)) == ["hwstamp_ctl", "-i", "eth0", "-t", "1", "-r", "12"]


def test_frequency() -> None:
    assert parse_frequency("phc_ctl[1.5]: clock frequency offset is -1234.500000ppb\n") == -1234.5
    assert parse_frequency("phc_ctl[1.5]: failed") is None


@given(st.integers(-500_000 * 65, 500_000 * 65))
def test_a_frequency_that_is_set_back_is_the_one_that_was_read(units: int) -> None:
    read_ppb = float(f"{units / UNITS_PER_PPB:.6f}")
    argv = set_frequency_argv("CLOCK_REALTIME", read_ppb)
    assert argv[:5] == ["phc_ctl", "-q", "--", "CLOCK_REALTIME", "freq"]
    # As clockadj_set_freq() does it.
    assert int(float(argv[5]) * UNITS_PER_PPB) == units


def test_slots() -> None:
    assert tx_slots("igb", (6, 12)) == 1
    assert tx_slots("igc", (6, 12)) == 4
    assert tx_slots("igc", (5, 15)) == 1
    assert tx_slots("veth", (6, 12)) is None
    assert tx_slots("a driver of tomorrow", (6, 12)) == 1


PERIODS, COUNTS = st.integers(1_000, 10**10), st.integers(1, 10**10)
RATES = st.floats(0.1, 300)


@given(st.integers(2, 64), PERIODS, COUNTS, RATES)
def test_one_of_several_slots_stays_free(slots: int, period_ns: int, count: int, rate: float) -> None:
    every = tx_stamps_every(slots, period_ns=period_ns, count=count, ptp_per_s=rate)
    assert 1 <= every <= LARGEST
    assert HELD_NS / (every * period_ns) <= slots - 1


@given(PERIODS, COUNTS, RATES)
def test_one_slot_costs_the_risk_at_most(period_ns: int, count: int, rate: float) -> None:
    every = tx_stamps_every(1, period_ns=period_ns, count=count, ptp_per_s=rate)
    assert 0 <= every <= LARGEST
    if every:
        stamps = count / every
        assert stamps * HELD_NS / 1e9 * rate <= RISK * 1.000001


@pytest.mark.parametrize("period_ns", [1_000, 10**9])
def test_a_nic_without_a_limit_stamps_all(period_ns: int) -> None:
    assert tx_stamps_every(None, period_ns=period_ns, count=10**6, ptp_per_s=16) == 1


def test_an_hour_at_one_a_millisecond_has_stamps_left() -> None:
    every = tx_stamps_every(1, period_ns=10**6, count=3_600_000, ptp_per_s=16)
    assert 3_600_000 // every >= 20
