# SPDX-License-Identifier: Apache-2.0
"""The floor: what quiet stretches differ by, whatever the clocks do evenly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.selftest.faults import KINDS, NS_PER_S
from latlab.selftest.floor import Quiet, Times, find_floor

PERIOD_NS = 2_000_000


def quiet(
    seconds: int = 20, *, noise_ns: float = 0, wander_ns: float = 0, offset_ns: int = 0, drift_ppb: int = 0,
    lost: tuple[int, ...] = (), seed: int = 1,
) -> Quiet:  # fmt: skip
    """Packets whose ways take 300 us and exponential noise; each second's level wanders by itself."""
    random = np.random.default_rng(seed)
    count = seconds * NS_PER_S // PERIOD_NS
    time_ns = 10**18 + PERIOD_NS * np.arange(count, dtype=np.int64)
    second = (time_ns - time_ns[0]) // NS_PER_S
    clocks = offset_ns + (time_ns - time_ns[0]) * drift_ppb // NS_PER_S

    def way() -> Times:
        levels = random.normal(0, wander_ns, seconds)[second]
        found: Times = (300_000 + levels + random.exponential(noise_ns or 1e-9, count)).astype(np.int64)
        return found

    forward, back = way(), way()
    answered = np.ones(count, bool)
    answered[list(lost)] = False
    none = np.zeros(count, bool)
    return Quiet(
        time_ns, answered, forward + clocks, back - clocks, way() - 300_000, forward + back,
        {"loss": ~answered, "duplication": none, "reordering": none},
    )  # fmt: skip


@given(st.integers(-(10**12), 10**12), st.integers(-200_000, 200_000))
@settings(max_examples=20, deadline=None)
def test_clocks_that_are_apart_and_drift_evenly_make_no_floor(offset_ns: int, drift_ppb: int) -> None:
    still = find_floor(quiet(noise_ns=30_000))
    moving = find_floor(quiet(noise_ns=30_000, offset_ns=offset_ns, drift_ppb=drift_ppb))
    assert moving.level_ns == pytest.approx(still.level_ns, abs=50, rel=0.1)
    assert moving.round_trip_ns == still.round_trip_ns


def test_a_level_that_wanders_by_a_known_amount_is_found() -> None:
    """Of a window and its two neighbours, each off by sigma, the difference is off by sigma x sqrt(1.5)."""
    found = find_floor(quiet(400, wander_ns=10_000))
    expected = 3.29 * 10_000 * 1.5**0.5
    assert found.forward_ns == pytest.approx(expected, rel=0.2)
    assert found.return_ns == pytest.approx(expected, rel=0.2)
    assert found.level_ns == max(found.forward_ns, found.return_ns)


def test_one_bad_second_does_not_make_the_floor() -> None:
    calm = quiet(noise_ns=20_000)
    calm.forward_ns[2000:2500] += 50_000_000
    assert find_floor(calm).level_ns < 20_000


def test_single_packets_and_counted_outcomes_have_floors_of_their_own() -> None:
    found = find_floor(quiet(noise_ns=50_000, lost=(600, 700, 5000)))
    # All but one in a thousand of an exponential distribution: 6.9 times its mean, and its median is 0.69 times it.
    assert found.single_ns["sender"] == pytest.approx(50_000 * 6.2, rel=0.15)
    assert found.packets == {"loss": 3, "duplication": 1, "reordering": 1}
    assert found.of(KINDS["loss"]) == 3
    assert found.of(KINDS["sender-stall"]) == found.single_ns["sender"]
    assert found.of(KINDS["receiver-stall"]) == found.single_ns["receiver"]
    assert found.of(KINDS["delay"]) == found.of(KINDS["step"]) == found.level_ns
    assert found.of(KINDS["ramp"]) == max(1, found.level_ns // 4)
    assert found.of(KINDS["master-lost"]) == 0


def test_too_few_windows_are_no_floor() -> None:
    with pytest.raises(ValueError, match="quiet windows"):
        find_floor(quiet(3))
    nothing = np.empty(0, np.int64)
    with pytest.raises(ValueError, match="0 quiet windows"):
        find_floor(Quiet(nothing, nothing.astype(bool), nothing, nothing, nothing, nothing, {}))
