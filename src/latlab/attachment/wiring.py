# SPDX-License-Identifier: Apache-2.0
"""What an attachment gives back: the guest's NIC for QEMU, where its application is reached, and the evidence.

An attachment is one module with two functions:

    attach(site, options, guest_index) -> Wiring     makes the changes, each with its undo
    evidence(site, wiring, machine) -> Evidence      reads the counters and facts that prove the packets' way

and one line in `latlab.attachment.KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from latlab.bench.site import Address
from latlab.hosts.host import Host


@dataclass(frozen=True)
class Wiring:
    """`devices` and `files` go to QEMU (see guest.machine). None of them: there is no guest."""

    own: Address
    """The application's address as it sees it itself."""
    reach: Address
    """The address under which the peer reaches the application."""
    devices: tuple[str, ...] = ()
    files: Mapping[int, str] = field(default_factory=dict)
    gateway: str | None = None
    """The guest's way to the peer, when they are not on one link."""
    icmp_inward: bool = True
    """Whether the peer can ping the application."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What was found and chosen, for the run's record: `vhost: on`."""
    nics: Mapping[str, str] = field(default_factory=dict)
    """Interfaces of the hypervisor that the packets pass, by role, for the evidence: `{"tap": "lltap0"}`."""


@dataclass(frozen=True)
class Evidence:
    """One reading. `counters` grow with packets; `facts` are states, each with whether it is as it must be."""

    counters: Mapping[str, int]
    facts: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One thing that proves, or disproves, the packets' way."""

    what: str
    before: int | None
    after: int | bool
    rule: str
    ok: bool


def judge(before: Evidence, after: Evidence, *, packets: int, when: str) -> list[Finding]:
    """Every counter must have grown by the packets that made the round trip. Pure.

    Beside a load that proves little; so it is judged over the warm-up too, when nothing else is on the path.
    """
    rule = f"grows by {packets} or more"
    return [
        Finding(f"{when}: {name}", before.counters[name], value, rule, value - before.counters[name] >= packets)
        for name, value in after.counters.items()
    ]


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
