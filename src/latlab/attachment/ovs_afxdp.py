# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch's userspace datapath on AF_XDP: one thread of ovs-vswitchd polls the NIC's queue and the guest's port.

The guest's port is a tap, whose other side is an AF_XDP socket too (`guest: tap`, with every build of OVS), or a
vhost-user socket (`guest: vhost-user`, with a build that has DPDK).
"""

from __future__ import annotations

from latlab.attachment import af_xdp, needs, ovs_datapath, vhost_user
from latlab.attachment import openvswitch as ovs
from latlab.attachment.common import packet_counters, vhost_as_said, vhost_wanted, virtio_nic
from latlab.attachment.tap_bridge import make_tap, tap_netdev
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Site, add_address, guest_mac
from latlab.guest.machine import Machine
from latlab.hosts.host import Host
from latlab.scenario.attachments import OvsAfxdp

VLAN_AT = "port"
NEEDS = needs.OVS_AFXDP

XDP_MODES = {"auto": "best-effort", "native": "native", "generic": "generic"}
"""OVS's words. `best-effort`: the first that works of native with zero-copy, native, generic."""
IN_USE = "xdp-mode-in-use"

NO_OFFLOADS = "".join(
    f",{feature}=off"
    for feature in ("csum", "guest_csum", "gso", "host_tso4", "host_tso6", "host_ecn", "host_ufo", "guest_tso4",
                    "guest_tso6", "guest_ecn", "guest_ufo")
)  # fmt: skip
"""Of the guest's NIC: XDP on its tap sees each packet as it is, so the guest itself must finish it."""


def attach(site: Site, options: OvsAfxdp, guests: int = 1) -> list[Wiring]:
    host, by_tap = site.hypervisor, options.guest == "tap"
    program = ovs.PROGRAM if by_tap else vhost_user.program(host)
    ovs.refuse_missing(host, program)
    ovs.refuse_second_datapath(host, ovs.USERSPACE)
    polling = ovs.polling(host, options.pmd_cpu, options.pmd_sleep_ns)
    vhost = by_tap and vhost_wanted(host, options.vhost)
    queues = af_xdp.prepare(site, one_queue=options.nic_queues == "one")
    ovs.load_modules(host, optional=True)
    ovs.make_taps_of_datapath(host)
    settings = polling.settings
    if not by_tap:
        settings += vhost_user.dpdk(host, options.memory_mib)
    ports = [_guest_port(site, options, number) for number in range(guests)]
    switch, daemon = ovs.start(host, program=program, settings=settings)
    ovs.make_bridge(switch, daemon, ovs.USERSPACE, [ovs.Port(site.nic, _socket(options)), *ports])
    host.run(["ip", "link", "set", "dev", ovs.BRIDGE, "up"])
    add_address(host, ovs.BRIDGE, site.addresses.hypervisor)
    found = ovs_datapath.datapath(switch)
    notes = {
        "datapath": ovs.USERSPACE,
        "guest's port": "tap, through AF_XDP" if by_tap else "vhost-user",
        "queues": f"1 of the NIC's {queues}",
        "polling thread": polling.note,
        "XDP mode of the NIC": ovs_datapath.detail(found, site.nic, IN_USE),
    }
    if by_tap:
        notes |= {
            "vhost": "on" if vhost else "off",
            "XDP mode of the tap": ovs_datapath.detail(found, ports[0].name, IN_USE),
        }
    return [_wiring(site, options, number, port.name, notes) for number, port in enumerate(ports)]


def _socket(options: OvsAfxdp) -> tuple[str, ...]:
    return ("type=afxdp", "options:n_rxq=1", f"options:xdp-mode={XDP_MODES[options.xdp_mode]}")


def _guest_port(site: Site, options: OvsAfxdp, number: int) -> ovs.Port:
    host = site.hypervisor
    if options.guest == "vhost-user":
        return vhost_user.port(ovs.Switch(host).folder, f"{vhost_user.PORT}{number}", site.vlan)
    tap = f"lltap{number}"
    make_tap(host, tap)
    return ovs.Port(tap, _socket(options), site.vlan)


def _wiring(site: Site, options: OvsAfxdp, number: int, port: str, notes: dict[str, str]) -> Wiring:
    mac, nics = guest_mac(number), {"NIC": site.nic, "bridge": ovs.BRIDGE}
    if options.guest == "tap":
        nics["tap"] = port
        option, device = virtio_nic("net0", mac)
        netdev = tap_netdev(port, vhost=notes["vhost"] == "on")
        devices: tuple[str, ...] = ("-netdev", netdev, option, device + NO_OFFLOADS)
    else:
        devices = vhost_user.devices(ovs.Switch(site.hypervisor).folder, port, mac)
    return Wiring(
        own=site.addresses.guest(number),
        reach=site.addresses.guest(number),
        mac=mac,
        devices=devices,
        shares_memory=options.guest == "vhost-user",
        notes=notes | {"port": port},
        nics=nics,
    )


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """OVS has received and sent the packets on both ports, and none went round it on a queue that it does not read."""
    host, port, switch = site.hypervisor, wiring.notes["port"], ovs.Switch(site.hypervisor)
    counters = packet_counters(host, site.nic, "NIC")
    still = af_xdp.stray_counters(host, site.nic)
    if not switch.running:
        return Evidence(counters, {ovs_datapath.RUNS: False}, still)
    found = ovs_datapath.datapath(switch)
    return Evidence(
        counters | found.counters(site.nic, port),
        {
            ovs_datapath.RUNS: True,
            **ovs_datapath.facts(switch, found, ovs.USERSPACE, port, wiring.mac),
            **_xdp_mode(found, site.nic, wiring.notes["XDP mode of the NIC"]),
            **_guest_side(host, switch, found, wiring, machine),
        },
        still,
    )


def _guest_side(
    host: Host, switch: ovs.Switch, found: ovs_datapath.Datapath, wiring: Wiring, machine: Machine | None
) -> dict[str, bool]:
    if "tap" not in wiring.nics:
        return vhost_user.connected(switch, wiring.notes["port"])
    mode = _xdp_mode(found, wiring.nics["tap"], wiring.notes["XDP mode of the tap"])
    return mode | vhost_as_said(host, wiring, machine)


def _xdp_mode(found: ovs_datapath.Datapath, port: str, mode: str) -> dict[str, bool]:
    return {f"AF_XDP on {port} is in {mode} mode": ovs_datapath.detail(found, port, IN_USE) == mode}


def last_words(site: Site, wiring: Wiring) -> str:
    return ovs.Switch(site.hypervisor).last_words()
