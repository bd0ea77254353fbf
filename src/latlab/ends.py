# SPDX-License-Identifier: Apache-2.0
"""The two ends of a flow, once the guest is attached: where its application is, and who is the peer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latlab.attachment.wiring import End, Wiring
from latlab.bench.site import GUEST_MAC, Site, add_address, link
from latlab.errors import GuestError
from latlab.guest.initramfs import guest_initramfs
from latlab.guest.machine import Machine, MachineSpec, start_machine
from latlab.hosts.local import probe_path
from latlab.scenario.model import Guest, Load
from latlab.stats.stamps import Timescales
from latlab.store.disk import os_errors

GUEST_NIC = "eth0"


@contextmanager
def attached_guest(site: Site, options: Guest, wiring: Wiring, console: Path) -> Iterator[Machine]:
    """The guest, running, with its address. What its kernel prints is kept in `console`, even if it does not start."""
    arch = site.hypervisor.facts.machine
    spec = MachineSpec(
        name="guest",
        kernel=site.guest_kernel.image,
        initramfs=guest_initramfs(site.guest_kernel, Path(probe_path(arch))),
        accelerator=site.guest_accelerator,
        cpus=options.cpus,
        memory_mib=options.memory_mib,
        arch=arch,
        devices=wiring.devices,
        files=wiring.files,
    )
    try:
        machine = start_machine(site.hypervisor, spec)
    except GuestError as error:
        write_text(console, error.console)
        error.hint = f"The whole console: {console}"
        raise
    try:
        guest = machine.host
        add_address(guest, GUEST_NIC, wiring.own)
        guest.run(["ip", "link", "set", "dev", GUEST_NIC, "up"])
        if wiring.gateway:
            guest.run(["ip", "route", "add", "default", "via", wiring.gateway])
        yield machine
    finally:
        try:
            write_text(console, machine.console())
        finally:
            machine.stop()


def app_end(site: Site, wiring: Wiring, machine: Machine | None) -> End:
    """Where the measured application is: in the guest, or without one on the hypervisor."""
    if machine is None:
        return End(site.hypervisor, site.nic, wiring.own, wiring.reach, link(site.hypervisor, site.nic)["address"])
    return End(machine.host, GUEST_NIC, wiring.own, wiring.reach, GUEST_MAC)


def peer_end(site: Site) -> End:
    address = site.addresses.peer
    return End(site.peer, site.peer_nic, address, address, link(site.peer, site.peer_nic)["address"])


def load_source(site: Site, wiring: Wiring, load: Load, peer: End) -> End:
    """The load's other end: the peer, or the hypervisor with its own address on the bridge or the NIC."""
    if load.source == "peer":
        return peer
    here, nic = site.addresses.hypervisor, wiring.nics.get("bridge", site.nic)
    return End(site.hypervisor, nic, here, here, link(site.hypervisor, nic).get("address", ""))


def timescales(sender: End, reflector: End) -> Timescales:
    """Clocks have the same name when they are the same kernel's; NIC clocks are not compared in this version."""
    return {"sender": sender.host.facts.boot_id, "reflector": reflector.host.facts.boot_id}


def write_text(path: Path, text: str) -> None:
    with os_errors(path, "writing"):
        path.write_text(text)
