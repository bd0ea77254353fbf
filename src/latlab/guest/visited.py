# SPDX-License-Identifier: Apache-2.0
"""A guest that runs already: no QEMU of ours, only an agent in it, over ssh. It is left as it was found."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from typing import Any

from latlab.attachment.wiring import End, Visit
from latlab.bench.site import Address, Site, wait_for_carrier
from latlab.errors import BenchError, HostError
from latlab.guest.own import add_missing_addresses, interfaces
from latlab.hosts.host import Host
from latlab.hosts.ssh import open_ssh_host


class Visited:
    """The part of a `Machine` that is there of a guest that somebody else runs."""

    qemu_pid = None
    last_words = ""
    started_again = ""

    def __init__(self, on: Host, name: str, visit: Visit) -> None:
        """HostError: why it cannot be reached from `on`, or not be used."""
        self.visit = visit
        started = time.monotonic()
        self.host = open_ssh_host(on, name, visit.target)
        self.boot_s = time.monotonic() - started
        self.end: End | None = None
        """Its end of the flow, once it was made."""

    def make_end(self, site: Site) -> End:
        """Its NIC in the bench's network, up and with an address; what was missing of that is taken back later.

        BenchError when there is no such NIC, or no telling which it is.
        """
        found = choose_nic(self.host.name, interfaces(self.host), self.visit, site)
        name = found["ifname"]
        if "UP" not in found["flags"]:
            down = ["ip", "link", "set", "dev", name, "down"]
            self.host.change(["ip", "link", "set", "dev", name, "up"], undo=down)
        wait_for_carrier(self.host, name)
        own = choose_address(self.host.name, found, self.visit, site)
        add_missing_addresses(self.host, name, own)
        self.end = End(self.host, name, own, own, found["address"])
        return self.end

    def kernel_messages(self) -> str:
        """What its kernel has said so far; nothing of a guest that is lost."""
        try:
            return self.host.run_plain(["sh", "-c", "dmesg"]).stdout
        except HostError:
            return ""

    def stop(self) -> None:
        self.host.close()


def choose_nic(guest: str, found: Sequence[dict[str, Any]], visit: Visit, site: Site) -> dict[str, Any]:
    """The interface under test, of those that `ip -j addr` shows. BenchError when it is not there, or not one. Pure."""
    names = ", ".join(entry["ifname"] for entry in found)
    if visit.nic:
        chosen = [entry for entry in found if entry["ifname"] == visit.nic]
        if not chosen:
            raise BenchError(f"{guest} has no interface {visit.nic}", hint=f"It has: {names}")
        return chosen[0]
    wanted = visit.address or f"an address in {site.addresses.ipv4}"
    chosen = [e for e in found if (visit.address in _locals(e) if visit.address else _within(e, site.addresses.ipv4))]
    if len(chosen) != 1:
        how_many = "no interface has" if not chosen else "more than one interface has"
        raise BenchError(
            f"{guest}: {how_many} {wanted}", hint=f"Say which it is: nic: NAME, in the attachment. It has: {names}"
        )
    return chosen[0]


def choose_address(guest: str, found: dict[str, Any], visit: Visit, site: Site) -> Address:
    """Its addresses: those asked for, else those that are there, else the bench's. BenchError for the peer's. Pure."""
    plan = site.addresses
    planned = plan.guest(0)
    ip4 = visit.address or next(iter(_within(found, plan.ipv4)), planned.ip4)
    ip6 = next(iter(_within(found, plan.ipv6)), planned.ip6)
    for address in (ip4, ip6):
        if address in (plan.peer.ip4, plan.peer.ip6):
            raise BenchError(
                f"{guest}: {found['ifname']} has the address {address}, which is the peer's",
                hint="Give the bench other networks: `addresses:` in its file.",
            )
    return Address(ip4, ip6, planned.prefix4, planned.prefix6)


def _locals(entry: dict[str, Any]) -> list[str]:
    return [info["local"] for info in entry.get("addr_info", ())]


def _within(entry: dict[str, Any], network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> list[str]:
    return [local for local in _locals(entry) if ipaddress.ip_address(local) in network]
