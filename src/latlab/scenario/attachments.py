# SPDX-License-Identifier: Apache-2.0
"""The words of a scenario's `attachment`: the ways to attach a guest to the network, and the options of each."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from latlab.scenario.base import Model, check_path, is_interface_name

Vhost = Literal["auto", "on", "off"]
"""Whether the kernel's vhost serves the guest's NIC, or QEMU itself; `auto`: on where /dev/vhost-net is there."""

VHOST: Any = Field(default="auto", description="the kernel's vhost moves the packets, not QEMU; auto: if it is there")
QUEUES: Any = Field(
    default=1, ge=1, le=64, description="pairs of queues of the guest's NIC; at most one for each of its CPUs"
)
"""What attachments by way of a virtio NIC and a tap device have in common."""


class Baseline(Model):
    """No virtual machine: the flow ends in the hypervisor's own network stack, on the same NICs."""

    kind: Literal["baseline"] = "baseline"


class User(Model):
    """QEMU's user-mode network (slirp): NAT inside the QEMU process, needs no privilege at all."""

    kind: Literal["user"] = "user"


class TapBridge(Model):
    """A tap device and the NIC as ports of a kernel bridge."""

    LATER = frozenset({"queues"})
    kind: Literal["tap-bridge"] = "tap-bridge"
    vhost: Vhost = VHOST
    queues: int = QUEUES


class Macvtap(Model):
    """A macvtap device on top of the NIC: no bridge, the NIC's own MAC filter decides."""

    LATER = frozenset({"queues"})
    kind: Literal["macvtap"] = "macvtap"
    mode: Literal["bridge", "private", "vepa", "passthru"] = Field(
        default="bridge", description="what macvtap devices on one NIC may say to each other, as in `ip link`"
    )
    vhost: Vhost = VHOST
    queues: int = QUEUES


class Vfio(Model):
    """The whole NIC given to the guest, behind the IOMMU: its driver runs in the guest."""

    kind: Literal["vfio"] = "vfio"


class Sriov(Model):
    """A virtual function of the NIC given to the guest, behind the IOMMU: the NIC itself tells the packets apart."""

    kind: Literal["sriov"] = "sriov"
    spoof_check: bool = Field(
        default=True, description="the NIC drops what the guest sends under another MAC or VLAN than its own"
    )


class Xdp(Model):
    """Our own forwarder in XDP on the NIC and a tap device; a kernel bridge behind it for what it does not know."""

    kind: Literal["xdp"] = "xdp"
    mode: Literal["native", "generic"] = Field(
        default="native", description="where XDP runs: in the drivers, or in the kernel's stack"
    )
    ageing_ns: int = Field(
        default=300 * 10**9,
        ge=10**9,
        le=3600 * 10**9,
        description="how long a station is known that is not heard of; 300s is a kernel bridge's",
    )
    vhost: Vhost = VHOST
    queues: int = QUEUES


class Ovs(Model):
    """Open vSwitch's kernel datapath as a simple bridge."""

    kind: Literal["ovs"] = "ovs"
    vhost: Vhost = VHOST
    queues: int = QUEUES


PMD_CPU: Any = Field(
    default=None, ge=0, le=1023, description="CPU of the thread that polls the ports; none: the hypervisor's last"
)
PMD_SLEEP: Any = Field(
    default=None,
    ge=0,
    le=10_000_000,
    description="longest sleep of that thread when nothing comes; none: 0 with 4 CPUs and more, else 100us",
)
HUGE_PAGES: Any = Field(
    default=256, ge=64, le=65_536, description="DPDK's own, in huge pages, where the guest's NIC is vhost-user"
)
"""What attachments by way of Open vSwitch's userspace datapath have in common."""


class OvsAfxdp(Model):
    """Open vSwitch's userspace datapath on AF_XDP sockets."""

    kind: Literal["ovs-afxdp"] = "ovs-afxdp"
    guest: Literal["tap", "vhost-user"] = Field(
        default="tap", description="the guest's port: a tap, through AF_XDP too; or vhost-user, of a build with DPDK"
    )
    xdp_mode: Literal["auto", "native", "generic"] = Field(
        default="auto", description="XDP in the NIC's driver, or after it; auto: native where it works"
    )
    nic_queues: Literal["one", "as-found"] = Field(
        default="one", description="one queue, which is the one that is read; or as many as the NIC is found with"
    )
    vhost: Vhost = VHOST
    pmd_cpu: int | None = PMD_CPU
    pmd_sleep_ns: int | None = PMD_SLEEP
    memory_mib: int = HUGE_PAGES


class OvsDpdk(Model):
    """Open vSwitch with DPDK, the guest's NIC vhost-user."""

    kind: Literal["ovs-dpdk"] = "ovs-dpdk"
    nic: Literal["af-xdp", "af-packet"] = Field(
        default="af-xdp", description="DPDK's way to the NIC: the kernel's AF_XDP or AF_PACKET sockets"
    )
    pmd_cpu: int | None = PMD_CPU
    pmd_sleep_ns: int | None = PMD_SLEEP
    memory_mib: int = HUGE_PAGES


class Existing(Model):
    """A guest that runs already, attached by its owner, and reached over ssh. Only its addresses are latlab's."""

    kind: Literal["existing"] = "existing"
    ssh: str = Field(description="the guest, as ssh takes it: a name of its configuration, USER@HOST, or an ssh:// URI")
    ssh_key: str | None = Field(default=None, description="file with a private key; none: those that ssh itself takes")
    nic: str | None = Field(
        default=None, description="its NIC under test; none: the one with an address in the bench's network"
    )
    address: str | None = Field(
        default=None, description="its IPv4 address on that NIC, added if it is missing; none: found, or the bench's"
    )

    @model_validator(mode="after")
    def _check(self) -> Existing:
        # ssh would take a first hyphen for an option.
        if not re.fullmatch(r"[^\s-]\S*", self.ssh) or not self.ssh.isprintable():
            raise ValueError("ssh is not whom ssh could reach: write NAME, USER@HOST, or ssh://USER@HOST:PORT")
        check_path("ssh-key", self.ssh_key)
        if self.nic is not None and not is_interface_name(self.nic):
            raise ValueError("nic is not the name of an interface")
        if self.address is not None:
            try:
                ipaddress.IPv4Address(self.address)
            except ValueError:
                raise ValueError("address is not an IPv4 address") from None
        return self


Attachment = Annotated[
    Baseline | User | TapBridge | Macvtap | Vfio | Sriov | Ovs | OvsAfxdp | OvsDpdk | Xdp | Existing,
    Field(discriminator="kind"),
]
