# SPDX-License-Identifier: Apache-2.0
"""Our own layer-2 forwarder in XDP on the NIC and the tap, in front of a kernel bridge that has both as its ports.

Frames to a station that the forwarder knows go from one port to the other in XDP, before the kernel makes anything of
them. All others (to whom it does not know, to many, to the hypervisor itself) go on to the bridge: bpf/forward.bpf.c.

A frame that is redirected leaves behind what the kernel had noted beside it, so it has to be whole. What each setting
is for was tried by leaving it out:

- The guest computes its checksums itself (`csum=off`, which leaves it no segmentation either). Else, in native mode
  every packet from it is lost, its checksum half done; in generic mode its segments of 64 KiB are, longer than the MTU:
  TCP out of the guest crept at 1.7 in place of 171 Mbit/s.
- The NIC leaves VLAN tags in the frames (`rxvlan off`). Else their stations are looked for in VLAN 0, and the bridge
  does the work.
- The NIC merges no frames in hardware (`lro off`; the bridge sees to that too, but does not put it back). GRO may stay
  on: native XDP comes before it, and generic XDP switches it off by itself (net/core/gro.c: netif_elide_gro).

Where the NIC is an end of a veth pair (the local bench), the peer's end stands for NIC and wire: its checksums and
segments (`tx off`) and tags (`txvlan off`) must be done before they cross, or the same comes about in the other
direction. And frames are redirected natively into a veth only if its other end polls, which it does with `gro on`
(drivers/net/veth.c: veth_xdp_xmit); else every one is lost.

The offloads towards the guest need no change: what is redirected asks for none.
"""

from __future__ import annotations

from dataclasses import replace

from latlab.attachment import needs, tap_bridge
from latlab.attachment.common import vhost_as_said
from latlab.attachment.forwarder import Forwarder, refuse_used
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Site, link, wait_for_carrier
from latlab.features import switch_features
from latlab.guest.machine import Machine
from latlab.scenario.attachments import TapBridge, Xdp
from latlab.scenario.units import format_duration

NEEDS = needs.XDP
VLAN_AT = "guest"
"""In the frames, as the forwarder reads it. A VLAN interface has no native XDP."""

ROLES = {"nic": "NIC", "tap": "tap"}
WHOLE_FRAMES = ("-global", "virtio-net-device.csum=off")


def attach(site: Site, options: Xdp, guests: int = 1) -> list[Wiring]:
    host = site.hypervisor
    refuse_used(host, site.nic)
    behind = tap_bridge.attach(site, TapBridge(vhost=options.vhost, queues=options.queues), guests)
    switch_features(host, site.nic, {"rxvlan": False, "lro": False})
    if link(host, site.nic).get("linkinfo", {}).get("info_kind") == "veth":
        _prepare_peer(site, options)
    forwarder = Forwarder(host)
    bridge = link(host, behind[0].nics["bridge"])
    forwarder.load(nic=site.nic, own_mac=bridge["address"], ageing_ns=options.ageing_ns)
    for port in (site.nic, *(wiring.nics["tap"] for wiring in behind)):
        forwarder.add_port(port, options.mode)
    # A driver may restart its NIC for XDP.
    wait_for_carrier(host, site.nic)
    wait_for_carrier(site.peer, site.peer_nic)
    notes = {"mode": options.mode, "ageing": format_duration(options.ageing_ns)}
    return [
        replace(wiring, devices=(*wiring.devices, *WHOLE_FRAMES), notes={**wiring.notes, **notes}) for wiring in behind
    ]


def _prepare_peer(site: Site, options: Xdp) -> None:
    found = link(site.peer, site.peer_nic)
    is_vlan = found.get("linkinfo", {}).get("info_kind") == "vlan"
    veth = found["link"] if is_vlan else site.peer_nic
    polls = {"gro": True} if options.mode == "native" else {}
    switch_features(site.peer, veth, {"tx": False, "txvlan": False, **polls})


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """The forwarder redirects the packets both ways, NIC and tap count them; and none goes to the bridge because the
    forwarder would not know its station.
    """
    host, forwarder = site.hypervisor, Forwarder(site.hypervisor)
    counters: dict[str, int] = {}
    still: dict[str, int] = {}
    facts: dict[str, bool] = {}
    counted = forwarder.counters()
    pins = host.run(["ls", forwarder.folder]).split()
    for way, role in ROLES.items():
        name = wiring.nics[role]
        found = link(host, name)
        stats, mode = found["stats64"], wiring.notes["mode"]
        counters[f"XDP redirected from {role}"] = counted[way]["redirected"]
        counters |= {f"{role} {name} {word} packets": int(stats[word]["packets"]) for word in ("rx", "tx")}
        still |= {
            f"XDP left to the bridge from {role}: {path}": counted[way][path]
            for path in ("passed: unknown", "passed: same port")
        }
        facts[f"{name} has our program, in {mode} mode, and no other"] = forwarder.attached(found, mode)
        facts[f"the program's link to {name} is pinned"] = f"link-{name}" in pins
    return Evidence(counters, facts | vhost_as_said(host, wiring, machine), still)
