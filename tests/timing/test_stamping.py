# SPDX-License-Identifier: Apache-2.0
"""Who stamps is decided by a table and always said; what a NIC was told is put back, and never changed in secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import BenchError, MeasurementError
from latlab.timing.stamping import PTP_FILTERS, Abilities, decide, look, parse, tell
from tests.canned import CannedHost
from tests.timing.machines import machine, site

ALL = ("hardware-transmit", "hardware-receive", "hardware-raw-clock", "software-transmit", "software-receive")
LOOK = "latlab-probe clock stamps --nic eth0"


def nic(*, phc: int | None = 0, can: tuple[str, ...] = ALL, transmit: tuple[str, ...] = ("off", "on"),
        receive: tuple[str, ...] = ("none", "all"), config: dict[str, str] | None = None) -> Abilities:  # fmt: skip
    return Abilities("eth0", phc, frozenset(can), frozenset(transmit), frozenset(receive), config)


PTP = ("none", "ptpv1-l4-event", "ptpv2-l4-event", "ptpv2-event")


@pytest.mark.parametrize(
    ("abilities", "transmit", "receive", "ptp_frames", "words"),
    [
        (nic(), True, "all", False, "every packet, both ways"),
        (nic(receive=PTP), True, "ptpv2-event", True, "only PTP event frames"),
        (nic(receive=("none", "ptpv2-l2-event")), True, "ptpv2-l2-event", True, "only PTP event frames"),
        (nic(receive=("none", "ptpv2-l4-event")), True, None, False, "by the kernel when they arrive"),
        (nic(receive=("none",)), True, None, False, "by the kernel when they arrive"),
        (nic(phc=None), False, None, False, "by the kernel: eth0 has no clock of its own"),
        (nic(transmit=("off",)), False, None, False, "by the kernel: eth0 stamps no packet that leaves"),
        (nic(phc=None, can=("software-receive",)), False, None, False, "t is missing"),
    ],
)
def test_the_table(abilities: Abilities, transmit: bool, receive: str | None, ptp_frames: bool, words: str) -> None:
    found = decide(abilities)
    assert (found.transmit, found.hardware, found.ptp_frames) == (transmit, transmit, ptp_frames)
    assert found.receive == receive
    assert words in found.words


filters = st.sampled_from(["none", "all", "some", *PTP, "ntp-all", "unknown-31"])


@given(st.sets(st.sampled_from(ALL)), st.sets(st.sampled_from(["off", "on"])), st.sets(filters), st.none() | st.just(1))
def test_no_nic_is_asked_for_what_it_has_not(
    can: set[str], transmit: set[str], receive: set[str], phc: int | None
) -> None:
    found = decide(nic(phc=phc, can=tuple(can), transmit=tuple(transmit), receive=tuple(receive)))
    assert found.words.startswith("stamped by")
    assert found.receive is None or found.receive in receive
    assert not found.transmit or "on" in transmit
    assert found.ptp_frames == (found.receive in PTP_FILTERS)
    if phc is None:
        assert not found.hardware


def told(**config: str) -> dict[str, Any]:
    return {"nic": "eth0", "phc": 0, "capabilities": list(ALL), "transmit": ["off", "on"], "receive": ["none", "all"],
            "config": config or None}  # fmt: skip


def test_what_the_probe_prints_is_understood() -> None:
    found = look(CannedHost({LOOK: told(transmit="off", receive="none")}), "eth0")
    assert found == nic(config={"transmit": "off", "receive": "none"})


@given(
    st.text() | st.dictionaries(st.sampled_from(list(told())), st.none() | st.integers() | st.text()).map(json.dumps)
)
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(MeasurementError, match="describes no NIC"):
        parse(text)


class Told(CannedHost):
    """Its NIC does as it is told."""

    def run_plain(self, argv: Any, **options: Any) -> Any:
        if argv[:3] == ["latlab-probe", "clock", "filter"]:
            self._answers = {LOOK: told(transmit=argv[6], receive=argv[8])}
        return super().run_plain(argv, **options)


def test_a_nic_is_told_and_told_back() -> None:
    host = Told({LOOK: told(transmit="off", receive="none")})
    here = site(machine("hypervisor"), machine("peer"))
    found = look(host, "eth0")
    tell(here, host, found, decide(found))
    assert host.asked[1] == "latlab-probe clock filter --nic eth0 --transmit on --receive all"
    assert host.afterwards == ["latlab-probe clock filter --nic eth0 --transmit off --receive none"]


def test_a_nic_that_stamps_so_already_is_left_alone() -> None:
    host = CannedHost({})
    found = nic(config={"transmit": "on", "receive": "all"})
    tell(site(machine("hypervisor"), machine("peer")), host, found, decide(found))
    assert host.asked == host.afterwards == []


@pytest.mark.parametrize(("others", "receive"), [({}, "ptpv2-event"), ({}, "ntp-all"), ({"nic_in_use": True}, "none")])
def test_nothing_is_changed_behind_somebodys_back(others: dict[str, Any], receive: str) -> None:
    host = CannedHost({})
    found = nic(config={"transmit": "off", "receive": receive})
    with pytest.raises(BenchError, match=r"somebody has set the receive filter|is its owner's"):
        tell(site(machine("hypervisor"), machine("peer"), **others), host, found, decide(found))
    assert host.asked == host.afterwards == []


def test_a_driver_that_does_not_do_as_it_is_told_is_an_error() -> None:
    host = CannedHost({LOOK: told(transmit="on", receive="none")})
    found = nic(config={"transmit": "off", "receive": "none"})
    with pytest.raises(BenchError, match="was told"):
        tell(site(machine("hypervisor"), machine("peer")), host, found, decide(found))
