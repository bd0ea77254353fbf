# SPDX-License-Identifier: Apache-2.0
"""What one end says becomes readings, on its CLOCK_TAI."""

from __future__ import annotations

import json

from latlab.attachment.wiring import End
from latlab.bench.site import Address
from latlab.timing.ptp.planning import Side
from latlab.timing.ptp.pmc import Answer
from latlab.timing.ptp.running import utc_words
from latlab.timing.ptp.session import Voice, by_lines, state_reading
from tests.canned import CannedHost

NOBODY = Address("", "")
TAI_NS = 1_795_000_000_000_000_000


def voice(role: str = "slave") -> Voice:
    end = End(CannedHost({}), "eth0", NOBODY, NOBODY, "")
    made = Voice(Side(end, "sender", role, (3, 1)))  # type: ignore[arg-type]
    made.hear_clocks(json.dumps({"monotonic_ns": 10**9, "tai_ns": TAI_NS, "width_ns": 1, "tai_offset_s": 37}))
    return made


def test_an_offset_of_the_log_has_its_time_on_tai() -> None:
    one = voice()
    one.hear_log("ptp4l[2.500]: master offset -120 s2 freq +77 path delay 4321")
    (reading,) = one.take()
    assert reading.time_ns == TAI_NS + 1_500_000_000
    assert (reading.host, reading.source, reading.reference) == ("sender", "ptp4l", "master")
    assert (reading.offset_ns, reading.path_delay_ns, reading.servo_state) == (-120, 4321, "s2")
    assert reading.error_ns is None
    assert one.take() == []


def test_the_reading_of_a_nics_clock_is_bound_by_half_of_its_width() -> None:
    one = voice()
    one.hear_log("phc2sys[2.500]: CLOCK_REALTIME phc offset 15 s2 freq +1 delay 501")
    (reading,) = one.take()
    assert (reading.source, reading.reference, reading.offset_ns, reading.error_ns) == ("phc2sys", "NIC", 15, 251)
    assert reading.path_delay_ns is None


def test_an_error_is_an_event_and_kept_for_last_words() -> None:
    one = voice()
    one.hear_error("ptp4l[2.000]: timed out while polling for tx timestamp")
    assert [reading.event for reading in one.take()] == ["timed out while polling for tx timestamp"]
    one.hear_error("failed to create a clock")
    assert one.last_error == "failed to create a clock"


def test_a_sink_takes_lines_however_they_come() -> None:
    one = voice()
    sink = by_lines(one.hear_log)
    for data in (b"ptp4l[2.000]: port 1: LISTENING to UNCALI", b"BRATED on RS_SLAVE\nptp4l[2.0", b"01]: x\n"):
        sink(data)
    first, second = one.take()
    assert first.port_state == one.port_state == "UNCALIBRATED"
    assert second.event == "x"


PORT, STATUS = "PORT_DATA_SET", "TIME_STATUS_NP"


def state(port_state: str) -> dict[str, Answer]:
    fields = {
        PORT: {"portState": port_state},
        STATUS: {"master_offset": "5", "gmPresent": "true", "gmIdentity": "525400.fffe.a10001"},
        "CURRENT_DATA_SET": {"offsetFromMaster": "7.0", "meanPathDelay": "9.0"},
    }
    return {kind: Answer(kind, "", 1, values) for kind, values in fields.items()}


def test_one_reading_of_all_that_pmc_says() -> None:
    reading = state_reading(state("SLAVE"), 1, "sender")
    assert (reading.offset_ns, reading.path_delay_ns, reading.reference) == (7, 9, "master")
    assert (reading.port_state, reading.grandmaster) == ("SLAVE", "525400.fffe.a10001")


def test_a_master_has_no_offset() -> None:
    reading = state_reading(state("MASTER"), 1, "sender")
    assert (reading.offset_ns, reading.path_delay_ns, reading.reference) == (None, None, "")


def test_between_peers_the_port_knows_the_delay() -> None:
    fields = {"portState": "SLAVE", "delayMechanism": "2", "peerMeanPathDelay": "11"}
    peers = state("SLAVE") | {PORT: Answer(PORT, "", 1, fields)}
    assert state_reading(peers, 1, "sender").path_delay_ns == 11


def test_a_slave_of_a_fixed_role_knows_no_grandmaster() -> None:
    fields = {"gmPresent": "false", "gmIdentity": "its own"}
    assert state_reading(state("SLAVE") | {STATUS: Answer(STATUS, "", 1, fields)}, 1, "sender").grandmaster is None
    assert (
        state_reading(state("MASTER") | {STATUS: Answer(STATUS, "", 1, fields)}, 1, "sender").grandmaster == "its own"
    )


def test_an_offset_is_told_once_for_each_synchronisation() -> None:
    """A port of a fixed role that has lost its master repeats its last one for ever."""
    status = Answer(STATUS, "", 1, {"ingress_time": "1795284059196971400", "gmPresent": "true"})
    now = state("SLAVE") | {STATUS: status}
    first, again = (state_reading(now, 1, "sender", before) for before in ("5", "1795284059196971400"))
    assert (first.offset_ns, first.path_delay_ns) == (7, 9)
    assert (again.offset_ns, again.path_delay_ns, again.port_state) == (None, None, "SLAVE")


def test_what_was_not_answered_is_not_there() -> None:
    only = {PORT: state("SLAVE")[PORT]}
    reading = state_reading(only, 1, "sender")
    assert (reading.port_state, reading.offset_ns, reading.grandmaster) == ("SLAVE", None, None)


def test_kernels_that_hold_another_tai_are_told_of() -> None:
    assert utc_words(None, 0, 0) == ""
    assert utc_words(37, 0, 0).endswith("the slave's kernel 0 s")
    assert "differ by 37 s" in utc_words(37, 37, 0)


def test_an_offset_without_a_delay_is_none_yet() -> None:
    fields = {"offsetFromMaster": "0.0", "meanPathDelay": "0.0"}
    early = state("UNCALIBRATED") | {"CURRENT_DATA_SET": Answer("CURRENT_DATA_SET", "", 1, fields)}
    reading = state_reading(early, 1, "sender")
    assert (reading.offset_ns, reading.path_delay_ns) == (None, None)
