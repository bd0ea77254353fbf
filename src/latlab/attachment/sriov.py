# SPDX-License-Identifier: Apache-2.0
"""A virtual function of the NIC given to each guest: the NIC itself tells the packets apart, by MAC and VLAN.

If the NIC has no virtual functions, as many as there are guests are made, and gone afterwards. If it has some, their
number is somebody's, and those that nobody uses are borrowed: changing it means to remove all of them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from latlab.attachment import needs
from latlab.attachment.common import load_module, packet_counters
from latlab.attachment.iommu import refuse_shared_group, refuse_without_iommu
from latlab.attachment.kept_nic import comes_back, settings_come_back
from latlab.attachment.pci import PciDevice, device_of, read_devices, release, take, write
from latlab.attachment.vfio import MODULES, handed_over, vfio_device
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.local import refuse_used_nic
from latlab.bench.site import Site, guest_mac, link, wait_for_carrier
from latlab.errors import BenchError
from latlab.guest.machine import Machine
from latlab.hosts.host import Host
from latlab.needs.nic import VF_DRIVERS
from latlab.scenario.attachments import Sriov

VLAN_AT = "port"
NEEDS = needs.SRIOV

NO_MAC = "00:00:00:00:00:00"
"""Of a virtual function whose driver may choose."""

COUNTING_DRIVERS = ("ixgbe", "i40e", "ice", "mlx5_core")
"""Those whose physical function counts its virtual ones' packets (`ndo_get_vf_stats`); others, as igb, show zeros."""


def attach(site: Site, options: Sriov, guests: int = 1) -> list[Wiring]:
    host, nic = site.hypervisor, site.nic
    physical = device_of(host, nic)
    refuse_used_nic(host, nic)
    refuse_without_functions(host, nic, physical, guests)
    refuse_without_iommu(host, physical)
    for module in MODULES:
        load_module(host, module)
    found = link(host, nic)
    if "UP" not in found["flags"]:
        host.change(["ip", "link", "set", "dev", nic, "up"], undo=["ip", "link", "set", "dev", nic, "down"])
    if physical.functions:
        chosen = free_functions(host, nic, physical, guests)
    else:
        # Its driver begins anew, with as many queues as it likes.
        settings_come_back(host, physical, nic, found)
        chosen = make_functions(host, physical, guests)
    refuse_one_group(host, list(chosen.values()))
    wirings = []
    for guest, (number, function) in enumerate(chosen.items()):
        refuse_shared_group(host, function)
        for interface in function.interfaces:
            comes_back(host, function, interface, link(host, interface))
        release(host, function)
        set_function(site, number, guest_mac(guest), options.spoof_check)
        take(host, function)
        wirings.append(
            Wiring(
                own=site.addresses.guest(guest),
                reach=site.addresses.guest(guest),
                mac=guest_mac(guest),
                devices=vfio_device(function),
                # Where the table knows no other one, one driver drives both.
                modules=(VF_DRIVERS.get(physical.driver, physical.driver),),
                pins_memory=True,
                notes={
                    "device": function.address,
                    "IOMMU group": function.group,
                    "function": f"VF {number} of {nic}",
                    "physical function": f"{physical.address} ({physical.driver})",
                    "spoof check": "on" if options.spoof_check else "off",
                },
                nics={"NIC": nic},
            )
        )
    wait_for_carrier(host, nic)
    return wirings


def refuse_without_functions(host: Host, nic: str, physical: PciDevice, guests: int) -> None:
    """BenchError when the NIC can have no virtual functions, or not so many."""
    if physical.is_virtual:
        raise BenchError(
            f"{host.name}: {nic} is a virtual function itself, and has none",
            hint="Name the physical one, or give this one to the guest: attachment vfio.",
        )
    if not physical.functions_limit:
        known = physical.functions_limit is not None
        raise BenchError(
            f"{host.name}: no SR-IOV: {nic} ({physical.driver}) "
            + ("may have no virtual functions: sriov_totalvfs is 0" if known else "has no virtual functions"),
            hint="Turn SR-IOV on in the firmware's settings and the NIC's own."
            if known
            else "Use attachment vfio, or a NIC with SR-IOV (82576, X520, X710, E810, ConnectX).",
        )
    if guests > physical.functions_limit:
        raise BenchError(
            f"{host.name}: {guests} guests need {guests} virtual functions, and {nic} has "
            f"{physical.functions_limit} at most",
            hint="Attach fewer guests.",
        )


def refuse_one_group(host: Host, functions: Sequence[PciDevice]) -> None:
    """BenchError when two guests would need the same IOMMU group: a group has one owner."""
    for earlier, function in combinations(functions, 2):
        if earlier.group and earlier.group == function.group:
            raise BenchError(
                f"{host.name}: {earlier.address} and {function.address} are both in IOMMU group {function.group}: they "
                "cannot go to two guests",
                hint="Attach one guest, or put the NIC into a slot behind a port with ACS.",
            )


def make_functions(host: Host, physical: PciDevice, count: int) -> dict[int, PciDevice]:
    """Virtual functions that no driver of the host's takes. The NIC is reset: its link goes and comes."""
    if physical.autoprobe:
        autoprobe = f"{physical.folder}/sriov_drivers_autoprobe"
        host.change(write(autoprobe, "0"), undo=write(autoprobe, "1"))
    number = f"{physical.folder}/sriov_numvfs"
    host.change(write(number, str(count)), undo=write(number, "0"))
    (now,) = read_devices(host, [physical.address])
    if len(now.functions) != count:
        raise BenchError(
            f"{host.name}: {physical.address} made {len(now.functions)} virtual functions of {count}",
            hint=f"dmesg there says why: dmesg | grep {physical.address}",
        )
    return dict(zip(now.functions, read_devices(host, list(now.functions.values())), strict=True))


def free_functions(host: Host, nic: str, physical: PciDevice, count: int) -> dict[int, PciDevice]:
    """So many of those that are there and that nobody uses. BenchError says who uses which."""
    functions = dict(zip(physical.functions, read_devices(host, list(physical.functions.values())), strict=True))
    used = {number: by for number, function in functions.items() if (by := user_of(host, function))}
    free = {number: function for number, function in sorted(functions.items()) if number not in used}
    if len(free) < count:
        taken = "; ".join(f"VF {number} ({functions[number].address}) {by}" for number, by in sorted(used.items()))
        raise BenchError(
            f"{host.name}: {count} virtual functions of {nic} are wanted, {len(free)} of its {len(functions)} are "
            f"free: {taken or 'none is in use'}",
            hint=f"Free some, or remove all (echo 0 > {physical.folder}/sriov_numvfs): latlab makes its own then.",
        )
    return dict(list(free.items())[:count])


def user_of(host: Host, function: PciDevice) -> str:
    """Who uses the virtual function; empty when nobody does."""
    if function.driver.startswith("vfio"):
        return f"is bound to {function.driver}, for another guest" + _holder(host, function)
    if function.driver and not function.interfaces:
        return f"is in use by {function.driver}, with no interface here: it may be in a network namespace"
    for interface in function.interfaces:
        try:
            refuse_used_nic(host, interface)
        except BenchError as error:
            return f"is in use: {error.message.removeprefix(f'{host.name}: ')}"
        if "UP" in link(host, interface)["flags"]:
            return f"is in use: its interface {interface} is up"
    return ""


def _holder(host: Host, function: PciDevice) -> str:
    """The process that holds the function's group, if it can be seen."""
    # Processes end while `find` looks at them: its exit code says nothing.
    found = host.run_plain(
        ["find", "/proc", "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*", "-lname", f"/dev/vfio/{function.group}"]
    ).stdout.split()
    return f": process {found[0].split('/')[2]} holds it" if found else ""


def function_state(host: Host, nic: str, number: int) -> dict[str, Any]:
    """What the physical function says of a virtual one."""
    found: dict[str, Any] = next((f for f in link(host, nic).get("vfinfo_list", ()) if f["vf"] == number), {})
    return found


def vlan_of(state: dict[str, Any]) -> int:
    """0: none, so that the guest's packets pass as they are."""
    return int(next((v["vlan"] for v in state.get("vlan_list", ()) if "vlan" in v), state.get("vlan", 0)))


def set_function(site: Site, number: int, mac: str, spoof_check: bool) -> None:
    """MAC, VLAN, spoof check and link of a virtual function. What is as wanted stays: not every NIC can set it."""
    host, function = site.hypervisor, ["ip", "link", "set", "dev", site.nic, "vf", str(number)]
    found = function_state(host, site.nic, number)
    wanted = [
        (["mac", mac], ["mac", found.get("address", NO_MAC)]),
        (["vlan", str(site.vlan or 0)], _vlan_words(found)),
        (["spoofchk", _on(spoof_check)], ["spoofchk", _on(found.get("spoofchk", spoof_check))]),
        # `disable` is the administrator's word; with `auto` the link is the NIC's own.
        (["state", "auto"] if found.get("link_state") == "disable" else [], ["state", "disable"]),
    ]
    for words, undo in wanted:
        if words and words != undo:
            host.change([*function, *words], undo=[*function, *undo])


def _vlan_words(state: dict[str, Any]) -> list[str]:
    entry: dict[str, Any] = next((v for v in state.get("vlan_list", ()) if "vlan" in v), {})
    more = [w for key, word in (("qos", "qos"), ("protocol", "proto")) if key in entry for w in (word, str(entry[key]))]
    return ["vlan", str(vlan_of(state)), *more]


def _on(yes: bool) -> str:
    return "on" if yes else "off"


def evidence(site: Site, wiring: Wiring, machine: Machine | None) -> Evidence:
    """The virtual function is set as said and the guest's; the hypervisor's own interface sees none of its packets."""
    host = site.hypervisor
    (device,) = read_devices(host, [wiring.notes["device"]])
    number = int(wiring.notes["function"].split()[1])
    state = function_state(host, site.nic, number)
    spoof_check = wiring.notes["spoof check"] == "on"
    facts = {
        f"VF {number} has the MAC {wiring.mac}": state.get("address") == wiring.mac,
        f"VF {number} is in VLAN {site.vlan}" if site.vlan else f"VF {number} is in no VLAN": vlan_of(state)
        == (site.vlan or 0),
        f"the spoof check of VF {number} is {_on(spoof_check)}": state.get("spoofchk") is spoof_check,
        **handed_over(host, device, wiring, machine),
    }
    counters = _function_counters(wiring, number, state) | packet_counters(site.peer, site.peer_nic, "peer's NIC")
    return Evidence(counters, facts, still=packet_counters(host, site.nic, "NIC"))


def _function_counters(wiring: Wiring, number: int, state: dict[str, Any]) -> dict[str, int]:
    if not any(f"({driver})" in wiring.notes["physical function"] for driver in COUNTING_DRIVERS):
        return {}
    stats = state["stats"]
    return {
        f"VF {number} rx packets": int(stats["rx"]["packets"]),
        f"VF {number} tx packets": int(stats["tx"]["tx_packets"]),
    }
