# SPDX-License-Identifier: Apache-2.0
"""The bench's addresses, and the peer's namespace."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.bench.site import Address, Site, add_address, configure_peer, plan_addresses
from latlab.errors import BenchError, CommandError
from latlab.guest.kernel import Kernel
from latlab.hosts.host import Host
from tests.canned import CannedHost
from tests.yard import Yard, yard

__all__ = ["yard"]

HERE = Address("198.18.77.1", "2001:2:0:77::1")


@given(
    ip4=st.integers(0, 2**32 - 1),
    length4=st.integers(1, 29),
    ip6=st.integers(0, 2**128 - 1),
    length6=st.integers(1, 125),
)
def test_three_different_hosts_of_both_networks(ip4: int, length4: int, ip6: int, length6: int) -> None:
    n4 = ipaddress.IPv4Network((ip4, length4), strict=False)
    n6 = ipaddress.IPv6Network((ip6, length6), strict=False)
    plan = plan_addresses(str(n4), str(n6))
    ends = (plan.hypervisor, plan.peer, plan.guest(0))
    for family, network in (("ip4", n4), ("ip6", n6)):
        found = [ipaddress.ip_address(getattr(end, family)) for end in ends]
        assert len(set(found)) == 3
        assert all(address in network for address in found)
        assert network.network_address not in found
    assert n4.broadcast_address not in [ipaddress.ip_address(end.ip4) for end in ends]
    assert all((end.prefix4, end.prefix6) == (length4, length6) for end in ends)


def test_addresses_are_added_each_with_its_undo() -> None:
    host = CannedHost({"ip -j addr show": [{"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]}]})
    add_address(host, "eth1", HERE)
    assert host.asked[1:] == [
        "ip -4 addr add 198.18.77.1/24 dev eth1",
        "ip -6 addr add 2001:2:0:77::1/64 dev eth1 nodad",
    ]
    assert host.afterwards == [
        "ip -4 addr del 198.18.77.1/24 dev eth1",
        "ip -6 addr del 2001:2:0:77::1/64 dev eth1",
    ]


@pytest.mark.parametrize("used", [HERE.ip4, HERE.ip6])
def test_an_address_that_is_in_use_is_refused_before_anything_is_changed(used: str) -> None:
    host = CannedHost({"ip -j addr show": [{"ifname": "tun0", "addr_info": [{"local": used}]}]})
    with pytest.raises(BenchError, match=f"{used} is already in use, on tun0"):
        add_address(host, "eth1", HERE)
    assert host.asked == ["ip -j addr show"]
    assert host.afterwards == []


def peer_host(flags: list[str], answers: dict[str, Any] | None = None) -> CannedHost:
    return CannedHost(
        {
            "ip -j -d -s link show dev eth1": [{"ifname": "eth1", "flags": flags}],
            "ip -j addr show": "[]",
            **(answers or {}),
        }
    )


def test_the_peer_s_nic_comes_back_before_its_namespace_goes_and_is_up_again() -> None:
    host = peer_host(["UP"])
    configure_peer(host, "eth1", HERE, "ns")
    assert host.afterwards[:3] == [
        "ip link set dev eth1 up",
        "ip netns del ns",
        "ip -n ns link set dev eth1 netns 1",
    ]
    host = peer_host([])
    configure_peer(host, "eth1", HERE, "ns")
    assert host.afterwards[0] == "ip netns del ns"


def test_a_namespace_that_is_there_is_an_error() -> None:
    with pytest.raises(CommandError):
        configure_peer(peer_host([], {"ip netns add ns": 1}), "eth1", HERE, "ns")


def site_of(hypervisor: Host, peer: Host) -> Site:
    kernel = Kernel("6.12.1", Path("/boot/vmlinuz-6.12.1"), Path("/"))
    plan = plan_addresses("198.18.77.0/24", "2001:2:0:77::/64")
    return Site("boards", hypervisor, peer, "eth1", "eth2", "kvm", kernel, plan, console=str)


def test_a_peer_of_its_own_can_be_lost_by_itself(yard: Yard) -> None:
    hypervisor, peer = yard.host("hypervisor"), yard.host("peer")
    site = site_of(hypervisor, peer)
    assert site.separate
    assert site.lost == []
    yard.kill_agent(peer)
    assert site.lost == ["peer"]
    yard.kill_agent(hypervisor)
    assert site.lost == ["hypervisor", "peer"]


def test_a_namespace_is_lost_with_its_host(yard: Yard) -> None:
    hypervisor = yard.host("hypervisor")
    site = site_of(hypervisor, hypervisor.within("peer", "peer"))
    assert not site.separate
    yard.kill_agent(hypervisor)
    assert site.lost == ["hypervisor"]
