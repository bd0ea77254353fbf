# SPDX-License-Identifier: Apache-2.0
"""A guest that runs already, attached by its owner, who knows how: latlab changes nothing between NIC and guest.

What is proven is therefore only where the packets came by: the guest's NIC, the bench's and the peer's.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path

from latlab.attachment import needs
from latlab.attachment.common import packet_counters
from latlab.attachment.wiring import Evidence, Visit, Wiring
from latlab.bench.site import Site, link
from latlab.errors import BenchError
from latlab.guest.visited import Visited
from latlab.hosts.ssh import SshTarget
from latlab.scenario.attachments import Existing

VLAN_AT = "port"
NEEDS = needs.EXISTING


def attach(site: Site, options: Existing, guests: int = 1) -> list[Wiring]:
    """Nothing is attached; who the guest is, and which of its interfaces, is asked when it is visited."""
    own, network = site.addresses.guest(0), site.addresses.ipv4
    if options.address:
        if ipaddress.ip_address(options.address) not in network:
            raise BenchError(
                f"the guest's address {options.address} is not in the bench's network {network}",
                hint="Give the bench the guest's network: `addresses:` in its file.",
            )
        own = replace(own, ip4=options.address)
    key = str(Path(options.ssh_key).expanduser().absolute()) if options.ssh_key else None
    visit = Visit(SshTarget(options.ssh, key=key), options.nic, options.address)
    return [Wiring(own=own, reach=own, visit=visit, notes={"attached": "by its owner"})]


def evidence(site: Site, wiring: Wiring, machine: Visited) -> Evidence:
    """The NICs at both ends of the cable count the packets, the guest's too (see run.py), and its way is that one."""
    end, peer = machine.end, site.addresses.peer
    assert end
    route = end.host.run(["ip", "route", "get", peer.ip4]).split()
    counters = packet_counters(site.peer, site.peer_nic, "peer's NIC")
    # What passes by a virtual function, the NIC's own counters need not count.
    if not link(site.hypervisor, site.nic).get("num_vf"):
        counters |= packet_counters(site.hypervisor, site.nic, "NIC")
    return Evidence(counters, {f"the guest's way to {peer.ip4} is {end.nic}": route[1:3] == ["dev", end.nic]})
