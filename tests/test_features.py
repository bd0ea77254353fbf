# SPDX-License-Identifier: Apache-2.0
"""Offloads: only what is not as wanted is switched; it is read back; its undoing is the opposite."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import BenchError
from latlab.features import LONG_NAMES, features, switch_features
from latlab.rehearsal import RehearsedHost
from tests.canned import CannedHost

READ = "ethtool --json -k eth0"


def interface(**states: bool) -> list[dict[str, Any]]:
    return [{"ifname": "eth0"} | {LONG_NAMES[name]: {"active": on, "fixed": None} for name, on in states.items()}]


def test_what_an_interface_has() -> None:
    assert features(CannedHost({READ: interface(tx=True, lro=False)}), "eth0") == {"tx": True, "lro": False}


def test_what_is_as_wanted_is_left_alone() -> None:
    """Also what the interface does not have at all, and is to be without."""
    host = CannedHost({READ: interface(tx=False, gro=True)})
    switch_features(host, "eth0", {"tx": False, "gro": True, "lro": False})
    assert (host.asked, host.afterwards) == ([READ], [])


@given(wanted=st.dictionaries(st.sampled_from(sorted(LONG_NAMES)), st.booleans()))
def test_switched_and_back(wanted: dict[str, bool]) -> None:
    host = RehearsedHost("hypervisor")
    before = features(host, "eth0")
    switch_features(host, "eth0", wanted)
    assert features(host, "eth0") == before | wanted
    host.script += reversed(host.afterwards)
    assert features(host, "eth0") == before


def test_a_feature_that_does_not_move_is_an_error() -> None:
    host = CannedHost({READ: interface(rxvlan=True)})
    with pytest.raises(BenchError, match="eth0 does not let this be switched: rx-vlan-offload off"):
        switch_features(host, "eth0", {"rxvlan": False})
    assert host.afterwards == ["ethtool -K eth0 rxvlan on"]


def test_so_is_a_refusal() -> None:
    host = CannedHost({READ: interface(rxvlan=True), "ethtool -K eth0 rxvlan off": 1})
    with pytest.raises(BenchError, match="does not let this be switched") as caught:
        switch_features(host, "eth0", {"rxvlan": False})
    assert "[fixed]" in caught.value.hint
