# SPDX-License-Identifier: Apache-2.0
"""A NIC made ready for AF_XDP: its queues, what it does beside the packet, somebody else's program; and all back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latlab.attachment import af_xdp
from latlab.bench.site import Site
from latlab.errors import BenchError
from latlab.features import features_on
from latlab.guest.kernel import Kernel
from latlab.rehearsal import rehearsed_site
from latlab.scenario.bench_model import Addresses
from tests.canned import CannedHost

IGB = """Channel parameters for eth0:
Pre-set maximums:
RX:\t\tn/a
TX:\t\tn/a
Other:\t\t1
Combined:\t8
Current hardware settings:
RX:\t\tn/a
TX:\t\tn/a
Other:\t\t1
Combined:\t{now}
"""
VETH = """Channel parameters for llnic0:
Pre-set maximums:
RX:\t\t2
TX:\t\t2
Other:\t\tn/a
Combined:\tn/a
Current hardware settings:
RX:\t\t1
TX:\t\t1
Other:\t\tn/a
Combined:\tn/a
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (IGB.format(now=2), {"other": (1, 1), "combined": (8, 2)}),
        (VETH, {"rx": (2, 1), "tx": (2, 1)}),
        (VETH.replace("n/a", "0"), {"rx": (2, 1), "tx": (2, 1)}),
        ("", {}),
    ],
)
def test_numbers_of_queues(text: str, found: dict[str, tuple[int, int]]) -> None:
    assert af_xdp.read_channels(text) == found


@pytest.mark.parametrize(
    ("line", "queue"),
    [
        ("     rx_queue_1_packets: 968", 1),  # igb, ixgbe, virtio_net
        ("     rx-1.packets: 968", 1),  # i40e
        ("     rx1_packets: 968", 1),  # mlx5
        ("     rx_queue_1_xdp_packets: 968", 1),  # veth
        ("     tx_queue_1_packets: 968", None),
        ("     rx_packets: 968", None),
        ("     rx_queue_1_drops: 968", None),
    ],
)
def test_packets_of_each_queue_by_each_driver_s_name(line: str, queue: int | None) -> None:
    assert af_xdp.read_queue_packets(line + "\n") == ({} if queue is None else {queue: 968})


STATISTICS = "NIC statistics:\n     rx_queue_0_packets: 105\n     rx_queue_1_packets: 968\n"
OTHERHOST = [{"stats64": {"rx": {"packets": 1073, "otherhost_dropped": 965}}}]


def strays(statistics: str, link: list[dict[str, Any]]) -> dict[str, int]:
    host = CannedHost({"ethtool -S eth0": statistics, "ip -j -s -s link show dev eth0": link})
    return af_xdp.stray_counters(host, "eth0")


def test_packets_that_go_round_the_socket_are_counted() -> None:
    assert strays(STATISTICS, OTHERHOST) == {
        "eth0 rx packets on queue 1, read by nobody": 968,
        "eth0 rx packets given to the kernel's stack": 965,
    }
    # `ip` leaves a counter out that is 0.
    assert strays("", [{"stats64": {"rx": {"packets": 3}}}]) == {"eth0 rx packets given to the kernel's stack": 0}


def feature(*, active: bool = True, fixed: bool = False) -> dict[str, bool]:
    return {"active": active, "fixed": fixed, "requested": active}


FEATURES = {
    "tx-checksum-ip-generic": feature(),
    "tx-checksum-ipv4": feature(fixed=True),
    "tx-vlan-offload": feature(active=False),
    "rx-vlan-offload": feature(),
}


def test_only_what_is_on_and_can_be_changed_is_changed() -> None:
    assert features_on(FEATURES, af_xdp.ASIDE) == ["tx-checksum-ip-generic", "rxvlan"]
    assert features_on({}, af_xdp.ASIDE) == []


class Nic(CannedHost):
    """One that does as it is told."""

    def __init__(self, *, queues: int = 2, features: dict[str, Any] | None = None, **link: object) -> None:
        self.queues, self.features = queues, features or {}
        self.link = {"ifname": "eth0", "flags": ["UP", "LOWER_UP"], "stats64": {}, **link}
        super().__init__({})

    def run_plain(self, argv: Any, **rest: Any) -> Any:
        words = list(argv)
        if words[:2] == ["ethtool", "-L"]:
            self.queues = int(words[-1])
        if words[:2] == ["ethtool", "-K"]:
            for name, state in zip(words[3::2], words[4::2], strict=True):
                self.features[{"rxvlan": "rx-vlan-offload"}.get(name, name)] = feature(active=state == "on")
        self._answers = {
            "ip -j -d -s link show dev eth0": [self.link],
            "ethtool -l eth0": IGB.format(now=self.queues),
            "ethtool --json -k eth0": [self.features],
        }
        return super().run_plain(argv, **rest)


def site(host: CannedHost, peer: CannedHost | None = None) -> Site:
    rehearsed = rehearsed_site("local", Addresses(), Kernel("6", Path("/k"), Path("/")), nic="eth0", peer_nic="eth0")
    return replace(rehearsed, hypervisor=host, peer=peer or Nic())


def test_a_nic_of_two_queues_gets_one_and_two_again() -> None:
    host, peer = Nic(features=dict(FEATURES)), Nic(features=dict(FEATURES))
    assert af_xdp.prepare(site(host, peer)) == 1
    assert host.queues == 1
    assert host.afterwards == [
        "ethtool -K eth0 tx-checksum-ip-generic on rxvlan on",
        "ethtool -L eth0 combined 2",
        "ip link set dev eth0 xdp off",
        "ip link set dev eth0 promisc off",
    ]
    assert peer.afterwards == host.afterwards[:1]


def test_a_nic_that_is_left_as_it_is_found() -> None:
    host = Nic(flags=["UP", "LOWER_UP", "PROMISC"])
    assert af_xdp.prepare(site(host), one_queue=False) == 2
    assert host.afterwards == ["ip link set dev eth0 xdp off"]


def test_a_nic_that_keeps_its_queues() -> None:
    class Stubborn(Nic):
        def run_plain(self, argv: Any, **rest: Any) -> Any:
            return super().run_plain(["true"] if argv[1] == "-L" else argv, **rest)

    with pytest.raises(BenchError, match="eth0 has 2 queues, not 1"):
        af_xdp.prepare(site(Stubborn()))


def test_somebody_s_xdp_program_stays() -> None:
    host = Nic(xdp={"mode": 1, "prog": {"id": 7, "name": "theirs"}})
    with pytest.raises(BenchError, match="has an XDP program of somebody else's: theirs") as caught:
        af_xdp.prepare(site(host))
    assert caught.value.hint.endswith("ip link set dev eth0 xdp off")
    assert host.afterwards == []


def test_a_nic_that_keeps_its_offload() -> None:
    class Stubborn(Nic):
        def run_plain(self, argv: Any, **rest: Any) -> Any:
            return super().run_plain(["true"] if argv[1] == "-K" else argv, **rest)

    with pytest.raises(BenchError, match="eth0 keeps tx-checksum-ip-generic, rxvlan"):
        af_xdp.prepare(site(Stubborn(features=dict(FEATURES))))
