# SPDX-License-Identifier: Apache-2.0
"""The reflector's clock minus the sender's, with a bound that holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.timing.ptp.comparing import LEAST, Comparer
from latlab.timing.reading import Reading


def row(offset_ns: int, host: str = "sender", source: str = "ptp4l", servo: str = "s2", delay_ns: int | None = 100,
        error_ns: int | None = None) -> Reading:  # fmt: skip
    return Reading(1, host, source, "master", offset_ns, error_ns, delay_ns, servo_state=servo)


def settled(slave: str, offset_ns: int = 40, *, hardware: bool = False) -> Comparer:
    """One that has heard all but the last offset that it needs to say anything."""
    comparer = Comparer(slave, hardware=hardware)
    assert [comparer.take(row(offset_ns, host=slave)) for _ in range(LEAST - 1)] == [None] * (LEAST - 1)
    return comparer


@pytest.mark.parametrize(("slave", "offset_ns"), [("sender", -40), ("reflector", 40)])
def test_the_sign_is_the_reflectors_minus_the_senders(slave: str, offset_ns: int) -> None:
    found = settled(slave).take(row(40, host=slave))
    assert found
    assert (found.host, found.reference, found.offset_ns, found.error_ns) == ("reflector", "sender", offset_ns, 100)


def test_nothing_else_is_compared() -> None:
    comparer = Comparer("sender", hardware=False)
    others = [row(1, host="reflector"), row(1, source="pmc"), row(1, servo="s1"), row(1, delay_ns=None)]
    assert [comparer.take(other) for other in others] == [None] * 4


def test_offsets_that_jump_widen_the_bound_until_they_are_old() -> None:
    comparer = settled("sender", 0)
    bounds = [found.error_ns for n in range(40) if (found := comparer.take(row(5000 if n == 3 else 0)))]
    assert bounds[2] == 100
    assert bounds[3] == bounds[10] == 5100
    assert bounds[39] == 100


def test_with_hardware_stamps_both_systems_clocks_count() -> None:
    comparer = settled("reflector", hardware=True)
    assert comparer.take(row(40, host="reflector")) is None
    assert comparer.take(row(7, host="sender", source="phc2sys", delay_ns=None, error_ns=3)) is None
    assert comparer.take(row(2, host="reflector", source="phc2sys", delay_ns=None, error_ns=4)) is None
    found = comparer.take(row(40, host="reflector"))
    assert found
    assert (found.offset_ns, found.error_ns) == (49, 107)


DELAYS = st.integers(1, 10**6)


@given(st.integers(-(10**9), 10**9), DELAYS, st.lists(DELAYS, min_size=LEAST, max_size=40))
def test_the_truth_is_within_the_bound_whatever_the_asymmetry(offset_ns: int, mean_ns: int, delays: list[int]) -> None:
    """Messages that take from nothing to twice the mean."""
    comparer = Comparer("reflector", hardware=False)
    for delay_ns in delays:
        measured = offset_ns + min(delay_ns, 2 * mean_ns) - mean_ns
        found = comparer.take(row(measured, host="reflector", delay_ns=mean_ns))
        if found is None:
            continue  # one of the first
        assert found.offset_ns is not None
        assert found.error_ns is not None
        assert abs(found.offset_ns - offset_ns) <= found.error_ns


def test_a_first_message_that_is_held_up_is_not_believed() -> None:
    """Nothing yet says that it was."""
    comparer = Comparer("reflector", hardware=False)
    found = [comparer.take(row(offset, host="reflector")) for offset in (900_000, 10, -10, 5, 0)]
    assert found[:3] == [None, None, None]
    told = [reading for reading in found if reading]
    assert len(told) == 2
    assert all(abs(reading.offset_ns or 0) <= (reading.error_ns or 0) for reading in told)
