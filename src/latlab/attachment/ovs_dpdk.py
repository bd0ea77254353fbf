# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with DPDK: a thread that never sleeps polls the NIC and the guest's NIC, which is vhost-user.

DPDK has the NIC through the kernel's AF_XDP or AF_PACKET sockets, and the NIC stays the kernel's.
"""

from __future__ import annotations

from latlab.attachment import af_xdp, needs, ovs_datapath, vhost_user
from latlab.attachment import openvswitch as ovs
from latlab.attachment.common import packet_counters
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Site, add_address, guest_mac
from latlab.guest.machine import Machine
from latlab.scenario.attachments import OvsDpdk

VLAN_AT = "port"
NEEDS = needs.OVS_DPDK
NIC_PORT = "llnic"


def attach(site: Site, options: OvsDpdk, guests: int = 1) -> list[Wiring]:
    host = site.hypervisor
    program = vhost_user.program(host)
    ovs.refuse_missing(host, program, vhost_user.INSTALL)
    ovs.refuse_second_datapath(host, ovs.USERSPACE)
    polling = ovs.polling(host, options.pmd_cpu, options.pmd_sleep_ns)
    af_xdp.prepare(site, one_queue=options.nic == "af-xdp")
    ovs.load_modules(host, optional=True)
    ovs.make_taps_of_datapath(host)
    settings = polling.settings + vhost_user.dpdk(host, options.memory_mib)
    switch, daemon = ovs.start(host, program=program, settings=settings)
    names = [f"{vhost_user.PORT}{number}" for number in range(guests)]
    ports = [vhost_user.port(switch.folder, name, site.vlan) for name in names]
    ovs.make_bridge(switch, daemon, ovs.USERSPACE, [_nic_port(site, options), *ports])
    ovs.set_mtu(switch, [NIC_PORT, *names], site.mtu)
    host.run(["ip", "link", "set", "dev", ovs.BRIDGE, "up"])
    add_address(host, ovs.BRIDGE, site.addresses.hypervisor)
    return [_wiring(site, options, polling, number, name) for number, name in enumerate(names)]


def _nic_port(site: Site, options: OvsDpdk) -> ovs.Port:
    if options.nic == "af-packet":
        device = f"net_af_packet0,iface={site.nic}"
    else:
        device = f"net_af_xdp0,iface={site.nic},start_queue=0,queue_count=1"
    # Quoted for the database, whose values end at a comma.
    return ovs.Port(NIC_PORT, ("type=dpdk", f'options:dpdk-devargs="{device}"', "options:n_rxq=1"))


def _wiring(site: Site, options: OvsDpdk, polling: ovs.Polling, number: int, port: str) -> Wiring:
    mac, folder = guest_mac(number), ovs.Switch(site.hypervisor).folder
    return Wiring(
        own=site.addresses.guest(number),
        reach=site.addresses.guest(number),
        mac=mac,
        devices=vhost_user.devices(folder, port, mac),
        shares_memory=True,
        notes={
            "datapath": ovs.USERSPACE,
            "guest's port": "vhost-user",
            "port": port,
            "DPDK's way to the NIC": options.nic,
            "polling thread": polling.note,
        },
        nics={"NIC": site.nic, "bridge": ovs.BRIDGE},
    )


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """DPDK has received and sent the packets on both ports, and OVS serves the guest's NIC."""
    host, port, switch = site.hypervisor, wiring.notes["port"], ovs.Switch(site.hypervisor)
    counters = packet_counters(host, site.nic, "NIC")
    by_xdp = wiring.notes["DPDK's way to the NIC"] == "af-xdp"
    still = af_xdp.stray_counters(host, site.nic) if by_xdp else {}
    if not switch.running:
        return Evidence(counters, {ovs_datapath.RUNS: False}, still)
    found = ovs_datapath.datapath(switch)
    return Evidence(
        counters | found.counters(NIC_PORT, port),
        {
            ovs_datapath.RUNS: True,
            **ovs_datapath.facts(switch, found, ovs.USERSPACE, port, wiring.mac),
            **vhost_user.connected(switch, port),
        },
        still,
    )


def last_words(site: Site, wiring: Wiring) -> str:
    return ovs.Switch(site.hypervisor).last_words()
