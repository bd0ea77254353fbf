# SPDX-License-Identifier: Apache-2.0
"""How the clocks stand now, in words, an offset and a bound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from latlab.stats.live import Exchange
from latlab.stats.stamps import ONE_KERNEL, Timescales
from latlab.timing.reading import Reading
from latlab.timing.standing import ClocksNow, Follower

APART: Timescales = {"sender": "one", "reflector": "another"}
S = 1_000_000_000
COMPARED = Reading(5 * S, "reflector", "ptp4l", "sender", offset_ns=-120, error_ns=4_000)
SERVO = Reading(5 * S, "reflector", "ptp4l", "master", offset_ns=-120, path_delay_ns=3_900, servo_state="s2")
SLAVE = Reading(5 * S, "reflector", "pmc", "master", port_state="SLAVE")
MASTER = Reading(5 * S, "sender", "pmc", port_state="MASTER")


def ptp(*readings: Reading, at_s: float = 10.0, asked_s: float = 10.5) -> ClocksNow:
    follower = Follower("ptp", APART)
    follower.hear(readings, at_s)
    return follower.now(asked_s)


def test_one_clock() -> None:
    assert Follower("shared", ONE_KERNEL).now(0.0) == ClocksNow("shared", 0, 0, None, "one clock")


def test_nothing_compares_them() -> None:
    assert Follower("none", APART).now(0.0) == ClocksNow("none", None, None, None, "not compared")


def test_the_packets_compare_them() -> None:
    follower = Follower("exchange", APART)
    assert follower.now(0.0).offset_ns is None
    assert follower.now(0.0, Exchange(3, 77, 200)) == ClocksNow("exchange", 77, 200, None, "by the packets")


def test_a_method_that_sets_no_clock() -> None:
    """kvm-tsc and ptp-kvm read both clocks; of their readings the latest counts."""
    follower = Follower("kvm-tsc", APART)
    assert follower.now(0.0) == ClocksNow("kvm-tsc", words="no reading yet")
    follower.hear([replace(COMPARED, source="kvm-tsc"), replace(COMPARED, offset_ns=9, time_ns=6 * S)], 10.0)
    assert follower.now(10.1) == ClocksNow("kvm-tsc", 9, 4_000, None, "compared")


def test_what_compares_other_clocks_is_not_the_offset_of_the_ends() -> None:
    nic = Reading(5 * S, "sender", "phc", "clock of eth1", offset_ns=37 * S, error_ns=10)
    assert ptp(COMPARED, nic).offset_ns == -120


def test_ptp_is_locked() -> None:
    assert ptp(SERVO, SLAVE, MASTER, COMPARED) == ClocksNow("ptp", -120, 4_000, True, "locked")


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (replace(SERVO, servo_state="s0"), "not locked"),
        (replace(SERVO, servo_state="s1"), "about to step"),
        (replace(SLAVE, port_state="FAULTY"), "not locked, port of the reflector FAULTY"),
        (replace(SLAVE, port_state="MASTER"), "not locked, port of the reflector MASTER"),
        (replace(MASTER, port_state="FAULTY"), "not locked, port of the sender FAULTY"),
    ],
)
def test_ptp_is_not_locked(late: Reading, words: str) -> None:
    found = ptp(SERVO, SLAVE, MASTER, COMPARED, late)
    assert (found.locked, found.words) == (False, words)


def test_ptp_that_has_not_begun() -> None:
    found = ptp(replace(SLAVE, port_state="LISTENING"))
    assert (found.locked, found.offset_ns, found.words) == (
        False, None, "not locked, port of the reflector LISTENING, no reading yet",
    )  # fmt: skip


def test_a_free_slave_is_no_fault_where_both_ends_have_one_clock() -> None:
    free = (replace(SERVO, servo_state="s0"), replace(SLAVE, port_state="UNCALIBRATED"), MASTER, COMPARED)
    follower = Follower("ptp", ONE_KERNEL)
    follower.hear(free, 10.0)
    assert (follower.now(10.0).locked, follower.now(10.0).words) == (None, "runs free")
    assert ptp(*free).words == "not locked, port of the reflector UNCALIBRATED"


def test_silence_is_not_taken_for_a_lock() -> None:
    """A slave of fixed roles that loses its master goes on saying SLAVE and s2."""
    heard = (SERVO, SLAVE, MASTER, COMPARED)
    assert ptp(*heard, asked_s=12.9).locked is True
    assert ptp(*heard, asked_s=17.0) == ClocksNow("ptp", None, None, False, "no reading for 7 s")


def test_silence_is_longer_than_usual() -> None:
    """With a synchronisation each 8 s, 20 s without one are none yet."""
    follower = Follower("ptp", APART)
    follower.hear([SERVO, SLAVE, COMPARED], 10.0)
    follower.hear([replace(COMPARED, time_ns=COMPARED.time_ns + 8 * S)], 18.0)
    assert follower.now(38.0).offset_ns == -120
    assert follower.now(51.0).offset_ns is None
