# SPDX-License-Identifier: Apache-2.0
"""The words of a scenario, checked: a scenario is read once, here, and is plain data from then on.

A scenario's lists multiply into points. A `Point` is one fully resolved combination: nothing in it is left to a
default that could change, so its canonical form (`Point.identity`) names the same measurement for ever.
Integers throughout; a name carries its unit. The keys that a user writes, their units, limits, defaults and
descriptions all come from these models (see `fields`): a new field here is a new key, checked and in the schema.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from latlab.scenario.attachments import Attachment
from latlab.scenario.base import Model, check_path
from latlab.scenario.timing import Auto, Timing

Direction = Literal["up", "down"]
"""`up`: out of the guest (a sensor in the VM); `down`: into it (a central computer in the VM)."""

Family = Literal["ip4", "ip6"]
"""The family of what runs beside the flow: load, netperf, ping."""

MAX_POINTS = 10_000
"""The most points one scenario may multiply into: more is a slip of the pen, not a plan."""


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

    LATER = frozenset({"nic", "timing"})

    attachment: Attachment
    flow: Flow
    load: Load | None
    guest: Guest
    nic: Nic = Nic()
    timing: Timing = Auto()
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
    timings: tuple[Timing, ...] = Field(default=(Auto(),), min_length=1)
    instruments: tuple[Instrument, ...] = Field(default=(Probe(),), min_length=1)
