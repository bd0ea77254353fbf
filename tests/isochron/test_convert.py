# SPDX-License-Identifier: Apache-2.0
"""Records and isochron's slots say the same about a packet, each in its own words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.isochron.convert import header_of, settings_of, to_records, to_slots
from latlab.isochron.dat import FLAGS, LATEST_NS, RECEIVED, SENT, Settings, Slots
from latlab.stats import records as rec
from latlab.stats.bins import packets_of_bin
from latlab.stats.stamps import ONE_KERNEL, Timescales
from tests.isochron.logs import ADVANCE_NS, CYCLE_NS, Received, Sent, received, sent
from tests.samples_maker import HEADER, exchanges, lose

SETTINGS = Settings(flags=FLAGS["DO_TS"], advance_ns=ADVANCE_NS, cycle_ns=CYCLE_NS)
NO_SENT: Sent = (0, 0, 0, 0, 0, 0)
NO_RECEIVED: Received = (0, 0, 0, 0)


def slots(sent_rows: list[Sent], received_rows: list[Received]) -> tuple[Slots, Slots]:
    return (
        np.array([(row[0], 0, *row[1:]) for row in sent_rows], SENT),
        np.array([(row[0], 0, *row[1:]) for row in received_rows], RECEIVED),
    )


def test_stamps_go_to_the_letters_they_have_there() -> None:
    (record,) = to_records(0, *slots([sent(1)], [received(1)]), SETTINGS)
    wire, wake = sent(1)[1], sent(1)[2]
    assert record["S"] == wire - ADVANCE_NS  # the sender meant to wake an advance time before
    assert [record[letter] - wake for letter in "wstTRra"] == [0, 2_000, 3_000, 10_000, 10_500, 14_500, 19_500]
    assert all(record[field] == 0 for field in ("w2", "s2", "t2", "T2", "R2", "r2", "a2"))


def test_what_happened_to_a_packet_is_in_its_flags() -> None:
    late = list(sent(4))
    late[2] += CYCLE_NS
    rows = [sent(1), sent(2), NO_SENT, (late[0], late[1], late[2], late[3], late[4], late[5]), NO_SENT]
    records = to_records(10, *slots(rows, [received(1), NO_RECEIVED, received(3), received(4), NO_RECEIVED]), SETTINGS)
    sent_flags = rec.SENT | rec.TX_STAMPS_REQUESTED
    assert records["seq"].tolist() == [10, 11, 12, 13]
    assert records["flags"].tolist() == [
        sent_flags | rec.RECEIVED, sent_flags, rec.RECEIVED, sent_flags | rec.RECEIVED | rec.LATE_WAKEUP,
    ]  # fmt: skip
    assert not to_records(0, *slots([sent(1)], [NO_RECEIVED]), Settings())["flags"] & rec.TX_STAMPS_REQUESTED


def test_a_receive_stamp_that_was_not_taken_is_none_though_isochron_adds_the_utc_offset() -> None:
    taken = received(2)
    records = to_records(0, *slots([sent(1), sent(2)], [(*received(1)[:3], 37_000_000_000), taken]), SETTINGS)
    assert records["r"].tolist() == [0, taken[3]]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12), st.integers(0, 10**6))
def test_there_and_back_is_the_same_log(there: list[tuple[bool, bool]], advance_ns: int) -> None:
    kept = Settings(advance_ns=advance_ns)
    numbers = range(1, len(there) + 1)
    received_rows = [received(n) if arrived else NO_RECEIVED for n, (_, arrived) in zip(numbers, there, strict=True)]
    before = slots([sent(n) for n in numbers], received_rows)
    after = to_slots(to_records(0, *before, kept), "forward", kept)
    assert [part.tobytes() for part in after] == [part.tobytes() for part in before]


def test_a_leg_of_an_exchange_is_one_way_of_isochron() -> None:
    records = exchanges(3, hardware=True)
    lose(records, 1)
    there, arrived = to_slots(records, "forward", Settings())
    assert there["seqid"].tolist() == [1, 2, 3]
    assert arrived["seqid"].tolist() == [1, 0, 3]
    for field, letter in (("scheduled", "S"), ("wakeup", "w"), ("sched_ts", "s"), ("swts", "t"), ("hwts", "T")):
        assert there[field].tolist() == records[letter].tolist()
    for field, letter in (("hwts", "R"), ("swts", "r"), ("arrival", "a")):
        assert arrived[field].tolist() == records[letter].tolist()
    back, home = to_slots(records, "return", Settings())
    assert back["seqid"].tolist() == [1, 2, 3]  # isochron's report ends at a slot without its number
    assert home["seqid"].tolist() == [1, 0, 3]
    for field, letter in (("scheduled", "w2"), ("wakeup", "w2"), ("sched_ts", "s2"), ("swts", "t2"), ("hwts", "T2")):
        assert back[field].tolist() == records[letter].tolist()
    for field, letter in (("hwts", "R2"), ("swts", "r2"), ("arrival", "a2")):
        assert home[field].tolist() == records[letter].tolist()


def test_extras_have_no_slot() -> None:
    records = exchanges(4)
    records["flags"][2] = rec.LATE
    records["seq"][2] = 0
    there, _ = to_slots(records, "forward", Settings())
    assert there["seqid"].tolist() == [1, 2, 4]


def test_headers_say_the_same() -> None:
    header = header_of(Settings(128, FLAGS["DO_TS"], 1, 2, 3, 4_000, 5), 17, 99)
    assert (header.period_ns, header.count, header.size_bytes, header.start_ns) == (4_000, 17, 128, 99)
    assert (header.tx_stamps_every, header_of(Settings(), 1, 0).tx_stamps_every) == (1, 0)


@pytest.mark.parametrize("cycle_ns", [999, 1, 0, -1, -LATEST_NS])
def test_a_cycle_that_no_packets_were_sent_with_makes_no_bins_of_all_packets(cycle_ns: int) -> None:
    header = header_of(Settings(cycle_ns=cycle_ns), 17, 99)
    assert packets_of_bin(header.period_ns, header.count) <= 100_000


def test_a_run_without_compared_clocks_says_that_nobody_looked() -> None:
    compared: Timescales = dict.fromkeys(("sender", "sender-nic", "reflector", "reflector-nic"), "tai")
    scales: list[Timescales] = [compared, ONE_KERNEL, {**compared, "sender-nic": "phc"}, {}]
    names = [settings_of(HEADER, "udp4", False, scale).flag_names for scale in scales]
    assert names == [["DO_TS"], ["OMIT_SYNC", "DO_TS"], ["OMIT_SYNC", "DO_TS"], ["OMIT_SYNC", "DO_TS"]]


def test_frames_count_their_ethernet_header_as_isochron_does() -> None:
    sizes = [settings_of(HEADER, *flow, {}).frame_size for flow in (("udp4", False), ("l2", False), ("l2", True))]
    assert sizes == [128, 142, 146]
