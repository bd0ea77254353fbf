# SPDX-License-Identifier: Apache-2.0
"""A tap device and the NIC as ports of a kernel bridge; the guest's NIC is served by vhost or by QEMU itself."""

from __future__ import annotations

import json

from latlab.attachment.common import packet_counters, vhost_as_said, vhost_wanted, virtio_nic
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import GUEST_MAC, Site, add_address
from latlab.guest.machine import Machine
from latlab.scenario.model import TapBridge


def attach(site: Site, options: TapBridge, guest_index: int = 0) -> Wiring:
    host, bridge, tap = site.hypervisor, "llbr0", f"lltap{guest_index}"
    vhost = vhost_wanted(host, options.vhost)
    # No multicast snooping and no spanning tree: a bridge that forwards from its first second.
    host.change(
        [
            "ip",
            "link",
            "add",
            "name",
            bridge,
            "type",
            "bridge",
            "stp_state",
            "0",
            "forward_delay",
            "0",
            "mcast_snooping",
            "0",
        ],
        undo=["ip", "link", "del", "dev", bridge],
    )
    host.change(
        ["ip", "link", "set", "dev", site.nic, "master", bridge],
        undo=["ip", "link", "set", "dev", site.nic, "nomaster"],
    )
    host.change(
        ["ip", "tuntap", "add", "dev", tap, "mode", "tap"], undo=["ip", "tuntap", "del", "dev", tap, "mode", "tap"]
    )
    host.run(["ip", "link", "set", "dev", tap, "master", bridge])
    for name in (tap, bridge):
        host.run(["ip", "link", "set", "dev", name, "up"])
    add_address(host, bridge, site.addresses.hypervisor)
    netdev = f"tap,id=net0,ifname={tap},script=no,downscript=no,vhost={'on' if vhost else 'off'}"
    return Wiring(
        own=site.addresses.guest,
        reach=site.addresses.guest,
        devices=("-netdev", netdev, *virtio_nic("net0")),
        notes={"vhost": "on" if vhost else "off"},
        nics={"NIC": site.nic, "tap": tap, "bridge": bridge},
    )


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """NIC and tap count the packets, and the bridge has learnt that the guest is behind its tap."""
    host, tap = site.hypervisor, wiring.nics["tap"]
    entries = json.loads(host.run(["bridge", "-j", "fdb", "show", "br", wiring.nics["bridge"]]))
    learnt = any(e.get("mac") == GUEST_MAC and e.get("ifname") == tap for e in entries)
    return Evidence(
        packet_counters(host, site.nic, "NIC") | packet_counters(host, tap, "tap"),
        {f"bridge has learnt {GUEST_MAC} behind {tap}": learnt, **vhost_as_said(host, wiring, machine)},
    )
