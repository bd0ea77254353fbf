# SPDX-License-Identifier: Apache-2.0
"""A log's time becomes CLOCK_TAI by the nearest pair of readings, across steps of that clock."""

from __future__ import annotations

import json
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from latlab.timing.ptp.clocks import KEPT, Clocks, Now, parse_now
from tests.probe.program import probe_program


def test_the_probe_tells_its_clocks() -> None:
    done = subprocess.run([probe_program(), "now"], capture_output=True, text=True, check=True)
    now = parse_now(done.stdout)
    assert now
    fields = json.loads(done.stdout)
    assert 0 <= fields["width_ns"] < 10**9
    assert now.tai_ns > 10**18 > now.monotonic_ns > 0


def test_the_probe_tells_them_again_and_again() -> None:
    argv = [probe_program(), "now", "--period", "1ms"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as probe:
        assert probe.stdout
        found = [parse_now(probe.stdout.readline()) for _ in range(3)]
        probe.kill()
    times = [now.monotonic_ns for now in found if now]
    assert len(times) == 3
    assert times[0] + 10**6 <= times[1] <= times[2] - 10**6


def test_a_step_counts_from_the_pair_that_is_nearer() -> None:
    clocks = Clocks()
    assert clocks.tai_ns(5) is None
    clocks.add(Now(1000, 5000, 0))
    clocks.add(Now(2000, 9000, 0))
    assert [clocks.tai_ns(at) for at in (0, 1400, 1600, 9999)] == [4000, 5400, 8600, 16999]


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=50), st.integers(0, 10**15), st.integers(0, 10**18))
def test_a_steady_clock_is_read_everywhere(pairs: list[int], at: int, difference: int) -> None:
    clocks = Clocks()
    for monotonic_ns in pairs:
        clocks.add(Now(monotonic_ns, monotonic_ns + difference, 37))
    assert clocks.tai_ns(at) == at + difference


def test_memory_is_bounded() -> None:
    clocks = Clocks()
    for n in range(3 * KEPT):
        clocks.add(Now(n, n, 0))
    assert len(clocks.pairs) == KEPT


@given(st.text(max_size=100) | st.just("[" * 100_000) | st.just('{"monotonic_ns":1,"tai_ns":true,"tai_offset_s":0}'))
def test_what_is_no_reading_is_none(line: str) -> None:
    assert parse_now(line) is None
