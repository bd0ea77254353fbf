# SPDX-License-Identifier: Apache-2.0
"""The words of a scenario, checked: a scenario is read once, here, and is plain data from then on.

A scenario's lists multiply into points. A `Point` is one fully resolved combination: nothing in it is left to a
default that could change, so its canonical form (`Point.identity`) names the same measurement for ever.
Integers throughout; a name carries its unit. The keys that a user writes, their units, limits, defaults and
descriptions all come from these models (see `fields`): a new field here is a new key, checked and in the schema.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Direction = Literal["up", "down"]
"""`up`: out of the guest (a sensor in the VM); `down`: into it (a central computer in the VM)."""

Family = Literal["ip4", "ip6"]
"""The family of what runs beside the flow: load, netperf, ping."""

MAX_POINTS = 10_000
"""The most points one scenario may multiply into: more is a slip of the pen, not a plan."""


Vhost = Literal["auto", "on", "off"]
"""Whether the kernel's vhost serves the guest's NIC, or QEMU itself; `auto`: on where /dev/vhost-net is there."""

VHOST: Any = Field(default="auto", description="the kernel's vhost moves the packets, not QEMU; auto: if it is there")
QUEUES: Any = Field(
    default=1, ge=1, le=64, description="pairs of queues of the guest's NIC; at most one for each of its CPUs"
)
"""What attachments by way of a virtio NIC and a tap device have in common."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    LATER: ClassVar[frozenset[str]] = frozenset()
    """Fields that came after the first version: at their defaults they are no part of a point's identity, so that runs
    of older versions keep theirs."""

    def stable(self) -> dict[str, Any]:
        """All that tells this value from others, as JSON values: the same in every version."""
        values = self.model_dump(mode="json")
        found: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name in self.LATER and value == field.get_default(call_default_factory=True):
                continue
            if isinstance(value, tuple):
                found[name] = [v.stable() if isinstance(v, Model) else v for v in value]
            else:
                found[name] = value.stable() if isinstance(value, Model) else values[name]
        return found


def is_interface_name(text: str) -> bool:
    """The kernel's dev_valid_name(): shorter than IFNAMSIZ, no slash, colon or white space."""
    return bool(re.fullmatch(r"[^\s/:]{1,15}", text)) and text not in (".", "..")


def check_path(key: str, path: str | None) -> None:
    """ValueError when it is one that no file has."""
    if path is not None and not path.isprintable():
        raise ValueError(f"{key} is not the path of a file")


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


class Flow(Model):
    """The measured packets."""

    direction: Direction = Field(
        default="down", description="`down`: the peer sends into the guest; `up`: the guest sends"
    )
    transport: Literal["udp4", "udp6", "l2"] = Field(
        default="udp4", description="UDP over IPv4 or IPv6, or raw Ethernet frames"
    )
    period_ns: int = Field(default=1_000_000, ge=1_000, le=60_000_000_000, description="time between two packets")
    count: int = Field(default=10_000, ge=1, le=10_000_000_000, description="number of packets")
    size_bytes: int = Field(default=128, ge=96, le=8_900, description="UDP payload, or Ethernet payload for l2")
    vlan: int | None = Field(default=None, ge=1, le=4094, description="VLAN of the packets (l2 only)")
    pcp: int = Field(default=0, ge=0, le=7, description="priority code point in the VLAN tag")
    priority: int = Field(default=0, ge=0, le=15, description="SO_PRIORITY of the sender")
    clock: Literal["tai", "monotonic"] = Field(default="tai", description="clock that paces the sender")
    fifo: int | None = Field(default=80, ge=1, le=98, description="SCHED_FIFO priority of sender and reflector")
    cpu: int | None = Field(default=None, ge=0, le=1023, description="CPU that the sender is bound to")
    timeout_ns: int = Field(
        default=1_000_000_000,
        ge=1_000_000,
        le=60_000_000_000,
        description="how long a reply may take before its packet counts as lost",
    )
    hardware: bool = Field(
        default=False, description="record the NICs' own stamps too, of NICs that were set to take them"
    )


class Nic(Model):
    """Every interface on the way: the NICs of hypervisor and peer, taps and bridges, the guest's own NIC."""

    mtu_bytes: int = Field(default=1_500, ge=1_280, le=9_216, description="largest packet, without its Ethernet header")
    vlan: int | None = Field(
        default=None, ge=1, le=4094, description="VLAN between the two machines, tagged on the cable"
    )
    offloads: Literal["as-found", "off"] = Field(
        default="as-found", description="checksums, GRO, GSO and TSO of every interface: as they are found, or off"
    )


class Load(Model):
    """Bulk traffic beside the flow. `direction` is seen from the flow: `same` goes the way the requests go."""

    streams: int = Field(default=3, ge=1, le=64, description="bulk streams at the same time")
    protocol: Literal["udp", "tcp"] = Field(default="udp", description="of the bulk streams")
    direction: Literal["same", "opposite"] = Field(
        default="same", description="`same`: the way the flow's requests go; `opposite`: against them"
    )
    source: Literal["peer", "hypervisor", "guests"] = Field(
        default="peer",
        description="who exchanges the bulk streams with the measured guest; `guests`: the others do, with the peer",
    )
    program: Literal["iperf3", "netperf"] = Field(default="iperf3", description="the program that makes the load")
    rate_bps: int | None = Field(
        default=None, ge=1_000, le=1_000_000_000_000, description="of each stream; none: as fast as it goes"
    )

    def into_app(self, flow_direction: Direction) -> bool:
        """Whether the bulk data goes into the application. The flow's requests do when the flow is `down`."""
        return (self.direction == "same") == (flow_direction == "down")


class Netperf(Model):
    """netperf's request/response tests: mean, minimum, maximum and standard deviation of the round trip."""

    kind: Literal["netperf"] = "netperf"
    tests: tuple[Literal["TCP_RR", "UDP_RR"], ...] = Field(default=("TCP_RR",), description="run one after another")
    transactions: int = Field(default=1_000, ge=1, le=100_000_000, description="requests of each test")


class Ping(Model):
    """ICMP echo by the system's ping."""

    kind: Literal["ping"] = "ping"
    count: int = Field(default=10, ge=1, le=1_000_000, description="number of echo requests")
    interval_ns: int = Field(
        default=1_000_000_000, ge=2_000_000, le=60_000_000_000, description="time between two requests"
    )


class Probe(Model):
    """The probe itself; its packets are described by the flow."""

    kind: Literal["probe"] = "probe"


Instrument = Annotated[Probe | Netperf | Ping, Field(discriminator="kind")]


class Guest(Model):
    """The virtual machine, and how many of it are attached in the same way. The first is measured."""

    LATER = frozenset({"count", "image", "ssh_user", "ssh_key", "firmware", "boot_limit_ns"})
    count: int = Field(
        default=1,
        ge=1,
        le=64,
        description="guests on the same attachment; all but the first are idle, or make the load",
    )
    cpus: int = Field(default=1, ge=1, le=64, description="virtual CPUs")
    memory_mib: int = Field(default=192, ge=128, le=65_536, description="memory")
    image: str | None = Field(
        default=None, description="disk image to boot, qcow2 or raw, never written; none: the guest that latlab makes"
    )
    ssh_user: str = Field(default="root", description="who logs in to the image: root, or one who may use `sudo -n`")
    ssh_key: str | None = Field(
        default=None, description="file with the private key of that login; none: those that ssh itself takes"
    )
    firmware: Literal["bios", "uefi"] = Field(default="bios", description="what boots the image")
    boot_limit_ns: int = Field(
        default=120_000_000_000,
        ge=1_000_000_000,
        le=3_600_000_000_000,
        description="how long the image may take until it answers over ssh",
    )

    @model_validator(mode="after")
    def _check(self) -> Guest:
        if not re.fullmatch(r"\w[\w.-]*\$?", self.ssh_user, re.ASCII):
            raise ValueError("ssh-user is not the name of a user")
        check_path("image", self.image)
        check_path("ssh-key", self.ssh_key)
        return self


class Point(Model):
    """One fully resolved combination. `repeat` counts from 1 and is no part of the identity."""

    LATER = frozenset({"nic"})

    attachment: Attachment
    flow: Flow
    load: Load | None
    guest: Guest
    nic: Nic = Nic()
    instruments: tuple[Instrument, ...]
    repeat: int = 1

    @property
    def identity(self) -> str:
        """12 hexadecimal digits: SHA-256 of the canonical JSON of everything but `repeat`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]

    def canonical(self) -> str:
        values = {name: value for name, value in self.stable().items() if name != "repeat"}
        return json.dumps(values, sort_keys=True, separators=(",", ":"))


class Header(Model):
    """What a scenario says about itself, and how often it is measured."""

    name: str = Field(default="", max_length=80, description="name in reports; none: the file's name")
    description: str = Field(default="", max_length=4_000, description="what this scenario is for")
    repeat: int = Field(default=1, ge=1, le=1_000, description="how often each point is measured")
    reuse_guest: bool = Field(
        default=False, description="points that differ in load and flow only share one attachment and its guests"
    )

    @model_validator(mode="after")
    def _check(self) -> Header:
        if not self.name.isprintable():
            raise ValueError("name is one line of printable text")
        return self


class Scenario(Header):
    """A checked scenario: the values of every axis. Their product, times `repeat`, are its points (see `points`)."""

    attachments: tuple[Attachment, ...] = Field(min_length=1)
    loads: tuple[Load | None, ...] = Field(default=(None,), min_length=1)
    flows: tuple[Flow, ...] = Field(default=(Flow(),), min_length=1)
    guests: tuple[Guest, ...] = Field(default=(Guest(),), min_length=1)
    nics: tuple[Nic, ...] = Field(default=(Nic(),), min_length=1)
    instruments: tuple[Instrument, ...] = Field(default=(Probe(),), min_length=1)
