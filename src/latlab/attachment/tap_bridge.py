# SPDX-License-Identifier: Apache-2.0
"""A tap device and the NIC as ports of a kernel bridge; the guest's NIC is served by vhost or by QEMU itself."""

from __future__ import annotations

import json

from latlab.attachment import needs
from latlab.attachment.common import packet_counters, vhost_as_said, vhost_wanted, virtio_nic
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Site, add_address, guest_mac
from latlab.guest.machine import Machine
from latlab.hosts.host import Host
from latlab.scenario.attachments import TapBridge

VLAN_AT = "nic"
NEEDS = needs.TAP_BRIDGE
BRIDGE = "llbr0"


def attach(site: Site, options: TapBridge, guests: int = 1) -> list[Wiring]:
    vhost = vhost_wanted(site.hypervisor, options.vhost)
    make_bridge(site, BRIDGE)
    taps = [f"lltap{number}" for number in range(guests)]
    for tap in taps:
        make_tap(site.hypervisor, tap, queues=options.queues, bridge=BRIDGE)
    site.hypervisor.run(["ip", "link", "set", "dev", BRIDGE, "up"])
    add_address(site.hypervisor, BRIDGE, site.addresses.hypervisor)
    return [_wiring(site, options, number, tap, vhost) for number, tap in enumerate(taps)]


def make_bridge(site: Site, bridge: str) -> None:
    """A bridge that forwards from its first second (no spanning tree), the NIC its first port."""
    host = site.hypervisor
    options = ["stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"]
    host.change(
        ["ip", "link", "add", "name", bridge, "type", "bridge", *options], undo=["ip", "link", "del", "dev", bridge]
    )
    host.change(
        ["ip", "link", "set", "dev", site.nic, "master", bridge],
        undo=["ip", "link", "set", "dev", site.nic, "nomaster"],
    )


def make_tap(host: Host, tap: str, *, queues: int = 1, bridge: str | None = None) -> None:
    """A tap device that is up; of several queues, QEMU opens each."""
    several = ["multi_queue"] if queues > 1 else []
    host.change(
        ["ip", "tuntap", "add", "dev", tap, "mode", "tap", *several],
        undo=["ip", "tuntap", "del", "dev", tap, "mode", "tap", *several],
    )
    if bridge:
        host.run(["ip", "link", "set", "dev", tap, "master", bridge])
    host.run(["ip", "link", "set", "dev", tap, "up"])


def tap_netdev(tap: str, *, vhost: bool, queues: int = 1) -> str:
    several = f",queues={queues}" if queues > 1 else ""
    return f"tap,id=net0,ifname={tap},script=no,downscript=no,vhost={'on' if vhost else 'off'}{several}"


def _wiring(site: Site, options: TapBridge, number: int, tap: str, vhost: bool) -> Wiring:
    mac = guest_mac(number)
    netdev = tap_netdev(tap, vhost=vhost, queues=options.queues)
    return Wiring(
        own=site.addresses.guest(number),
        reach=site.addresses.guest(number),
        mac=mac,
        devices=("-netdev", netdev, *virtio_nic("net0", mac, options.queues)),
        notes={"vhost": "on" if vhost else "off", "queues": str(options.queues)},
        nics={"NIC": site.nic, "tap": tap, "bridge": BRIDGE},
    )


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """NIC and tap count the packets, and the bridge has learnt that the guest is behind its tap."""
    host, tap = site.hypervisor, wiring.nics["tap"]
    entries = json.loads(host.run(["bridge", "-j", "fdb", "show", "br", wiring.nics["bridge"]]))
    learnt = any(e.get("mac") == wiring.mac and e.get("ifname") == tap for e in entries)
    return Evidence(
        packet_counters(host, site.nic, "NIC") | packet_counters(host, tap, "tap"),
        {f"bridge has learnt {wiring.mac} behind {tap}": learnt, **vhost_as_said(host, wiring, machine)},
    )
