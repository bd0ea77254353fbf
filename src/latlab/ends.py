# SPDX-License-Identifier: Apache-2.0
"""The two ends of a flow, once the guest is attached: where its application is, and who is the peer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from latlab.attachment.iommu import refuse_low_memlock
from latlab.attachment.vhost_user import reserve
from latlab.attachment.wiring import End, Wiring
from latlab.bench.site import Site, changes_undone, link, wait_for_carrier
from latlab.errors import BenchError, GuestError
from latlab.guest.disk import Disk, find_firmware, read_image
from latlab.guest.initramfs import guest_initramfs
from latlab.guest.machine import Machine, MachineSpec, folder_of, start_machines
from latlab.guest.own import add_missing_addresses, interfaces
from latlab.guest.visited import Visited
from latlab.hosts.host import Host
from latlab.hosts.local import probe_path
from latlab.nic import add_vlan, offloads_off, set_mtu
from latlab.scenario.model import Guest, Load, Nic
from latlab.stats.stamps import Timescales
from latlab.store.disk import os_errors

AnyGuest = Machine | Visited


@contextmanager
def attached_guests(site: Site, options: Guest, wirings: Sequence[Wiring], console: Path) -> Iterator[list[AnyGuest]]:
    """The guests, running, or the one that runs already. Of one that does not start, what its kernel printed is kept in
    `console`.
    """
    if wirings[0].visit:
        guest = Visited(site.hypervisor, "guest", wirings[0].visit)
        try:
            with changes_undone(guest.host):
                yield [guest]
        finally:
            guest.stop()
        return
    if any(wiring.pins_memory for wiring in wirings):
        refuse_low_memlock(site.hypervisor, options.memory_mib)
    if any(wiring.shares_memory for wiring in wirings):
        reserve(site.hypervisor, len(wirings) * options.memory_mib)
    disk = own_disk(site, options)
    specs = [guest_spec(site, options, wiring, number, disk) for number, wiring in enumerate(wirings)]
    try:
        machines = start_guests(site, specs)
    except GuestError as error:
        write_text(console, error.console)
        whole = f"The whole console: {console}"
        error.hint = f"{error.hint} {whole}".strip() if disk else whole
        raise
    try:
        yield list(machines)
    finally:
        for machine in machines:
            machine.stop()


def start_guests(site: Site, specs: Sequence[MachineSpec]) -> list[Machine]:
    """The guests. On an emulated processor a boot may end in a reset, before the kernel says a word, for no fault of
    the guest's (docs/decisions.md, 32): once more, then.
    """
    try:
        return start_machines(site.hypervisor, specs)
    except GuestError as error:
        if site.kind != "emulated" or not error.silent:
            raise
        failed = error.message
    for spec in specs:
        site.hypervisor.run(["rm", "-rf", folder_of(site.hypervisor, spec)])
    machines = start_machines(site.hypervisor, specs)
    for machine in machines:
        machine.started_again = failed
    return machines


def own_disk(site: Site, options: Guest) -> Disk | None:
    """The user's own image, if there is one. BenchError when no guest can boot from it on this bench."""
    if options.image is None:
        return None
    file = absolute(options.image)
    # Who else has it open is known to the machine whose file it is.
    info = read_image(site.carrier or site.hypervisor, file)
    if site.hypervisor.run_plain(["test", "-r", file]).exit_code:
        raise BenchError(
            f"{site.hypervisor.name} does not see the image {file}", hint="Put it outside of /run and /dev."
        )
    return Disk(
        file=file,
        format=info["format"],
        user=options.ssh_user,
        key=absolute(options.ssh_key) if options.ssh_key else None,
        boot_limit_s=options.boot_limit_ns / 1e9,
        firmware=find_firmware(site.hypervisor, options.firmware),
    )


def absolute(path: str) -> str:
    """As the user means it: from the folder that latlab was called in."""
    return str(Path(path).expanduser().absolute())


def guest_spec(site: Site, options: Guest, wiring: Wiring, number: int, disk: Disk | None) -> MachineSpec:
    arch = site.hypervisor.facts.machine
    kernel = initramfs = None
    if disk is None:
        bring = site.hypervisor.bring
        kernel = bring(site.guest_kernel.image)
        initramfs = bring(guest_initramfs(site.guest_kernel, Path(probe_path(arch)), wiring.modules))
    return MachineSpec(
        name="guest" if number == 0 else f"guest{number + 1}",
        kernel=kernel,
        initramfs=initramfs,
        accelerator=site.guest_accelerator,
        cpus=options.cpus,
        memory_mib=options.memory_mib,
        arch=arch,
        devices=wiring.devices,
        files=wiring.files,
        shares_memory=wiring.shares_memory,
        disk=disk,
    )


def guest_end(guest: AnyGuest, site: Site, wiring: Wiring, nic: Nic, *, tagged: int | None) -> End:
    """Where the measured application is, inside a guest."""
    if isinstance(guest, Visited):
        return guest.make_end(site)
    name = bring_up(guest.host, wiring, nic, tagged=tagged)
    return End(guest.host, name, wiring.own, wiring.reach, wiring.mac)


def bring_up(guest: Host, wiring: Wiring, nic: Nic, *, tagged: int | None) -> str:
    """The guest's interface, with its address, MTU, and offloads; `tagged`: the VLAN that the guest itself has to tag.

    BenchError when the guest has no interface with the wiring's MAC.
    """
    found = interfaces(guest)
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
    add_missing_addresses(guest, name, wiring.own)
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
