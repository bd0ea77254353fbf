# SPDX-License-Identifier: Apache-2.0
"""A bench that is up: its hosts, its cable, its addresses. What attachments, loads and instruments work with.

Addresses come from the blocks set aside for measuring network devices (RFC 2544: 198.18.0.0/15, RFC 5180:
2001:2::/48), so they meet no real network's.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from latlab.errors import BenchError, CommandError, HostError, LatlabError, UndoError
from latlab.guest.kernel import Kernel
from latlab.guest.machine import Machine
from latlab.hosts.host import Host

CARRIER_LIMIT_S = 10
CLEANUP_HINT = "Run: latlab cleanup"


@dataclass(frozen=True)
class Address:
    """One end of the cable, in both families, with the lengths of their prefixes."""

    ip4: str
    ip6: str
    prefix4: int = 24
    prefix6: int = 64


@dataclass(frozen=True)
class AddressPlan:
    """Who has which address on the cable: the first ones of two networks, such as `198.18.77.0/24`."""

    ipv4: ipaddress.IPv4Network
    ipv6: ipaddress.IPv6Network

    @property
    def hypervisor(self) -> Address:
        return self._nth(1)

    @property
    def peer(self) -> Address:
        return self._nth(2)

    def guest(self, number: int) -> Address:
        """Of the guest with that number, from 0. BenchError when the networks are too small for so many."""
        last = min(self.ipv4.num_addresses, self.ipv6.num_addresses) - 2
        if number + 3 > last:
            raise BenchError(
                f"the bench's network {self.ipv4} has no address for guest {number + 1}",
                hint="Give the bench larger networks: `addresses:` in its file.",
            )
        return self._nth(number + 3)

    def _nth(self, number: int) -> Address:
        ip4, ip6 = self.ipv4[number], self.ipv6[number]
        return Address(str(ip4), str(ip6), self.ipv4.prefixlen, self.ipv6.prefixlen)


def plan_addresses(ipv4: str, ipv6: str) -> AddressPlan:
    """The plan for two networks, such as `198.18.77.0/24` and `2001:2:0:77::/64`."""
    return AddressPlan(ipaddress.IPv4Network(ipv4), ipaddress.IPv6Network(ipv6))


def guest_mac(number: int) -> str:
    """Of the guest with that number, from 0. Pinned: neighbour caches outlive a guest, and a new MAC behind an old
    address costs the first seconds.
    """
    return f"52:54:00:a1:01:{number:02x}"


@dataclass(frozen=True)
class Site:
    kind: str
    """`emulated`, `local` or `boards`."""
    hypervisor: Host
    peer: Host
    nic: str
    """The hypervisor's end of the cable."""
    peer_nic: str
    guest_accelerator: str
    """`kvm` or `tcg`: what guests run under."""
    guest_kernel: Kernel
    addresses: AddressPlan
    console: Callable[[], str]
    """What the hypervisor's kernel has said so far."""
    peer_console: Callable[[], str] | None = None
    """The same of the peer's kernel, where that is another one."""
    name: str = ""
    cable: str = ""
    """What is between the two NICs: runs over different cables are never put into one table."""
    headline: str = ""
    """What this bench is, in one line."""
    vlan: int | None = None
    """The VLAN of the flow, where the attachment itself has to put it."""
    mtu: int = 1500
    """Of every interface on the way."""
    nic_in_use: bool = False
    """The hypervisor's NIC is its owner's, and is left as it is."""
    carrier: Host | None = None
    """The machine that an emulated hypervisor runs on, whose files it sees, but not who has locked them."""

    emulators: tuple[Machine, ...] = ()
    """The machines that the bench itself consists of, if it started them."""

    @property
    def emulator_failed(self) -> str:
        """How a machine of the bench failed by itself; "" when none did."""
        return "; ".join(filter(None, (machine.emulator_failed for machine in self.emulators)))

    @property
    def separate(self) -> bool:
        """Whether the peer is a machine of its own, and not a namespace of the hypervisor's."""
        return self.peer.undo is not self.hypervisor.undo

    @property
    def lost(self) -> list[str]:
        """The hosts whose agents are gone, and everything that ran there with them."""
        hosts = (self.hypervisor, self.peer) if self.separate else (self.hypervisor,)
        return [host.name for host in hosts if host.channel.lost]


def link(host: Host, name: str) -> dict[str, Any]:
    """What the kernel says of an interface, counters included. BenchError when there is none of that name."""
    result = host.run_plain(["ip", "-j", "-d", "-s", "link", "show", "dev", name])
    if result.exit_code:
        raise BenchError(f"{host.name} has no interface {name}", hint="`ip link` there shows what it has.")
    found: dict[str, Any] = json.loads(result.stdout)[0]
    return found


def add_address(host: Host, nic: str, address: Address) -> None:
    """Adds both families, undone later. Refuses an address that the host, or someone on the cable, has already."""
    owners = json.loads(host.run(["ip", "-j", "addr", "show"]))
    for owner in owners:
        for info in owner.get("addr_info", ()):
            if info["local"] in (address.ip4, address.ip6):
                raise BenchError(
                    f"{host.name}: address {info['local']} is already in use, on {owner['ifname']}",
                    hint="Run: latlab cleanup. If it is not latlab's, give the bench other addresses.",
                )
    for word, value in (("-4", f"{address.ip4}/{address.prefix4}"), ("-6", f"{address.ip6}/{address.prefix6}")):
        # nodad: duplicate detection would keep the address unusable for its first second.
        extra = ["nodad"] if word == "-6" else []
        host.change(
            ["ip", word, "addr", "add", value, "dev", nic, *extra],
            undo=["ip", word, "addr", "del", value, "dev", nic],
        )


def remove_address(host: Host, nic: str, address: Address) -> None:
    """Takes both families away, and gives them back later."""
    for word, value in (("-4", f"{address.ip4}/{address.prefix4}"), ("-6", f"{address.ip6}/{address.prefix6}")):
        extra = ["nodad"] if word == "-6" else []
        host.change(
            ["ip", word, "addr", "del", value, "dev", nic],
            # `replace` does no harm when it was not taken away.
            undo=["ip", word, "addr", "replace", value, "dev", nic, *extra],
        )


def configure_peer(host: Host, nic: str, address: Address, namespace: str = "peer") -> Host:
    """Makes the peer: a network namespace of `host` that owns `nic`."""
    if "UP" in link(host, nic)["flags"]:
        host.defer(["ip", "link", "set", "dev", nic, "up"])
    host.change(["ip", "netns", "add", namespace], undo=["ip", "netns", "del", namespace])
    # Back by its own command: what a deleted namespace holds is returned some time later, or deleted with it (veth).
    host.change(
        ["ip", "link", "set", "dev", nic, "netns", namespace],
        undo=["ip", "-n", namespace, "link", "set", "dev", nic, "netns", "1"],
    )
    peer = host.within(namespace, "peer")
    for interface in ("lo", nic):
        peer.run(["ip", "link", "set", "dev", interface, "up"])
    add_address(peer, nic, address)
    return peer


def wait_for_carrier(host: Host, nic: str) -> None:
    limit = time.monotonic() + CARRIER_LIMIT_S
    while "LOWER_UP" not in link(host, nic)["flags"]:
        if time.monotonic() > limit:
            raise BenchError(f"{host.name}: {nic} has no carrier", hint="Is the cable plugged in at both ends?")
        time.sleep(0.02)


@contextmanager
def changes_undone(*hosts: Host) -> Iterator[None]:
    """What is deferred on these hosts inside the block is undone at its end, newest first, whatever happened.

    UndoError when that fails; an error that ended the block stays what it is, and its hint says so too.
    """
    marks = [(host, host.undo.mark) for host in {id(h.undo): h for h in hosts}.values()]
    cause: BaseException | None = None
    try:
        yield
    except BaseException as error:
        cause = error
        raise
    finally:
        failures = [(host, failure) for host, mark in reversed(marks) for failure in _undo(host, mark)]
        hint = _by_hand(*failures[0]) if failures else ""
        if failures and cause is None:
            raise UndoError(f"not everything could be undone: {failures[0][1]}", hint=hint)
        if failures and isinstance(cause, LatlabError) and hint not in cause.hint:
            cause.hint = f"{cause.hint} {hint}".strip()


def _by_hand(host: Host, failure: HostError) -> str:
    """A command that failed would fail again in a clean-up; what a lost host's journal holds would not."""
    if isinstance(failure, CommandError):
        return f"On {failure.host}, by hand: {shlex.join(failure.argv)}"
    if host.far:
        return f"What was changed on {host.name}, its agent undoes when it hears no more of us, or else the next one."
    return CLEANUP_HINT


def _undo(host: Host, mark: int) -> list[HostError]:
    try:
        return [*host.undo.unwind(mark)]
    except HostError as error:
        return [error]  # the host is lost: its agent, or the next one there, undoes it
