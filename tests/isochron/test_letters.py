# SPDX-License-Identifier: Apache-2.0
"""isochron's report letters print what isochron prints; what it would refuse is refused before anything is printed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import UsageError
from latlab.isochron.dat import Settings
from latlab.isochron.letters import LETTERS, parse_report
from tests.isochron.logs import received, sent
from tests.isochron.test_convert import NO_RECEIVED, slots

SETTINGS = Settings(base_ns=-1_500_000_000, advance_ns=200_000, shift_ns=-5, cycle_ns=1_000_000, window_ns=0)


def printed(text: str, letters: str, numbers: tuple[int, ...] = (1, 2)) -> str:
    rows = slots([sent(n) for n in numbers], [received(n) if n != 2 else NO_RECEIVED for n in numbers])
    return parse_report(text, letters).text(*rows, SETTINGS)


def test_every_letter_is_its_stamp_or_setting() -> None:
    values = printed(" ".join(["%u"] + ["%d"] * 13), "qSwstTRraABCHW", (1,)).split(" ")
    _, scheduled, wakeup, hwts, swts, sched = sent(1)
    _, arrival, rx_hwts, rx_swts = received(1)
    assert list(map(int, values)) == [
        1, scheduled, wakeup, sched, swts, hwts, rx_hwts, rx_swts, arrival, 200_000, -1_500_000_000, 1_000_000, -5, 0,
    ]  # fmt: skip


def test_conversions_are_those_of_c() -> None:
    assert printed("%x %x\n", "qC", (11,)) == "b f4240\n"
    assert printed("%T", "S", (1,)) == "1800000000.000000000"
    assert printed("%T", "w", (1,)) == "1799999999.999801000"
    assert printed("%d %u %x", "HHH", (1,)) == "-5 18446744073709551611 fffffffffffffffb"
    # C divides towards zero, and isochron drops the rest's sign.
    assert printed("%T %T", "BH", (1,)) == "-1.500000000 0.000000005"


def test_a_packet_that_did_not_arrive_has_times_of_zero() -> None:
    assert printed("%u %d %T|", "qaR", (2,)) == "2 0 0.000000000|"


def test_no_newline_is_added_and_text_stands_for_each_packet() -> None:
    assert printed("%u", "q") == "12"
    assert printed("x%%", "") == "x%x%"
    assert printed("", "") == ""


def test_escape_sequences_are_isochrons() -> None:
    assert printed(r"a\n\t\\\"\'\?\a\b\f\r\v", "", (1,)) == "a\n\t\\\"'?\a\b\f\r\v"
    assert printed(r"a\0b", "", (1,)) == "a"
    assert printed("a\\\nb", "", (1,)) == "a b"


@pytest.mark.parametrize(
    ("text", "letters", "complaint"),
    [
        ("%d", "", "has 1 conversions, and --printf-args 0 letters"),
        ("%d", "SS", "has 1 conversions, and --printf-args 2 letters"),
        ("%s", "S", "%s is no conversion"),
        ("100 %", "", "% is no conversion"),
        ("%d", "z", "'z' is no letter of isochron"),
        ("%d", "q", r"a packet's number \(q\) cannot be printed as %d"),
        ("%T", "q", r"a packet's number \(q\) cannot be printed as %T"),
        (r"\y", "", r"\\y is no escape sequence"),
        ("\\", "", r"\\ is no escape sequence"),
        ("%d" * 257, "S" * 257, "has 257 conversions; 256 is the most"),
    ],
)
def test_what_isochron_refuses_is_refused(text: str, letters: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_report(text, letters)


def test_256_conversions_are_not_too_many() -> None:
    assert printed("%u" * 256, "q" * 256, (3,)) == "3" * 256


@given(st.text(st.sampled_from("ab%duxT\\n0 {}"), max_size=30), st.text(st.sampled_from(LETTERS + "z"), max_size=6))
def test_any_format_is_printed_or_refused(text: str, letters: str) -> None:
    with suppress(UsageError):
        once, twice = printed(text, letters, (1,)), printed(text, letters, (1, 1))
        assert twice == once * 2
