# SPDX-License-Identifier: Apache-2.0
"""The interfaces on the packets' way as the scenario's `nic` asks: MTU, VLAN, offloads. All of it is undone.

Where the VLAN is put depends on the attachment (`VLAN_AT`): on the hypervisor's NIC, as an interface that the
attachment then uses in the NIC's place (`nic`); by the attachment itself (`port`); or by the guest (`guest`). The peer
always has a VLAN interface.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from latlab.bench.site import Address, Site, add_address, link, remove_address
from latlab.errors import BenchError, CommandError
from latlab.features import LONG_NAMES, features_off, features_on, read_features
from latlab.hosts.host import Host
from latlab.scenario.model import Nic

VlanAt = Literal["nic", "port", "guest"]

OFFLOADS = {LONG_NAMES[word]: word for word in ("rx", "tx", "gro", "lro", "gso", "tso")}


def as_asked(site: Site, nic: Nic, vlan_at: VlanAt) -> Site:
    """The site whose NICs the attachment is to use. BenchError when a NIC cannot do what is asked; offloads that it
    keeps are for the caller to look for (see `offloads_kept`).
    """
    ends = [*([] if site.nic_in_use else [(site.hypervisor, site.nic)]), (site.peer, site.peer_nic)]
    for host, name in ends:
        set_mtu(host, name, nic.mtu_bytes)
        if nic.offloads == "off":
            offloads_off(host, name)
    # Behind one address there may be another MAC than in the run before.
    site.peer.run(["ip", "neigh", "flush", "dev", site.peer_nic])
    if nic.vlan is None:
        return replace(site, mtu=nic.mtu_bytes)
    peer_nic = move_address(site.peer, site.peer_nic, nic.vlan, site.addresses.peer)
    own = add_vlan(site.hypervisor, site.nic, nic.vlan) if vlan_at == "nic" else site.nic
    return replace(site, nic=own, peer_nic=peer_nic, mtu=nic.mtu_bytes, vlan=nic.vlan)


def set_mtu(host: Host, name: str, mtu: int) -> None:
    """Sets and reads back. BenchError when the interface refuses."""
    found = int(link(host, name).get("mtu", mtu))
    if found == mtu:
        return
    try:
        host.change(
            ["ip", "link", "set", "dev", name, "mtu", str(mtu)],
            undo=["ip", "link", "set", "dev", name, "mtu", str(found)],
        )
    except CommandError as error:
        raise BenchError(
            f"{host.name}: {name} refuses an MTU of {mtu}: {error.stderr.strip()}",
            hint=f"`ip -d link show dev {name}` there shows its maxmtu.",
        ) from error
    if int(link(host, name).get("mtu", mtu)) != mtu:
        raise BenchError(f"{host.name}: {name} did not take an MTU of {mtu}", hint="Use another NIC or MTU.")


def offloads_on(host: Host, name: str) -> list[str]:
    """Those of the offloads that are on and can be changed, by their words for `ethtool -K`."""
    return features_on(read_features(host, name), OFFLOADS)


def offloads_off(host: Host, name: str) -> None:
    """Checksums and segmentation are done by the CPUs, packet by packet, as far as the interface lets go of them: a
    macvtap's are those that its guest asked for, and no others' to change.
    """
    features_off(host, name, OFFLOADS)


def offloads_kept(host: Host, names: Iterable[str]) -> list[str]:
    """The offloads that are on, in the words of a run's notes: "hypervisor llmvt0 tx"."""
    return [f"{host.name} {name} {word}" for name in names for word in offloads_on(host, name)]


def add_vlan(host: Host, name: str, vlan: int) -> str:
    """A VLAN interface on top of another, up; its name."""
    own = vlan_name(name, vlan)
    try:
        host.change(
            ["ip", "link", "add", "link", name, "name", own, "type", "vlan", "id", str(vlan)],
            undo=["ip", "link", "del", "dev", own],
        )
    except CommandError as error:
        if "Unknown device type" not in error.stderr:
            raise
        raise BenchError(
            f"{host.name}: its kernel {host.facts.kernel} has no VLAN interfaces",
            hint="Use a kernel with 8021q, leave out `nic: {vlan: ...}`, or use the emulated bench.",
        ) from error
    host.run(["ip", "link", "set", "dev", own, "up"])
    return own


def vlan_name(name: str, vlan: int) -> str:
    """As everybody names them; the kernel allows 15 characters."""
    return f"{name[: 14 - len(str(vlan))]}.{vlan}"


def move_address(host: Host, name: str, vlan: int, address: Address) -> str:
    """The address goes from an interface to a VLAN interface on it: one network is on one cable only."""
    own = add_vlan(host, name, vlan)
    remove_address(host, name, address)
    add_address(host, own, address)
    return own
