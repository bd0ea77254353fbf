# SPDX-License-Identifier: Apache-2.0
"""What an attachment gives back: the guest's NIC for QEMU, where its application is reached, and the evidence.

An attachment is one module with two functions:

    attach(site, options, guests) -> list[Wiring]    makes the changes, each with its undo; one wiring for each guest
    evidence(site, wiring, machine) -> Evidence      reads the counters and facts that prove the packets' way

the place where a VLAN of the scenario's `nic` is put, `VLAN_AT` (see `nic.py`), what it needs of a bench, `NEEDS`, and
one line in `latlab.attachment.KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from latlab.bench.site import Address
from latlab.hosts.host import Host
from latlab.hosts.ssh import SshTarget


@dataclass(frozen=True)
class Visit:
    """A guest that runs already, and which of its interfaces is under test; `None`: to be found (see guest.visited)."""

    target: SshTarget
    nic: str | None = None
    address: str | None = None


@dataclass(frozen=True)
class Wiring:
    """One guest's way to the network. `devices` and `files` go to QEMU (see guest.machine).

    No devices, and nobody to visit: no guest.
    """

    own: Address
    """The application's address as it sees it itself."""
    reach: Address
    """The address under which the peer reaches the application."""
    mac: str = ""
    """By which the guest's own NIC is found inside it."""
    devices: tuple[str, ...] = ()
    files: Mapping[int, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ("virtio_net",)
    """The drivers that the guest's kernel needs for its NIC."""
    pins_memory: bool = False
    """Whether QEMU has to lock all of the guest's memory: a device that is the guest's writes into it by itself."""
    shares_memory: bool = False
    """Whether another process maps the guest's memory, which is in huge pages then: vhost-user."""
    gateway: str | None = None
    """The guest's way to the peer, when they are not on one link."""
    icmp_inward: bool = True
    """Whether the peer can ping the application."""
    visit: Visit | None = None
    """The guest runs already: no QEMU of ours. `own` and `reach` are then what it gets if it has no address."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What was found and chosen, for the run's record: `vhost: on`."""
    nics: Mapping[str, str] = field(default_factory=dict)
    """Interfaces of the hypervisor that the packets pass, by role, for the evidence: `{"tap": "lltap0"}`."""


@dataclass(frozen=True)
class Evidence:
    """One reading. `counters` grow with packets; `facts` are states, each with whether it is as it must be; counters
    in `still` do not grow with the packets: they stand on ways that the packets must not take.
    """

    counters: Mapping[str, int]
    facts: Mapping[str, bool] = field(default_factory=dict)
    still: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One thing that proves, or disproves, the packets' way."""

    what: str
    before: int | None
    after: int | bool
    rule: str
    ok: bool


STRAY_SHARE, STRAYS = 10, 2
"""A tenth of the packets, and two: what address resolution and the like may send where the flow must not go."""


def judge(before: Evidence, after: Evidence, *, packets: int, when: str) -> list[Finding]:
    """Every counter must have grown by the packets that made the round trip, and those in `still` must not. Pure.

    Beside a load that proves little; so it is judged over the warm-up too, when nothing else is on the path.
    """
    rule = f"grows by {packets} or more"
    moved = [
        Finding(f"{when}: {name}", before.counters[name], value, rule, value - before.counters[name] >= packets)
        for name, value in after.counters.items()
    ]
    strays = packets // STRAY_SHARE + STRAYS
    rule = f"grows by {strays} at most"
    stood = [
        Finding(f"{when}: {name}", before.still[name], value, rule, value - before.still[name] <= strays)
        for name, value in after.still.items()
    ]
    return moved + stood


def judge_facts(evidence: Evidence) -> list[Finding]:
    """Every fact must hold. Pure."""
    return [Finding(name, None, ok, "holds", ok) for name, ok in evidence.facts.items()]


@dataclass(frozen=True)
class End:
    """One end of the flow: a host, its interface, the address it binds and the one it is reached by."""

    host: Host
    nic: str
    own: Address
    reach: Address
    mac: str
