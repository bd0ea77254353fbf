# SPDX-License-Identifier: Apache-2.0
"""No guest: the flow ends in the hypervisor's own network stack, on the same NICs. The others are compared with it."""

from __future__ import annotations

from latlab.attachment import needs
from latlab.attachment.common import packet_counters
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Site, add_address
from latlab.guest.machine import Machine
from latlab.scenario.attachments import Baseline

VLAN_AT = "nic"
NEEDS = needs.BASELINE


def attach(site: Site, options: Baseline, guests: int = 1) -> list[Wiring]:
    here = site.addresses.hypervisor
    add_address(site.hypervisor, site.nic, here)
    return [Wiring(own=here, reach=here, nics={"NIC": site.nic})]


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    return Evidence(packet_counters(site.hypervisor, site.nic, "NIC"))
