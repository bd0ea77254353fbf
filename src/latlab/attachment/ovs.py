# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch's kernel datapath as a simple bridge: the NIC and the guest's tap are its ports, the first packet of a
flow goes up to ovs-vswitchd, all others are switched in the kernel.
"""

from __future__ import annotations

from latlab.attachment import needs, ovs_datapath
from latlab.attachment import openvswitch as ovs
from latlab.attachment.common import packet_counters, vhost_as_said, vhost_wanted, virtio_nic
from latlab.attachment.tap_bridge import make_tap, tap_netdev
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Site, add_address, guest_mac
from latlab.guest.machine import Machine
from latlab.scenario.attachments import Ovs

VLAN_AT = "nic"
NEEDS = needs.OVS


def attach(site: Site, options: Ovs, guests: int = 1) -> list[Wiring]:
    host = site.hypervisor
    ovs.refuse_missing(host)
    vhost = vhost_wanted(host, options.vhost)
    ovs.load_modules(host)
    ovs.refuse_second_datapath(host, ovs.KERNEL)
    # It would stay after the daemon; with it go its ports. The daemon takes it over.
    host.change(["ovs-dpctl", "add-dp", ovs.KERNEL], undo=["ovs-dpctl", "del-dp", ovs.KERNEL])
    taps = [f"lltap{number}" for number in range(guests)]
    for tap in taps:
        make_tap(host, tap, queues=options.queues)
    switch, daemon = ovs.start(host)
    ovs.make_bridge(switch, daemon, ovs.KERNEL, [ovs.Port(name) for name in (site.nic, *taps)])
    host.run(["ip", "link", "set", "dev", ovs.BRIDGE, "up"])
    add_address(host, ovs.BRIDGE, site.addresses.hypervisor)
    return [_wiring(site, options, number, tap, vhost) for number, tap in enumerate(taps)]


def _wiring(site: Site, options: Ovs, number: int, tap: str, vhost: bool) -> Wiring:
    mac = guest_mac(number)
    netdev = tap_netdev(tap, vhost=vhost, queues=options.queues)
    return Wiring(
        own=site.addresses.guest(number),
        reach=site.addresses.guest(number),
        mac=mac,
        devices=("-netdev", netdev, *virtio_nic("net0", mac, options.queues)),
        notes={"vhost": "on" if vhost else "off", "queues": str(options.queues), "datapath": ovs.KERNEL},
        nics={"NIC": site.nic, "tap": tap, "bridge": ovs.BRIDGE},
    )


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """NIC and tap count the packets, OVS's datapath has looked them up, and its bridge knows the guest's port."""
    host, tap, switch = site.hypervisor, wiring.nics["tap"], ovs.Switch(site.hypervisor)
    counters = packet_counters(host, site.nic, "NIC") | packet_counters(host, tap, "tap")
    if not switch.running:
        return Evidence(counters, {ovs_datapath.RUNS: False})
    found = ovs_datapath.datapath(switch)
    return Evidence(
        counters | found.counters(),
        {
            ovs_datapath.RUNS: True,
            **ovs_datapath.facts(switch, found, ovs.KERNEL, tap, wiring.mac),
            **vhost_as_said(host, wiring, machine),
        },
    )


def last_words(site: Site, wiring: Wiring) -> str:
    return ovs.Switch(site.hypervisor).last_words()
