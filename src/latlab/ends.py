# SPDX-License-Identifier: Apache-2.0
"""The two ends of a flow, once the guest is attached: where its application is, and who is the peer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from latlab.attachment.iommu import refuse_low_memlock
from latlab.attachment.wiring import End, Wiring
from latlab.bench.site import Site, add_address, link, wait_for_carrier
from latlab.errors import BenchError, GuestError
from latlab.guest.initramfs import guest_initramfs
from latlab.guest.machine import Machine, MachineSpec, start_machines
from latlab.hosts.host import Host
from latlab.hosts.local import probe_path
from latlab.nic import add_vlan, offloads_off, set_mtu
from latlab.scenario.model import Guest, Load, Nic
from latlab.stats.stamps import Timescales
from latlab.store.disk import os_errors


@contextmanager
def attached_guests(site: Site, options: Guest, wirings: Sequence[Wiring], console: Path) -> Iterator[list[Machine]]:
    """The guests, running, each with its NIC up (see `bring_up`). Of one that does not start, what its kernel printed
    is kept in `console`.
    """
    if any(wiring.pins_memory for wiring in wirings):
        refuse_low_memlock(site.hypervisor, options.memory_mib)
    arch = site.hypervisor.facts.machine
    specs = [
        MachineSpec(
            name="guest" if number == 0 else f"guest{number + 1}",
            kernel=site.guest_kernel.image,
            initramfs=guest_initramfs(site.guest_kernel, Path(probe_path(arch)), wiring.modules),
            accelerator=site.guest_accelerator,
            cpus=options.cpus,
            memory_mib=options.memory_mib,
            arch=arch,
            devices=wiring.devices,
            files=wiring.files,
            shares_memory=wiring.shares_memory,
        )
        for number, wiring in enumerate(wirings)
    ]
    try:
        machines = start_machines(site.hypervisor, specs)
    except GuestError as error:
        write_text(console, error.console)
        error.hint = f"The whole console: {console}"
        raise
    try:
        yield machines
    finally:
        for machine in machines:
            machine.stop()


def bring_up(guest: Host, wiring: Wiring, nic: Nic, *, tagged: int | None) -> str:
    """The guest's interface, with its address, MTU, and offloads; `tagged`: the VLAN that the guest itself has to tag.

    BenchError when the guest has no interface with the wiring's MAC.
    """
    found = json.loads(guest.run(["ip", "-j", "link", "show"]))
    name: str | None = next((entry["ifname"] for entry in found if entry.get("address") == wiring.mac), None)
    if name is None:
        raise BenchError(
            f"{guest.name} has no interface with the address {wiring.mac}",
            hint="Its kernel may lack the driver: guest-console.log in the run's folder says what it found.",
        )
    set_mtu(guest, name, nic.mtu_bytes)
    if nic.offloads == "off":
        offloads_off(guest, name)
    guest.run(["ip", "link", "set", "dev", name, "up"])
    wait_for_carrier(guest, name)
    if tagged is not None:
        name = add_vlan(guest, name, tagged)
    add_address(guest, name, wiring.own)
    if wiring.gateway:
        guest.run(["ip", "route", "add", "default", "via", wiring.gateway])
    return name


def hypervisor_end(site: Site, wiring: Wiring) -> End:
    """Where the measured application is when there is no guest."""
    return End(site.hypervisor, site.nic, wiring.own, wiring.reach, link(site.hypervisor, site.nic)["address"])


def peer_end(site: Site) -> End:
    address = site.addresses.peer
    return End(site.peer, site.peer_nic, address, address, link(site.peer, site.peer_nic)["address"])


def load_ends(site: Site, wiring: Wiring, apps: Sequence[End], load: Load, peer: End) -> list[tuple[End, End]]:
    """The two ends of the load: peer or hypervisor (with its own address on the bridge or the NIC) and the measured
    application; or the peer and each of the other guests.
    """
    if load.source == "guests":
        return [(peer, app) for app in apps[1:]]
    if load.source == "peer":
        return [(peer, apps[0])]
    here, nic = site.addresses.hypervisor, wiring.nics.get("bridge", site.nic)
    return [(End(site.hypervisor, nic, here, here, link(site.hypervisor, nic).get("address", "")), apps[0])]


def timescales(sender: End, reflector: End) -> Timescales:
    """Clocks have the same name when they are the same kernel's; NIC clocks are not compared in this version."""
    return {"sender": sender.host.facts.boot_id, "reflector": reflector.host.facts.boot_id}


def write_text(path: Path, text: str) -> None:
    with os_errors(path, "writing"):
        path.write_text(text)
