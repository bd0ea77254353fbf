# SPDX-License-Identifier: Apache-2.0
"""A watch on two daemons: what it hands out, when it is locked, and how it says that one has died."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from latlab.hosts.host import Process
from latlab.timing.ptp.comparing import LEAST
from latlab.timing.ptp.planning import Plan, Side
from latlab.timing.ptp.running import PtpWatch, Team
from latlab.timing.ptp.session import Voice
from tests.canned import CannedHost
from tests.timing.ptp.test_planning import end

OFFSET = "ptp4l[2.000]: master offset 40 {} freq +1 path delay 100"


class Daemon:
    """As much of a process as a watch asks for."""

    def __init__(self, program: str) -> None:
        self.argv = ["ip", "netns", "exec", "peer", program, "-m"]
        self.running, self.exit_code, self.errors = True, None, b""

    def take_stderr(self) -> bytes:
        errors, self.errors = self.errors, b""
        return errors

    def die(self, exit_code: int | None, errors: bytes = b"") -> None:
        self.running, self.exit_code, self.errors = False, exit_code, errors  # type: ignore[assignment]


def team(name: str, role: Any, tai_offset_s: int) -> Team:
    side = Side(end(CannedHost({}, name={"sender": "hypervisor", "reflector": "peer"}[name])), name, role, (3, 1))
    voice = Voice(side)
    now = {"monotonic_ns": 10**9, "tai_ns": 10**18, "width_ns": 1, "tai_offset_s": tai_offset_s}
    voice.hear_clocks(json.dumps(now))
    return Team(side, voice, cast("Process", Daemon("ptp4l")), [cast("Process", Daemon("pmc"))])


def watched(
    *, free: bool = False, tai_s: tuple[int, int] = (0, 0), stamps: Any = "software"
) -> tuple[PtpWatch, Team, Team]:
    master, slave = team("reflector", "master", tai_s[0]), team("sender", "slave", tai_s[1])
    return PtpWatch(Plan(master.side, slave.side, stamps, free, ()), [master, slave]), master, slave


def test_it_is_locked_when_the_servo_follows() -> None:
    watch, _, slave = watched()
    slave.voice.hear_log("ptp4l[2.000]: port 1: UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED")
    assert not watch.locked
    slave.voice.hear_log(OFFSET.format("s1"))
    assert not watch.locked
    slave.voice.hear_log(OFFSET.format("s2"))
    assert watch.wait_until_locked(0)
    assert watch.failure is None
    assert any("PTP locked after" in (reading.event or "") for reading in watch.take())


def test_one_that_runs_free_is_never_locked_and_need_not_be() -> None:
    watch, _, slave = watched(free=True)
    slave.voice.hear_log("ptp4l[2.000]: port 1: LISTENING to UNCALIBRATED on RS_SLAVE")
    assert not watch.locked
    slave.voice.hear_log(OFFSET.format("s0"))
    assert watch.locked


def test_one_that_does_not_lock_says_where_it_stands() -> None:
    watch, _, slave = watched()
    slave.voice.hear_log("ptp4l[2.000]: port 1: LISTENING to UNCALIBRATED on RS_SLAVE")
    cast("Daemon", slave.ptp4l).errors = b"ptp4l[2.100]: port 1: received SYNC without timestamp\n"
    assert not watch.wait_until_locked(0)
    assert watch.failure is not None
    assert "hypervisor did not lock within 0 s: its port is UNCALIBRATED; it said last: " in watch.failure
    assert watch.failure.endswith("received SYNC without timestamp")


@pytest.mark.parametrize(
    ("exit_code", "errors", "words"),
    [
        (255, b"failed to create a clock\n", "ptp4l on peer ended (exit code 255): failed to create a clock"),
        (-9, b"", "ptp4l on peer ended (exit code -9)"),
        (None, b"", "ptp4l on peer ended (the connection to it was lost)"),
    ],
)
def test_one_that_dies_is_named_with_its_last_words(exit_code: int | None, errors: bytes, words: str) -> None:
    watch, master, _ = watched()
    before = watch.failure
    cast("Daemon", master.ptp4l).die(exit_code, errors)
    # Said once, it stays.
    assert (before, watch.failure, watch.failure) == (None, words, words)


@pytest.mark.parametrize(
    ("tai_s", "stamps", "offset_ns"),
    [
        ((0, 0), "software", 40),
        ((37, 37), "software", 40),
        ((37, 0), "software", 40 - 37 * 10**9),
        ((37, 0), "hardware", 40),
    ],
)
def test_offsets_are_of_the_clock_that_the_records_are_on(tai_s: tuple[int, int], stamps: str, offset_ns: int) -> None:
    watch, _, slave = watched(tai_s=tai_s, stamps=stamps)
    for _ in range(LEAST):
        slave.voice.hear_log(OFFSET.format("s2"))
    found = watch.take()
    assert {reading.offset_ns for reading in found if reading.reference == "master"} == {offset_ns}
    compared = [reading.offset_ns for reading in found if reading.reference == "sender"]
    assert compared == ([-offset_ns] if stamps == "software" else [])
