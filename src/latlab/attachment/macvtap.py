# SPDX-License-Identifier: Apache-2.0
"""A macvtap device on top of the NIC: the NIC's MAC filter decides, there is no bridge, and host and guest do not meet.

QEMU opens the device's character node, /dev/tap<ifindex>; the index is chosen by us so that the node's name is known.
"""

from __future__ import annotations

from latlab.attachment import needs
from latlab.attachment.common import packet_counters, vhost_as_said, vhost_wanted, virtio_nic
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Site, guest_mac, link
from latlab.guest.machine import Machine
from latlab.scenario.attachments import Macvtap

VLAN_AT = "nic"
NEEDS = needs.MACVTAP
FIRST_INDEX = 7700
FD = 10


def attach(site: Site, options: Macvtap, guests: int = 1) -> list[Wiring]:
    host = site.hypervisor
    vhost = vhost_wanted(host, options.vhost)
    if options.mode == "passthru":
        # In this mode the NIC takes over the guest's MAC, and keeps it.
        mac = link(host, site.nic)["address"]
        host.defer(["ip", "link", "set", "dev", site.nic, "address", mac])
    return [_device(site, options, number, vhost) for number in range(guests)]


def _device(site: Site, options: Macvtap, number: int, vhost: bool) -> Wiring:
    """A queue is one more opening of the same character node."""
    host, name, index, mac = site.hypervisor, f"llmvt{number}", FIRST_INDEX + number, guest_mac(number)
    kind = ["type", "macvtap", "mode", options.mode]
    host.change(
        ["ip", "link", "add", "link", site.nic, "name", name, "index", str(index), "address", mac, *kind],
        undo=["ip", "link", "del", "dev", name],
    )
    host.run(["ip", "link", "set", "dev", name, "up"])
    files = dict.fromkeys(range(FD, FD + options.queues), f"/dev/tap{index}")
    fds = f"fd={FD}" if options.queues == 1 else f"fds={':'.join(map(str, files))}"
    return Wiring(
        own=site.addresses.guest(number),
        reach=site.addresses.guest(number),
        mac=mac,
        devices=(
            "-netdev",
            f"tap,id=net0,{fds},vhost={'on' if vhost else 'off'}",
            *virtio_nic("net0", mac, options.queues),
        ),
        files=files,
        notes={"vhost": "on" if vhost else "off", "mode": options.mode, "queues": str(options.queues)},
        nics={"NIC": site.nic, "macvtap": name},
    )


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """NIC and macvtap count the packets, and the macvtap sits on this NIC and on no bridge."""
    host, name = site.hypervisor, wiring.nics["macvtap"]
    found = link(host, name)
    mode = found.get("linkinfo", {}).get("info_data", {}).get("mode")
    return Evidence(
        packet_counters(host, site.nic, "NIC") | packet_counters(host, name, "macvtap"),
        {
            f"{name} sits on {site.nic}": found.get("link") == site.nic,
            f"{name} is in mode {wiring.notes['mode']}": mode == wiring.notes["mode"],
            f"{site.nic} is in no bridge": "master" not in link(host, site.nic),
            **vhost_as_said(host, wiring, machine),
        },
    )
