# SPDX-License-Identifier: Apache-2.0
"""What each attachment needs, by name: `NEEDS = needs.TAP_BRIDGE` in its file.

`latlab doctor` and every run judge them (see `latlab.needs`). `BENCH` is what every attachment needs.
"""

from __future__ import annotations

from latlab.needs import Need, OnlyWith
from latlab.needs.kernel import XDP_PROTOCOL, Device, KernelOption, Module
from latlab.needs.machine import Hugepages, Linked, Memlock, Privilege, Program
from latlab.needs.nic import GuestDriver, Iommu, NativeXdp, OwnGroup, PciNic, Queues, SrIov

VHOST = OnlyWith("vhost", "on", Device("/dev/vhost-net", "vhost_net"))
TAP = Device("/dev/net/tun", "tun")
PASSED_THROUGH: tuple[Need, ...] = (PciNic(), Iommu(), Module("vfio_pci"), OwnGroup(), Memlock())
OVS_PROGRAMS: tuple[Need, ...] = (
    # The package starts a switch of its own, which nobody asked for.
    Program("ovs-vswitchd", "openvswitch-switch", "openvswitch-switch"),
    Program("ovsdb-server", "openvswitch-switch", "openvswitch-switch"),
)
XDP_SOCKETS = KernelOption("CONFIG_XDP_SOCKETS", "AF_XDP", protocol=XDP_PROTOCOL)

BENCH: tuple[Need, ...] = (Privilege(), Program("ip", "iproute2"), Program("ethtool", "ethtool"))

BASELINE: tuple[Need, ...] = ()
USER: tuple[Need, ...] = ()
TAP_BRIDGE: tuple[Need, ...] = (TAP, Module("bridge"), VHOST)
MACVTAP: tuple[Need, ...] = (Module("macvtap"), VHOST)
VFIO: tuple[Need, ...] = (*PASSED_THROUGH, GuestDriver())
SRIOV: tuple[Need, ...] = (*PASSED_THROUGH, SrIov(), GuestDriver(vf=True))
OVS: tuple[Need, ...] = (*OVS_PROGRAMS, Module("openvswitch"), TAP, VHOST)
OVS_AFXDP: tuple[Need, ...] = (
    *OVS_PROGRAMS,
    Linked("ovs-vswitchd", "libxdp.so", "AF_XDP in OVS", "openvswitch-switch"),
    XDP_SOCKETS,
    Queues(1),
    TAP,
)
OVS_DPDK: tuple[Need, ...] = (
    Program("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", "openvswitch-switch-dpdk", "openvswitch-switch"),
    Program("ovsdb-server", "openvswitch-switch", "openvswitch-switch"),
    Hugepages(512),
    Memlock(),
)
XDP: tuple[Need, ...] = (
    KernelOption("CONFIG_BPF_SYSCALL", "eBPF"),
    Program("bpftool", "bpftool"),
    TAP,
    Module("bridge"),
    VHOST,
    OnlyWith("mode", "native", NativeXdp()),
)

__all__ = [
    "BASELINE",
    "BENCH",
    "MACVTAP",
    "OVS",
    "OVS_AFXDP",
    "OVS_DPDK",
    "SRIOV",
    "TAP_BRIDGE",
    "USER",
    "VFIO",
    "XDP",
    "Device",
    "GuestDriver",
    "Hugepages",
    "Iommu",
    "KernelOption",
    "Linked",
    "Memlock",
    "Module",
    "NativeXdp",
    "Need",
    "OnlyWith",
    "OwnGroup",
    "PciNic",
    "Privilege",
    "Program",
    "Queues",
    "SrIov",
]
