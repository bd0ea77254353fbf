# SPDX-License-Identifier: Apache-2.0
"""The numbers of a run that goes on are those that its summary will have, and what is on its way is not lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.stats.live import LiveNumbers
from latlab.stats.records import DUPLICATED, LATE, SEND_FAILED, SENT
from latlab.stats.stamps import ONE_KERNEL, STAMPS, Timescales
from latlab.stats.summary import NotMeasured, Summary, summarise
from tests.samples_maker import HEADER, exchanges, lose

APART: Timescales = {"sender": "one", "reflector": "another"}


@settings(deadline=None)
@given(st.integers(1, 3_000), st.lists(st.integers(0, 2_999), max_size=8), st.integers(0, 2**32 - 1))
def test_they_are_those_of_the_summary(count: int, cuts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    records = exchanges(count)
    records["a2"] += random.lognormal(10, 1, count).astype(np.int64)
    for place in np.flatnonzero(random.random(count) < 0.05).tolist():
        lose(records, place)
    records["flags"][random.random(count) < 0.02] |= np.uint32(DUPLICATED)
    records["flags"][random.random(count) < 0.02] = SEND_FAILED
    numbers, ends = LiveNumbers(HEADER, "up", ONE_KERNEL), sorted({0, *(min(c, count) for c in cuts), count})
    for begin, end in pairwise(ends):
        numbers.add(records[begin:end])
    want = summarise([records], "up", ONE_KERNEL)
    missing, want.counts.missing = want.counts.missing, {}
    assert numbers.counts == want.counts
    assert missing == {}
    for key, found in numbers.summaries().items():
        exact = want.metrics[key]
        if not isinstance(exact, Summary):
            assert isinstance(found, NotMeasured)
            continue
        assert isinstance(found, Summary)
        assert (found.n, found.min_ns, found.max_ns) == (exact.n, exact.min_ns, exact.max_ns)
        for name, value in exact.quantiles_ns.items():
            assert found.quantiles_ns[name] == (None if value is None else pytest.approx(value, rel=0.000_5))


def test_a_packet_on_its_way_is_not_lost() -> None:
    """100 are wanted; 40 have a record, of which one waited for its reply until its time-out."""
    records = exchanges(40)
    lose(records, 17)
    numbers = LiveNumbers(HEADER, "up", ONE_KERNEL)
    numbers.add(records[:17])
    assert (numbers.counts.sent, numbers.counts.lost) == (17, 0)
    numbers.add(records[17:])
    assert (numbers.counts.sent, numbers.counts.lost) == (40, 1)


def test_a_late_reply_does_not_make_it_another_one() -> None:
    records = exchanges(2)
    lose(records, 0)
    extra = exchanges(1)
    extra["flags"] = LATE
    numbers = LiveNumbers(HEADER, "up", ONE_KERNEL)
    for part in (records, extra):
        numbers.add(part)
    assert (numbers.counts.sent, numbers.counts.lost, numbers.counts.late) == (2, 1, 1)
    assert numbers.seconds.second(0)[1:] == (2, 1)


def test_one_way_times_need_one_clock() -> None:
    for timescales, keys in ((ONE_KERNEL, {"round_trip", "up", "down"}), (APART, {"round_trip"})):
        numbers = LiveNumbers(HEADER, "up", timescales)
        numbers.add(exchanges(50))
        assert set(numbers.summaries()) == keys


@given(st.integers(-(10**12), 10**12), st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_the_clocks_are_where_the_fastest_exchange_says(offset_ns: int, seed: int, step: int) -> None:
    """The reflector's clock is ahead by `offset_ns`, and each way takes what it will."""
    random = np.random.default_rng(seed)
    records = exchanges(100)
    there, dwell, back = (random.integers(1, 1_000_000, 100) for _ in range(3))
    records["a"] = records["w"] + there + offset_ns
    records["w2"] = records["a"] + dwell
    records["a2"] = records["w2"] + back - offset_ns
    numbers = LiveNumbers(HEADER, "up", APART)
    for begin in range(0, 100, step):
        numbers.add(records[begin : begin + step])
    fastest = numbers.fastest
    assert fastest is not None
    assert abs(fastest.offset_ns - offset_ns) <= fastest.error_ns + 1
    assert fastest.error_ns == int((there + back).min()) // 2


def test_no_answer_says_nothing_of_the_clocks() -> None:
    records = exchanges(5)
    records["flags"] = SENT
    for stamp in STAMPS[5:]:
        records[stamp.field] = 0
    numbers = LiveNumbers(HEADER, "up", APART)
    numbers.add(records)
    assert numbers.fastest is None
    assert numbers.counts.lost == 5


def test_an_old_answer_says_nothing_of_now() -> None:
    """At 1 kHz: 3 s after the last answer it still does, 4 s after it does not."""
    numbers = LiveNumbers(replace(HEADER, count=10_000), "up", APART)
    records = exchanges(5_000)
    for place in range(1_000, 5_000):
        lose(records, place)
    numbers.add(records[:4_000])
    assert numbers.fastest is not None
    numbers.add(records[4_000:])
    assert numbers.fastest is None


def test_memory_does_not_grow_with_the_run() -> None:
    """Beyond the histograms, of 0.9 MB each, nothing is kept."""
    numbers = LiveNumbers(HEADER, "up", ONE_KERNEL)
    kept = []
    for first in range(0, 200_000, 20_000):
        numbers.add(exchanges(20_000, first_seq=first))
        kept.append(_arrays(numbers))
    assert kept[0] == kept[-1]
    assert kept[0] < 4_000_000


def _arrays(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of all arrays that hang on it."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    inside = list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    inside += (
        list(thing.values()) if isinstance(thing, dict) else list(thing) if isinstance(thing, list | tuple) else []
    )
    return sum(_arrays(part, seen) for part in inside)
