# SPDX-License-Identifier: Apache-2.0
"""A NIC that somebody uses is refused, and why is said: measuring on it would cut them off."""

from __future__ import annotations

from typing import Any

import pytest

from latlab.bench.local import configure, refuse_other_namespace, refuse_shaped_nic, refuse_used_nic
from latlab.errors import BenchError
from latlab.hosts.channel import Facts
from latlab.scenario.bench_model import LocalBench
from tests.canned import FACTS, CannedHost

LINK = "ip -j -d -s link show dev eth1"
ROUTES = {"-4": "ip -j -4 route show default", "-6": "ip -j -6 route show default"}
ADDRESSES = "ip -j addr show dev eth1"
LINKS = "ip -j link show"
FREE: dict[str, Any] = {
    LINK: [{"ifname": "eth1", "flags": ["UP"]}],
    ROUTES["-4"]: [{"dst": "default", "dev": "eth0"}],
    ROUTES["-6"]: "",
    ADDRESSES: [{"ifname": "eth1", "addr_info": [{"local": "fe80::1", "scope": "link"}]}],
    LINKS: [{"ifname": "lo"}, {"ifname": "eth1"}, {"ifname": "vlan3", "link": "eth0"}],
}


def test_a_free_nic_is_taken_and_nothing_is_changed() -> None:
    host = CannedHost(FREE)
    refuse_used_nic(host, "eth1")
    assert set(host.asked) == {LINK, *ROUTES.values(), ADDRESSES, LINKS}


def test_a_veth_s_other_end_is_no_user_of_it() -> None:
    pair = [{"ifname": "eth1", "link": "eth2"}, {"ifname": "eth2", "link": "eth1"}]
    refuse_used_nic(CannedHost(FREE | {LINK: [{"ifname": "eth1", "link": "eth2", "flags": []}], LINKS: pair}), "eth1")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({LINK: [{"ifname": "eth1", "flags": [], "master": "br0"}]}, "eth1 is already part of br0"),
        ({ROUTES["-4"]: [{"dst": "default", "dev": "eth1"}]}, "eth1 carries the default route"),
        ({ROUTES["-6"]: [{"dst": "default", "dev": "eth0"}, {"dst": "default", "dev": "eth1"}]}, "the default route"),
        ({ROUTES["-4"]: [{"dst": "default", "nexthops": [{"dev": "eth0"}, {"dev": "eth1"}]}]}, "the default route"),
        ({LINKS: [{"ifname": "eth1"}, {"ifname": "eth1.5", "link": "eth1"}]}, "it carries eth1.5"),
        (
            {
                ADDRESSES: [
                    {"addr_info": [{"local": "fe80::1", "scope": "link"}, {"local": "192.0.2.7", "scope": "global"}]}
                ]
            },
            "it has the address 192.0.2.7",
        ),
        ({LINK: 1}, "has no interface eth1"),
    ],
)
def test_a_used_or_missing_nic_is_refused(answer: dict[str, Any], said: str) -> None:
    host = CannedHost(FREE | answer)
    with pytest.raises(BenchError, match=said) as caught:
        refuse_used_nic(host, "eth1")
    assert caught.value.hint
    assert host.afterwards == []


QDISCS = "tc -j qdisc show dev eth1"


def test_the_kernel_s_own_qdiscs_are_nobody_s() -> None:
    own = [{"kind": "mq", "handle": "0:", "root": True}, {"kind": "fq_codel", "handle": "0:", "parent": ":1"}]
    refuse_shaped_nic(CannedHost({QDISCS: own}), "eth1")


@pytest.mark.parametrize(
    ("qdisc", "remedy"),
    [
        ({"kind": "taprio", "handle": "8001:", "root": True}, "tc qdisc del dev eth1 root"),
        ({"kind": "clsact", "handle": "ffff:", "parent": "ffff:fff1"}, "tc qdisc del dev eth1 parent ffff:fff1"),
    ],
)
def test_a_nic_that_somebody_shaped_is_refused(qdisc: dict[str, Any], remedy: str) -> None:
    with pytest.raises(BenchError, match=f"somebody set the qdisc {qdisc['kind']} on it") as caught:
        refuse_shaped_nic(CannedHost({QDISCS: [qdisc]}), "eth1")
    assert caught.value.hint.endswith(remedy)


def test_real_nics_are_refused_where_they_would_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    places = "stat -c %i /proc/self/net/dev /proc/1/net/dev"
    bench = LocalBench(nic="eth1", peer_nic="eth2")
    host = CannedHost({"ip -j addr show": [], places: "4026532183\n4026531874\n"})
    monkeypatch.setattr("latlab.bench.local.find_kernel", lambda _: None)
    with pytest.raises(BenchError, match="cannot be used from inside a network namespace"):
        configure(host, bench)
    assert host.afterwards == []
    refuse_other_namespace(CannedHost({places: "4026531874\n4026531874\n"}))


def test_without_root_nothing_is_touched() -> None:
    facts = Facts(**{**vars(FACTS), "uid": 1000})
    host = CannedHost({}, facts=facts)
    with pytest.raises(BenchError, match="needs root") as caught:
        configure(host, LocalBench())
    assert "--bench emulated" in caught.value.hint
    assert host.asked == []
