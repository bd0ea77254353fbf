# SPDX-License-Identifier: Apache-2.0
"""linuxptp's logs are read as they are, in both generations; what is none is left."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.timing.ptp.logs import Line, Lines, Offset, Selected, Transition, parse_line

DATA = Path(__file__).parent / "data"
"""Printed by linuxptp 3.1.1 and 4.2 over a veth pair: a slave that runs free, its master killed, its link down."""
VERSIONS = ("3.1.1", "4.2")


def lines(version: str) -> list[Line]:
    text = (DATA / f"slave-{version}.log").read_text()
    return [line for line in map(parse_line, text.splitlines()) if line]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_line_of_a_real_log_is_read(version: str) -> None:
    text = (DATA / f"slave-{version}.log").read_text()
    assert len(lines(version)) == len(text.splitlines())
    times = [line.monotonic_ns for line in lines(version)]
    assert times == sorted(times)


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_that_is_measured_or_changes_is_taken_for_words(version: str) -> None:
    for line in lines(version):
        if "offset" in line.text:
            assert isinstance(line.said, Offset)
        if " to " in line.text and line.text.startswith("port"):
            assert isinstance(line.said, Transition)
        if line.text.startswith("selected"):
            assert isinstance(line.said, Selected)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_story_of_a_real_log(version: str) -> None:
    moves = [(line.said.before, line.said.after) for line in lines(version) if isinstance(line.said, Transition)]
    assert ("INITIALIZING", "LISTENING") in moves
    assert ("LISTENING", "UNCALIBRATED") in moves  # where a slave that runs free stays
    assert ("UNCALIBRATED", "LISTENING") in moves  # client only: it does not become a master
    assert ("UNCALIBRATED", "FAULTY") in moves
    assert ("FAULTY", "LISTENING") in moves
    offsets = [line.said for line in lines(version) if isinstance(line.said, Offset)]
    assert len(offsets) >= 3
    assert all(offset.delay_ns is not None and 0 <= offset.delay_ns < 10**9 for offset in offsets)


def test_offsets() -> None:
    line = parse_line("ptp4l[1234.567]: master offset     -12345 s2 freq  +98765 path delay      4321\n")
    assert line == Line(
        "ptp4l", 1_234_567_000_000, "master offset     -12345 s2 freq  +98765 path delay      4321",
        Offset(-12345, "s2", 98765.0, 4321),
    )  # fmt: skip
    system = parse_line("phc2sys[7.001]: CLOCK_REALTIME phc offset       -15 s2 freq   +1234 delay    501")
    assert system
    assert system.said == Offset(-15, "s2", 1234.0, 501)
    nic = parse_line("phc2sys[7.001]: eth0 sys offset 15 s0 freq   -1 delay    501")
    assert nic
    assert nic.said == Offset(15, "s0", -1.0, 501)


def test_a_fault_keeps_its_kind() -> None:
    for port in ("port 1", "port 1 (eth0)"):
        line = parse_line(f"ptp4l[1.000]: {port}: SLAVE to FAULTY on FAULT_DETECTED (FT_UNSPECIFIED)")
        assert line
        assert line.said == Transition(1, "SLAVE", "FAULTY", "FAULT_DETECTED", "FT_UNSPECIFIED")


def test_an_offset_that_is_no_int64_is_not_taken_for_one() -> None:
    line = parse_line("ptp4l[1.000]: master offset 9999999999999999999 s2 freq +1 path delay 1")
    assert line
    assert line.said is None


@given(
    st.integers(-(2**63), 2**63 - 1), st.integers(0, 3), st.integers(-(10**9), 10**9), st.integers(-(10**12), 10**12)
)
def test_whatever_ptp4l_prints_comes_back(offset: int, servo: int, frequency: int, delay: int) -> None:
    line = parse_line(
        f"ptp4l[{12:d}.{7:03d}]: master offset {offset:10d} s{servo} freq {frequency:+7d} path delay {delay:9d}"
    )
    assert line
    assert line.said == Offset(offset, f"s{servo}", float(frequency), delay)


@given(st.text(max_size=300) | st.from_regex(r"ptp4l\[[0-9]+\.[0-9]{3}\]: .*", fullmatch=True))
def test_any_line_is_read_or_left(text: str) -> None:
    parse_line(text)


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=10))
def test_lines_do_not_depend_on_how_they_are_cut(data: bytes, cuts: list[int]) -> None:
    cutter, whole = Lines(), Lines()
    found, at = [], 0
    for cut in sorted(cuts):
        found += cutter.feed(data[at:cut])
        at = max(at, cut)
    found += cutter.feed(data[at:])
    assert found == whole.feed(data)


def test_a_line_without_an_end_does_not_grow_for_ever() -> None:
    cutter = Lines()
    assert sum(len(line) for _ in range(100) for line in cutter.feed(b"x" * 1000)) > 90_000


def test_a_slave_between_two_real_clocks() -> None:
    """Of two emulated machines on an overloaded computer, abridged: it steps, follows, and its servo does not hold."""
    text = (DATA / "slave-steered-3.1.1.log").read_text()
    read = [line for line in map(parse_line, text.splitlines()) if line]
    assert len(read) == len(text.splitlines())
    servo = [line.said.servo for line in read if isinstance(line.said, Offset)]
    assert [a for a, b in pairwise([*servo, ""]) if a != b][:3] == ["s0", "s1", "s2"]
    (step,) = [line.said for line in read if isinstance(line.said, Offset) and line.said.servo == "s1"]
    assert step.offset_ns < -500_000_000
    moves = [(line.said.before, line.said.after, line.said.event) for line in read if isinstance(line.said, Transition)]
    assert ("UNCALIBRATED", "SLAVE", "MASTER_CLOCK_SELECTED") in moves
    assert ("SLAVE", "UNCALIBRATED", "SYNCHRONIZATION_FAULT") in moves
