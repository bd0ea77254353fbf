# SPDX-License-Identifier: Apache-2.0
"""What a stall did to the packets: the wait of the first one that it caught."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from latlab.selftest.truth import longest_wait_ns, with_truth
from tests.selftest.cases import injection

STALL = injection("sender-stall", 5_000_000, at_s=1, lasts_s=0.005)


def times(*milliseconds: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([round(ms * 1_000_000) for ms in milliseconds], np.int64)


def test_the_first_packet_waits_longest() -> None:
    assert longest_wait_ns(STALL, times(998, 1001, 1003, 1006)) == 4_000_000


def test_nobody_waits_when_none_came() -> None:
    assert longest_wait_ns(STALL, times(999.9, 1005)) == 0
    assert longest_wait_ns(STALL, times()) == 0


@given(st.lists(st.integers(990_000_000, 1_010_000_000), max_size=20))
def test_the_wait_is_never_longer_than_the_stall(found: list[int]) -> None:
    wait = longest_wait_ns(STALL, np.sort(np.array(found, np.int64)))
    assert 0 <= wait <= 5_000_000
    assert (wait > 0) == any(STALL.start_ns <= time < STALL.end_ns for time in found)


def test_only_stalls_are_looked_at_and_the_receivers_only_on_one_clock() -> None:
    delay = injection("delay", 70_000, way="forward", at_s=1)
    receiver = injection("receiver-stall", 5_000_000, at_s=1, lasts_s=0.005)
    scheduled, arrived = times(1002), times(1003)
    sizes = [i.true_size for i in with_truth([STALL, delay, receiver], scheduled, arrived)]
    assert sizes == [3_000_000, 70_000, 2_000_000]
    assert [i.true_size for i in with_truth([receiver], scheduled, None)] == [5_000_000]
