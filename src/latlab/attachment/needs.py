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
# The package starts a switch of its own, which nobody asked for.
OVS_PACKAGE = ("openvswitch-switch", "openvswitch-switch")
OVS_TOOLS = tuple(
    Program(name, *OVS_PACKAGE) for name in ("ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-appctl", "ovs-dpctl")
)
OVS_SWITCH: tuple[Need, ...] = (Program("ovs-vswitchd", *OVS_PACKAGE), *OVS_TOOLS)
OVS_WITH_DPDK = Program(
    "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", "openvswitch-switch-dpdk", "openvswitch-switch"
)
DPDK_MEMORY = Hugepages(256)
XDP_SOCKETS = KernelOption("CONFIG_XDP_SOCKETS", "AF_XDP", protocol=XDP_PROTOCOL)

BENCH: tuple[Need, ...] = (Privilege(), Program("ip", "iproute2"), Program("ethtool", "ethtool"))

EXISTING: tuple[Need, ...] = (Program("ssh", "openssh-client"),)
BASELINE: tuple[Need, ...] = ()
USER: tuple[Need, ...] = ()
TAP_BRIDGE: tuple[Need, ...] = (TAP, Module("bridge"), VHOST)
MACVTAP: tuple[Need, ...] = (Module("macvtap"), VHOST)
VFIO: tuple[Need, ...] = (*PASSED_THROUGH, GuestDriver())
SRIOV: tuple[Need, ...] = (*PASSED_THROUGH, SrIov(), GuestDriver(vf=True))
OVS: tuple[Need, ...] = (*OVS_SWITCH, Module("openvswitch"), TAP, VHOST)
OVS_AFXDP: tuple[Need, ...] = (
    *OVS_SWITCH,
    Linked("ovs-vswitchd", "libxdp.so", "AF_XDP in OVS", "openvswitch-switch"),
    XDP_SOCKETS,
    OnlyWith("nic_queues", "one", Queues(1)),
    OnlyWith("guest", "tap", TAP),
    OnlyWith("guest", "vhost-user", OVS_WITH_DPDK),
    OnlyWith("guest", "vhost-user", DPDK_MEMORY),
    OnlyWith("xdp_mode", "native", NativeXdp()),
    VHOST,
)
OVS_DPDK: tuple[Need, ...] = (OVS_WITH_DPDK, *OVS_TOOLS, DPDK_MEMORY, OnlyWith("nic", "af-xdp", XDP_SOCKETS))
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
    "EXISTING",
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
