# SPDX-License-Identifier: Apache-2.0
"""Which way a load goes, when it flows, and when it counts as run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.load import PROGRAMS, enough_bytes, share_out
from latlab.load.streams import Carried, added_up, failure, result
from latlab.scenario.model import Direction, Load
from latlab.store.document import LoadResult


@pytest.mark.parametrize(
    ("direction", "flow", "expected"),
    [("same", "down", True), ("same", "up", False), ("opposite", "down", False), ("opposite", "up", True)],
)
def test_same_goes_the_way_the_requests_go(direction: Any, flow: Direction, expected: bool) -> None:
    assert Load(direction=direction).into_app(flow) is expected


def test_every_program_of_a_scenario_is_there() -> None:
    assert set(PROGRAMS) == {"iperf3", "netperf"}


@given(streams=st.integers(1, 64), pairs=st.integers(1, 64))
def test_streams_are_shared_out_evenly_and_nobody_is_left_out(streams: int, pairs: int) -> None:
    shares = share_out(streams, pairs)
    assert len(shares) == pairs
    assert sum(shares) == max(streams, pairs)
    assert max(shares) - min(shares) <= 1
    assert min(shares) >= 1


def test_parts_of_a_load_add_up_and_a_failure_among_them_stays_one() -> None:
    def part(rate: tuple[int, ...], reason: str | None = None) -> LoadResult:
        carried = Carried(rate, 2.0, None, 1) if not reason else None
        return result(Load(streams=len(rate)), carried, ran=reason is None, reason=reason, facts={"nic_rx_bps": 5.0})

    whole = added_up(Load(streams=3), [part((100,)), part((200, 300))]).model_dump()
    assert (whole["streams"], whole["achieved_bps"], whole["per_stream_bps"]) == (3, 2400.0, [400.0, 800.0, 1200.0])
    assert (whole["ran"], whole["reason"], whole["lost_datagrams"], whole["sent_bps"]) == (True, None, 2, None)
    broken = added_up(Load(streams=3), [part((100,)), part((1, 1), "stopped")]).model_dump()
    assert (broken["ran"], broken["reason"], broken["achieved_bps"]) == (False, "stopped", None)


@pytest.mark.parametrize(
    ("rate_bps", "received", "reason"),
    [
        (None, (1, 10), None),
        (None, (0, 10), "stream 1 of 2 carried nothing"),
        (8_000, (2_000, 150), "stream 2 of 2 carried 600 of 8000 bit/s"),
        (8_000, (2_000, 250), None),
        (None, (10,), "1 of 2 streams ran"),
    ],
)
def test_a_load_that_carried_next_to_nothing_did_not_run(
    rate_bps: int | None, received: tuple[int, ...], reason: str | None
) -> None:
    carried = Carried(received, 2.0, None, None)
    assert failure(Load(streams=2, rate_bps=rate_bps), carried) == reason


@pytest.mark.parametrize(
    ("rate_bps", "received", "expected"),
    [
        (None, (1, 1), None),
        (8_000, (1_800, 1_800), None),
        (8_000, (1_799, 1_800), "achieved 14.4 of 16 kbit/s"),
        (2_000_000, (75_000, 75_000), "achieved 0.6 of 4 Mbit/s"),
        (400_000_000, (60_000_000, 20_000_000), "achieved 320 of 800 Mbit/s"),
    ],
)
def test_a_load_below_its_rate_ran_but_says_so(
    rate_bps: int | None, received: tuple[int, ...], expected: str | None
) -> None:
    load = Load(streams=len(received), rate_bps=rate_bps)
    carried = Carried(received, 2.0, None, None)
    record = result(load, carried, ran=failure(load, carried) is None, reason=None, facts={})
    assert record.shortfall == expected
    assert failure(load, carried) is None


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_load_without_a_duration_did_not_run(duration_s: float) -> None:
    assert failure(Load(streams=1), Carried((10,), duration_s, None, None)) is not None


def test_the_record_has_rates_of_payload() -> None:
    carried = Carried((1_000_000, 500_000), 2.0, 2_000_000, 357)
    record = result(Load(streams=2), carried, ran=True, reason=None, facts={}).model_dump()
    assert record["achieved_bps"] == 6_000_000
    assert record["per_stream_bps"] == [4_000_000, 2_000_000]
    assert record["sent_bps"] == 8_000_000
    assert (record["ran"], record["lost_datagrams"]) == (True, 357)


def test_the_record_of_a_load_that_died_has_no_rate() -> None:
    record = result(Load(streams=2), None, ran=False, reason="it died", facts={}).model_dump()
    assert (record["achieved_bps"], record["ran"], record["reason"]) == (None, False, "it died")


@given(st.integers(1, 64), st.none() | st.integers(1_000, 10**12))
def test_flowing_is_more_than_a_connections_beginning(streams: int, rate_bps: int | None) -> None:
    assert 3_000 * streams <= enough_bytes(Load(streams=streams, rate_bps=rate_bps)) <= 50_000 * streams
