# SPDX-License-Identifier: Apache-2.0
"""Clock faults are for emulated machines alone, and their undoing is written down before they are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from latlab.errors import BenchError, MeasurementError
from latlab.timing.clock_faults import BOOT_ID, ramp, step
from latlab.timing.clock_state import ClockState, read_state
from tests.timing.machines import machine, site

STATE = {"latlab-probe clock state": {"wall_offset_ns": 1_000, "width_ns": 9, "tai_offset_ns": 37_000_000_000,
                                      "frequency_ppb": 1.526, "frequency_scaled": 100}}  # fmt: skip


def test_a_step_is_stepped_back_unless_it_was_never_made() -> None:
    host = machine("peer", STATE)
    step(site(host, host), host, -5_000_000)
    assert host.asked[-1] == "latlab-probe clock step -5000000 --this-clock-is-mine"
    assert host.afterwards == ["latlab-probe clock step 5000000 --from -4999000 --this-clock-is-mine"]


def test_a_ramp_adds_to_the_frequency_and_restores_it_to_the_bit() -> None:
    host = machine("peer", STATE)
    ramp(site(host, host), host, 50_000)
    assert host.asked[-1] == "latlab-probe clock frequency 3276900 --scaled --this-clock-is-mine"
    assert host.afterwards == ["latlab-probe clock frequency 100 --scaled --this-clock-is-mine"]


@pytest.mark.parametrize("fault", [step, ramp])
@pytest.mark.parametrize("kind", ["local", "boards"])
def test_a_real_bench_is_refused(fault: object, kind: str) -> None:
    host = machine("peer", STATE)
    with pytest.raises(BenchError, match="peer: its clock is a real machine's") as caught:
        fault(site(host, host, kind=kind), host, 1)  # type: ignore[operator]
    assert "--bench emulated" in caught.value.hint
    assert host.asked == host.afterwards == []


@pytest.mark.parametrize("fault", [step, ramp])
def test_the_machine_at_hand_is_refused_whatever_the_bench_is_called(fault: object) -> None:
    host = machine("this machine", STATE, boot=BOOT_ID.read_text().strip())
    with pytest.raises(BenchError, match="is not changed"):
        fault(site(host, host), host, 1)  # type: ignore[operator]
    assert host.asked == host.afterwards == []


def test_the_state() -> None:
    assert read_state(machine("peer", STATE)) == ClockState(1_000, 37_000_000_000, 100)
    for text in ("", "{}", "[1]", '{"wall_offset_ns":"x","tai_offset_ns":0,"frequency_scaled":0}'):
        with pytest.raises(MeasurementError, match="no state of a clock"):
            read_state(machine("peer", {"latlab-probe clock state": text}))


def test_nothing_else_in_latlab_tells_a_clock_what_to_do() -> None:
    source = Path(__file__).parents[2] / "src/latlab"
    users = [path.name for path in source.rglob("*.py") if "--this-clock-is-mine" in path.read_text()]
    assert users == ["clock_faults.py"]
