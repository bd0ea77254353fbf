# SPDX-License-Identifier: Apache-2.0
"""QEMU's user-mode network (slirp): the guest's packets become the QEMU process's own sockets.

Nobody outside can open a connection to the guest; QEMU forwards the measuring ports of the hypervisor's address to it,
and nothing forwards ICMP. What is measured is therefore NAT and two socket layers more than a bridge has: that is the
attachment.
"""

from __future__ import annotations

from latlab.attachment import needs
from latlab.attachment.common import packet_counters, virtio_nic
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Address, Site, add_address, guest_mac, link
from latlab.guest.machine import Machine
from latlab.measure.ports import NETPERF_CONTROL, NETPERF_DATA, PROBE
from latlab.scenario.attachments import User

VLAN_AT = "nic"
NEEDS = needs.USER
SLIRP_GUEST = Address("10.0.2.15", "fec0::15")
SLIRP_GATEWAY = "10.0.2.2"


def attach(site: Site, options: User, guests: int = 1) -> list[Wiring]:
    add_address(site.hypervisor, site.nic, site.addresses.hypervisor)
    here = site.addresses.hypervisor
    forwards = [
        f"hostfwd={protocol}:{here.ip4}:{port}-{SLIRP_GUEST.ip4}:{port}"
        for protocol, port in (("udp", PROBE), ("tcp", NETPERF_CONTROL), ("tcp", NETPERF_DATA), ("udp", NETPERF_DATA))
    ]
    network = ",".join(["user,id=net0,ipv6=off", *forwards])
    return [_wiring(site, network)] + [_wiring(site, "user,id=net0,ipv6=off", number) for number in range(1, guests)]


def _wiring(site: Site, network: str, number: int = 0) -> Wiring:
    """Every guest has a network of its own; what is forwarded leads to the first."""
    here, mac = site.addresses.hypervisor, guest_mac(number)
    return Wiring(
        devices=("-netdev", network, *virtio_nic("net0", mac)),
        own=SLIRP_GUEST,
        reach=here,
        mac=mac,
        gateway=SLIRP_GATEWAY,
        icmp_inward=False,
        notes={
            "forwarding": f"{here.ip4}: {PROBE}/udp, {NETPERF_CONTROL}/tcp and {NETPERF_DATA}/both lead to the guest"
        },
        nics={"NIC": site.nic},
    )


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """The NIC counts the packets, the guest too (see run.py); between them are only the QEMU process's sockets."""
    counters = packet_counters(site.hypervisor, site.nic, "NIC")
    if machine is None:
        return Evidence(counters)
    networks = machine.monitor.human("info network")
    return Evidence(
        counters,
        {
            "the guest's only network is QEMU's user network": "type=user" in networks and "type=tap" not in networks,
            f"{site.nic} is in no bridge": "master" not in link(site.hypervisor, site.nic),
        },
    )
