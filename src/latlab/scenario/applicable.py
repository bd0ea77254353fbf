# SPDX-License-Identifier: Apache-2.0
"""Which points cannot be measured on any machine of a bench's kind, and why: reasons that need no look at a machine.

What a machine lacks (a program, a module, a NIC) is for the bench to find out; here are only contradictions in the
point itself, and limits that the bench file states.
"""

from __future__ import annotations

from latlab.scenario.bench_model import AnyBench, EmulatedBench, LocalBench
from latlab.scenario.model import Nic, Point
from latlab.scenario.units import MIB, format_size

SLIRP_MTU_BYTES = 1500
AF_XDP_MTU_BYTES = 1500
"""A packet is in one buffer of 2048 bytes, with room before and after it; no NIC has been tried with more."""
HEADER_BYTES = {"l2": 0, "udp4": 20 + 8, "udp6": 40 + 8}
HOST_MEMORY_MIB = 640
"""What the emulated host needs for itself: kernel, initramfs and the overlay of its root, in tmpfs."""


def applicable(point: Point, bench: AnyBench) -> str | None:
    """None if the point can be measured; else the reason why not, as one clause."""
    return (
        _owner(point, bench)
        or _attachment(point)
        or _guests(point)
        or _load(point)
        or _packets(point)
        or _timing(point)
        or _machine(point, bench)
    )


def other_bench(kind: str, bench: AnyBench) -> str | None:
    """Why no point of this attachment can be measured on that bench, whatever its machine has; None: it may be."""
    if kind != "existing":
        if isinstance(bench, LocalBench) and bench.nic_in_use:
            return "the bench's NIC is in use by its owner (nic-in-use): only an existing guest is measured on it"
        return None
    if isinstance(bench, EmulatedBench):
        return "the emulated host has no network but its own: no guest that runs elsewhere can be reached from it"
    if isinstance(bench, LocalBench) and bench.nic is None:
        return "an existing guest is attached to a NIC that is there already: name nic and peer-nic in the bench's file"
    return None


def _owner(point: Point, bench: AnyBench) -> str | None:
    """What may not be done to a guest, or a NIC, that is somebody's."""
    if (reason := other_bench(point.attachment.kind, bench)) or point.attachment.kind != "existing":
        return reason
    if point.guest.image is not None or point.guest.count > 1:
        return "an existing guest is not started by latlab: guest.image and guest.count are not for it"
    if point.nic != Nic():
        return "the NICs of an existing guest are its owner's, who sets MTU, VLAN and offloads"
    if point.load is not None and point.load.source == "hypervisor":
        return "the hypervisor has no address in the network of an existing guest"
    return None


def _attachment(point: Point) -> str | None:
    flow, attachment = point.flow, point.attachment
    if attachment.kind in ("ovs-afxdp", "ovs-dpdk") and point.nic.mtu_bytes > AF_XDP_MTU_BYTES:
        return f"Open vSwitch's sockets on a NIC take packets of up to {AF_XDP_MTU_BYTES} bytes"
    if attachment.kind == "ovs-afxdp" and attachment.guest == "vhost-user" and attachment.vhost != "auto":
        return "a NIC that is vhost-user is served by Open vSwitch itself: `vhost` is for `guest: tap`"
    if point.attachment.kind != "user":
        return None
    if point.nic.mtu_bytes > SLIRP_MTU_BYTES:
        return f"user-mode networking has an MTU of {SLIRP_MTU_BYTES}"
    if flow.transport == "l2":
        return "user-mode networking passes no raw Ethernet frames"
    if flow.transport == "udp6":
        # QEMU 10.0: -netdev user,hostfwd=udp:[::1]:5555-[fec0::15]:5555 is "Bad host address".
        return "user-mode networking is measured over IPv4 only: it forwards no IPv6 into the guest"
    return None


def _guests(point: Point) -> str | None:
    attachment, guest = point.attachment, point.guest
    if guest.count > 1:
        if attachment.kind == "baseline":
            return "without a guest there cannot be several"
        if getattr(attachment, "mode", None) == "passthru":
            return "macvtap's mode passthru gives the whole NIC to one guest"
        if attachment.kind == "vfio":
            return "vfio gives the whole NIC to one guest"
    queues = getattr(attachment, "queues", 1)
    if queues > guest.cpus:
        return f"a guest of {guest.cpus} CPUs uses no more than {guest.cpus} queues, and {queues} are asked for"
    if point.load is not None and point.load.source == "guests" and guest.count < 2:
        return "there is no other guest to make the load: guest.count is 1"
    return None


def _load(point: Point) -> str | None:
    load = point.load
    if load is None:
        return None
    if load.program == "netperf" and load.rate_bps is not None:
        return "netperf cannot hold a load at a rate: it would have to be built with --enable-intervals, and is not"
    if load.program == "netperf" and load.source == "guests":
        return "a load between the other guests and the peer is made by iperf3 only"
    bulk_udp_in = load.protocol == "udp" and load.into_app(point.flow.direction)
    if load.program == "netperf" and bulk_udp_in and point.attachment.kind == "user":
        return "netperf has no reversed UDP test, so it cannot send bulk UDP to an application behind NAT"
    if load.source != "hypervisor":
        return None
    if point.attachment.kind == "baseline":
        return "without a guest, a load between the hypervisor and itself never meets the NIC"
    if point.attachment.kind == "xdp" and point.nic.vlan is not None:
        return "under xdp the guest itself tags its VLAN, in which the hypervisor has no address"
    if point.attachment.kind == "macvtap":
        return "a macvtap cannot talk to its own host, so the hypervisor cannot be the other end of the load"
    if point.attachment.kind == "vfio":
        return "the NIC is the guest's, so the hypervisor has none to be the other end of the load"
    if point.attachment.kind == "sriov":
        return "the hypervisor's own packets would move the counters that stand still when all of the flow takes the VF"
    return None


def _packets(point: Point) -> str | None:
    flow = point.flow
    if flow.vlan is not None and flow.transport != "l2":
        return "a VLAN needs transport l2 in this version"
    if flow.pcp and flow.vlan is None:
        return "pcp is part of a VLAN tag, and no vlan is set"
    room = point.nic.mtu_bytes - HEADER_BYTES[flow.transport]
    if flow.size_bytes > room:
        return f"{flow.size_bytes} bytes do not fit into one {flow.transport} packet; at most {room} do"
    return None


def _timing(point: Point) -> str | None:
    kind = point.timing.kind
    if kind == "shared" and point.attachment.kind != "baseline":
        return "a guest has a clock of its own: shared is for ends on one kernel"
    if kind in ("kvm-tsc", "ptp-kvm") and point.attachment.kind in ("baseline", "existing"):
        return f"{kind} compares a guest of latlab's with the host that runs it"
    return None


def _huge_pages_mib(point: Point) -> int:
    """What DPDK takes beside the guests."""
    attachment = point.attachment
    if attachment.kind == "ovs-dpdk" or (attachment.kind == "ovs-afxdp" and attachment.guest == "vhost-user"):
        return attachment.memory_mib
    return 0


def _machine(point: Point, bench: AnyBench) -> str | None:
    flow, guest = point.flow, point.guest
    has_guest = point.attachment.kind not in ("baseline", "existing")
    if has_guest and flow.direction == "up" and flow.cpu is not None and flow.cpu >= guest.cpus:
        return f"the sender is in the guest, which has no CPU {flow.cpu}: its CPUs are 0 to {guest.cpus - 1}"
    if not isinstance(bench, EmulatedBench):
        return None
    if flow.cpu is not None and flow.cpu >= bench.cpus:
        return f"the emulated host has no CPU {flow.cpu}: its CPUs are 0 to {bench.cpus - 1}"
    if flow.vlan is not None:
        return (
            f"the emulated 82576 drops VLAN tags that no interface asked for; `nic: {{vlan: {flow.vlan}}}` asks for it"
        )
    if has_guest and guest.cpus > bench.cpus:
        return f"a guest of {guest.cpus} CPUs does not fit into an emulated host of {bench.cpus}"
    itself = HOST_MEMORY_MIB + _huge_pages_mib(point)
    if has_guest and guest.count * guest.memory_mib + itself > bench.memory_mib:
        guests = "a guest does" if guest.count == 1 else f"{guest.count} guests do"
        size = format_size(guest.memory_mib * MIB)
        return (
            f"{guests} not fit, of {size}{' each' * (guest.count > 1)}, into an emulated host of "
            f"{format_size(bench.memory_mib * MIB)}, which needs {itself}MiB for itself"
        )
    return None
