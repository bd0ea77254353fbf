# SPDX-License-Identifier: Apache-2.0
"""What happened to the clocks is named, with its times, from the readings alone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from latlab.timing.ptp.events import events
from latlab.timing.reading import Reading

S = 10**9
START_NS = 1_795_000_000 * S


def sync(second: float, servo: str = "s2", offset_ns: int = 5, host: str = "sender") -> Reading:
    return Reading(START_NS + int(second * S), host, "ptp4l", "master", offset_ns=offset_ns, path_delay_ns=500_000,
                   frequency_ppb=10.0, servo_state=servo)  # fmt: skip


def said(second: float, words: str, host: str = "sender") -> Reading:
    return Reading(START_NS + int(second * S), host, "ptp4l", event=words)


def steady(first: float, last: float) -> list[Reading]:
    return [sync(eighth / 8) for eighth in range(int(first * 8), int(last * 8))]


def test_nothing_happened() -> None:
    assert events(steady(0, 60)) == []


def test_sixteen_seconds_of_fault_are_one_happening_with_its_cause() -> None:
    rows = [
        *steady(0, 10),
        said(10, "timed out while polling for tx timestamp"),
        said(10, "port 1: send delay request failed"),
        said(10, "port 1: SLAVE to FAULTY on FAULT_DETECTED (FT_UNSPECIFIED)"),
        said(26, "port 1: FAULTY to LISTENING on INIT_COMPLETE"),
        said(28, "port 1: UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED"),
        *steady(28, 40),
    ]
    (fault,) = events(rows)
    assert (fault.kind, fault.host, fault.duration_ns) == ("fault-reset", "sender", 16 * S)
    assert fault.start_ns == START_NS + 10 * S
    assert "FAULTY for 16.0 s: timed out while polling for tx timestamp" in fault.sentence


def test_a_slave_that_took_itself_for_the_master() -> None:
    rows = [
        *steady(0, 10),
        said(13, "port 1: SLAVE to MASTER on ANNOUNCE_RECEIPT_TIMEOUT_EXPIRES"),
        said(13, "port 1: assuming the grand master role"),
        said(20, "port 1: MASTER to UNCALIBRATED on RS_SLAVE"),
        said(21, "port 1: UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED"),
        *steady(21, 30),
    ]
    lost, *rest = [one for one in events(rows) if one.kind == "master-lost"]
    assert rest == []
    assert lost.duration_ns == 8 * S
    assert "took itself for the master" in lost.sentence


def test_a_port_of_the_automotive_profile_falls_silent() -> None:
    (lost,) = events([*steady(0, 10), *steady(15, 20)])
    assert lost.kind == "master-lost"
    assert lost.start_ns == START_NS + 10 * S - S // 8
    assert "not synchronised by its PTP master for 5.1 s" in lost.sentence


def test_a_silence_that_had_not_ended() -> None:
    state = Reading(START_NS + 20 * S, "sender", "pmc", port_state="SLAVE")
    (lost,) = events([*steady(0, 10), state])
    assert lost.end_ns is None
    assert "and stayed so" in lost.sentence


def test_a_step_is_named_with_its_size() -> None:
    happened = events([sync(0, "s0", 9_000_000), sync(0.125, "s1", 9_000_000), *steady(0.25, 3)])
    assert [(one.kind, one.size_ns) for one in happened] == [("step", 9_000_000)]
    assert "by -9000000 ns" in happened[0].sentence


def test_a_servo_out_of_lock_is_named_until_it_is_in() -> None:
    rows = [*steady(0, 5), sync(5, "s0"), sync(5.125, "s0"), sync(5.25, "s1", 2_000_000), sync(5.375)]
    servo = [one for one in events(rows) if one.kind == "servo"]
    assert [(one.start_ns - START_NS, one.duration_ns) for one in servo] == [(5 * S, 375_000_000)]


def test_another_grandmaster() -> None:
    rows = [replace(sync(n), grandmaster="a" if n < 2 else "b") for n in range(4)]
    (change,) = events(rows)
    assert change.kind == "grandmaster"
    assert change.sentence == "the sender changed its grandmaster from a to b"


STATES = st.sampled_from(["INITIALIZING", "FAULTY", "LISTENING", "MASTER", "UNCALIBRATED", "SLAVE"])
WORDS = st.builds("port 1: {} to {} on {}".format, STATES, STATES, st.sampled_from(
    ["FAULT_DETECTED", "ANNOUNCE_RECEIPT_TIMEOUT_EXPIRES", "RS_SLAVE", "INIT_COMPLETE"]))  # fmt: skip
ROWS = st.one_of(
    st.builds(said, st.floats(0, 1000), WORDS, st.sampled_from(["sender", "reflector"])),
    st.builds(sync, st.floats(0, 1000), st.sampled_from(["s0", "s1", "s2", "s3"]), st.integers(-(10**12), 10**12)),
)


@given(st.lists(ROWS, max_size=60))
def test_the_order_of_the_rows_does_not_matter_and_no_time_runs_backwards(rows: list[Reading]) -> None:
    found = events(rows)
    assert all(one.end_ns is None or one.end_ns >= one.start_ns for one in found)
    assert [one.start_ns for one in found] == sorted(one.start_ns for one in found)
    times = [row.time_ns for row in rows]
    if len(set(times)) == len(times):
        assert events(list(reversed(rows))) == found


def test_what_is_said_beside_a_fault_is_not_its_cause() -> None:
    """As QEMU's 82576 has it, with hardware stamps."""
    rows = [
        *steady(0, 10),
        said(9.5, "port 1: received SYNC without timestamp"),
        said(9.9, "timed out while polling for tx timestamp"),
        said(9.9, "increasing tx_timestamp_timeout may correct this issue, but it is likely caused by a driver bug"),
        said(9.9, "port 1: send delay request failed"),
        said(9.95, "port 1: received SYNC without timestamp"),
        said(10, "port 1: SLAVE to FAULTY on FAULT_DETECTED (FT_UNSPECIFIED)"),
    ]
    (fault,) = [one for one in events(rows) if one.kind == "fault-reset"]
    assert fault.end_ns is None
    assert fault.sentence.endswith("and stayed so: timed out while polling for tx timestamp")


def test_a_clock_alone_is_its_own_grandmaster_which_is_no_change() -> None:
    follows = replace(sync(5), grandmaster="a")
    alone = replace(said(2, "selected local clock b as best master"), grandmaster="b")
    assert events([alone, follows, replace(sync(6), grandmaster="a")]) == []
