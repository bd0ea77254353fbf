# SPDX-License-Identifier: Apache-2.0
"""Points that contradict themselves or their bench are left out, with a reason; all others are not."""

from __future__ import annotations

import pytest

from latlab.scenario.applicable import applicable
from latlab.scenario.attachments import (
    Attachment,
    Baseline,
    Existing,
    Macvtap,
    Ovs,
    OvsAfxdp,
    OvsDpdk,
    Sriov,
    TapBridge,
    User,
    Vfio,
)
from latlab.scenario.bench_model import EmulatedBench, LocalBench
from latlab.scenario.model import Flow, Guest, Load, Nic, Point, Probe

FROM_HYPERVISOR = Load(source="hypervisor")
SWITCHES = (Ovs(), OvsAfxdp(), OvsAfxdp(guest="vhost-user"), OvsDpdk())
BENCHES = (EmulatedBench(), LocalBench())


def point(
    attachment: Attachment, flow: Flow | None = None, load: Load | None = None, guest: Guest | None = None,
    nic: Nic | None = None,
) -> Point:  # fmt: skip
    return Point(
        attachment=attachment, flow=flow or Flow(), load=load, guest=guest or Guest(), nic=nic or Nic(),
        instruments=(Probe(),),
    )  # fmt: skip


@pytest.mark.parametrize("bench", BENCHES)
@pytest.mark.parametrize(
    "attachment", [Baseline(), User(), TapBridge(), TapBridge(vhost="off"), Macvtap(), Vfio(), Sriov(), *SWITCHES]
)
@pytest.mark.parametrize("load", [None, Load(), Load(direction="opposite", protocol="tcp")])
def test_what_this_version_is_for_is_not_left_out(
    attachment: Attachment, load: Load | None, bench: EmulatedBench | LocalBench
) -> None:
    assert applicable(point(attachment, load=load), bench) is None


@pytest.mark.parametrize("bench", BENCHES)
@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        (point(User(), Flow(transport="l2")), "passes no raw Ethernet frames"),
        (point(User(), Flow(transport="udp6")), "IPv4 only"),
        (point(Macvtap(), load=FROM_HYPERVISOR), "cannot talk to its own host"),
        (point(Baseline(), load=FROM_HYPERVISOR), "never meets the NIC"),
        (point(Vfio(), load=FROM_HYPERVISOR), "the NIC is the guest's"),
        (point(Sriov(), load=FROM_HYPERVISOR), "the counters that stand still"),
        (point(Vfio(), guest=Guest(count=2)), "the whole NIC to one guest"),
        (point(TapBridge(), load=Load(program="netperf", rate_bps=1_000_000)), "cannot hold a load at a rate"),
        (point(User(), load=Load(program="netperf")), "no reversed UDP test"),
        (point(User(), Flow(direction="up"), Load(program="netperf", direction="opposite")), "no reversed UDP test"),
        (point(TapBridge(), Flow(vlan=5)), "needs transport l2"),
        (point(Baseline(), guest=Guest(count=2)), "without a guest there cannot be several"),
        (point(Macvtap(mode="passthru"), guest=Guest(count=2)), "whole NIC to one guest"),
        (point(TapBridge(queues=2)), "a guest of 1 CPUs uses no more than 1 queues"),
        (point(TapBridge(), load=Load(source="guests")), "no other guest to make the load"),
        (point(TapBridge(), load=Load(source="guests", program="netperf"), guest=Guest(count=2)), "iperf3 only"),
        (point(User(), nic=Nic(mtu_bytes=9000)), "has an MTU of 1500"),
        (point(OvsAfxdp(), nic=Nic(mtu_bytes=1501)), "packets of up to 1500 bytes"),
        (point(OvsDpdk(), nic=Nic(mtu_bytes=9000)), "packets of up to 1500 bytes"),
        (point(OvsAfxdp(guest="vhost-user", vhost="off")), "served by Open vSwitch itself"),
        (point(Ovs(queues=3), guest=Guest(cpus=2)), "a guest of 2 CPUs uses no more than 2 queues"),
        (point(TapBridge(), Flow(transport="l2", pcp=3)), "no vlan is set"),
        (point(TapBridge(), Flow(size_bytes=1473)), "at most 1472 do"),
        (point(TapBridge(), Flow(transport="udp6", size_bytes=1453)), "at most 1452 do"),
        (point(TapBridge(), Flow(transport="l2", size_bytes=1501)), "at most 1500 do"),
        (point(TapBridge(), Flow(direction="up", cpu=1)), "which has no CPU 1"),
    ],
)
def test_contradictions_are_left_out(left_out: Point, reason: str, bench: EmulatedBench | LocalBench) -> None:
    assert reason in str(applicable(left_out, bench))


@pytest.mark.parametrize(
    "kept",
    [
        point(TapBridge(), load=FROM_HYPERVISOR),
        point(TapBridge(), load=Load(program="netperf")),
        point(User(), load=Load(rate_bps=1_000_000)),
        point(User(), load=Load(program="netperf", protocol="tcp")),
        point(User(), load=Load(program="netperf", direction="opposite")),
        point(User(), Flow(direction="up"), Load(program="netperf")),
        point(User(), Flow(count=200_000_000, period_ns=1_000_000), Load()),
        point(TapBridge(), Flow(size_bytes=1472)),
        point(TapBridge(), Flow(size_bytes=8900), nic=Nic(mtu_bytes=9000)),
        point(TapBridge(queues=2), guest=Guest(cpus=2, count=3)),
        point(Macvtap(), load=Load(source="guests"), guest=Guest(count=2)),
        point(Baseline(), Flow(direction="up", cpu=1)),
        point(Sriov(), load=Load(source="guests"), guest=Guest(count=2)),
    ],
)
def test_their_neighbours_are_kept(kept: Point) -> None:
    assert applicable(kept, EmulatedBench()) is None


def test_an_emulated_host_has_limits() -> None:
    bench = EmulatedBench(cpus=2, memory_mib=1024)
    tagged = point(TapBridge(), Flow(transport="l2", vlan=5, pcp=3))
    assert "drops VLAN tags" in str(applicable(tagged, bench))
    assert applicable(tagged, LocalBench()) is None
    assert "no CPU 2" in str(applicable(point(TapBridge(), Flow(cpu=2)), bench))
    assert "guest of 4 CPUs" in str(applicable(point(TapBridge(), guest=Guest(cpus=4)), bench))
    assert "a guest does not fit, of 512MiB" in str(applicable(point(TapBridge(), guest=Guest(memory_mib=512)), bench))
    assert "which needs 896MiB for itself" in str(applicable(point(OvsDpdk()), bench))
    assert applicable(point(OvsAfxdp()), bench) is None
    assert applicable(point(Baseline(), guest=Guest(memory_mib=512)), bench) is None
    assert applicable(point(TapBridge(), guest=Guest(cpus=4, memory_mib=4096)), LocalBench()) is None


THEIRS = Existing(ssh="guest")
IN_USE = LocalBench(nic="eth1", peer_nic="eth2", nic_in_use=True)
CABLED = LocalBench(nic="eth1", peer_nic="eth2")


@pytest.mark.parametrize("bench", [IN_USE, CABLED])
def test_an_existing_guest_is_measured_on_a_cable_that_is_there(bench: LocalBench) -> None:
    assert applicable(point(THEIRS), bench) is None
    # How many CPUs it has is not for the scenario to say.
    assert applicable(point(THEIRS, Flow(direction="up", cpu=3)), bench) is None


@pytest.mark.parametrize(
    ("left_out", "bench", "reason"),
    [
        (point(THEIRS), EmulatedBench(), "no guest that runs elsewhere can be reached"),
        (point(THEIRS), LocalBench(), "name nic and peer-nic"),
        (point(THEIRS, guest=Guest(image="/d.raw")), IN_USE, "not started by latlab"),
        (point(THEIRS, guest=Guest(count=2)), IN_USE, "not started by latlab"),
        (point(THEIRS, nic=Nic(mtu_bytes=9000)), IN_USE, "its owner's"),
        (point(THEIRS, nic=Nic(vlan=5)), IN_USE, "its owner's"),
        (point(THEIRS, load=FROM_HYPERVISOR), IN_USE, "no address in the network of an existing guest"),
        (point(TapBridge()), IN_USE, "in use by its owner"),
        (point(Baseline()), IN_USE, "in use by its owner"),
    ],
)
def test_what_is_somebody_s_is_left_alone(left_out: Point, bench: EmulatedBench | LocalBench, reason: str) -> None:
    assert reason in str(applicable(left_out, bench))
