# SPDX-License-Identifier: Apache-2.0
"""MTU, VLAN and offloads: set, read back, put back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import BenchError
from latlab.nic import offloads_kept, offloads_off, offloads_on, set_mtu, vlan_name
from tests.canned import CannedHost

SHOW = "ip -j -d -s link show dev eth0"


def features(**states: tuple[bool, bool]) -> list[dict[str, Any]]:
    return [{name.replace("_", "-"): {"active": on, "fixed": fixed} for name, (on, fixed) in states.items()}]


def test_an_mtu_that_is_there_is_left_alone() -> None:
    host = CannedHost({SHOW: [{"mtu": 1500}]})
    set_mtu(host, "eth0", 1500)
    assert (host.asked, host.afterwards) == ([SHOW], [])


def test_an_mtu_that_does_not_take_is_an_error_and_is_put_back() -> None:
    host = CannedHost({SHOW: [{"mtu": 1500}]})
    with pytest.raises(BenchError, match="did not take an MTU of 9000"):
        set_mtu(host, "eth0", 9000)
    assert host.afterwards == ["ip link set dev eth0 mtu 1500"]


def test_an_mtu_that_is_refused_names_the_interface() -> None:
    host = CannedHost({SHOW: [{"mtu": 1500}], "ip link set dev eth0 mtu 9000": 2})
    with pytest.raises(BenchError, match="eth0 refuses an MTU of 9000") as caught:
        set_mtu(host, "eth0", 9000)
    assert "maxmtu" in caught.value.hint


def test_only_what_is_on_and_can_be_changed_is_switched_off_and_on_again() -> None:
    found = features(
        rx_checksumming=(True, True), tx_checksumming=(True, False), generic_receive_offload=(False, False),
        tcp_segmentation_offload=(True, False),
    )  # fmt: skip
    host = CannedHost({"ethtool --json -k eth0": found})
    assert offloads_on(host, "eth0") == ["tx", "tso"]
    offloads_off(host, "eth0")
    assert offloads_kept(host, ["eth0"]) == ["hypervisor eth0 tx", "hypervisor eth0 tso"]  # this one never changes
    assert "ethtool -K eth0 tx off tso off" in host.asked
    assert host.afterwards == ["ethtool -K eth0 tx on tso on"]


def test_where_nothing_is_on_nothing_is_done() -> None:
    host = CannedHost({"ethtool --json -k eth0": features(rx_checksumming=(True, True))})
    offloads_off(host, "eth0")
    assert host.asked == ["ethtool --json -k eth0"]


@given(name=st.text("abcdefgh0123", min_size=1, max_size=15), vlan=st.integers(1, 4094))
def test_a_vlan_s_name_is_one_the_kernel_takes(name: str, vlan: int) -> None:
    made = vlan_name(name, vlan)
    assert len(made) <= 15
    assert made.endswith(f".{vlan}")
    assert json.dumps(made).isascii()
