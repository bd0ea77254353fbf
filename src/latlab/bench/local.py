# SPDX-License-Identifier: Apache-2.0
"""The local bench: this machine's own kernel is the hypervisor, a network namespace is the peer.

Without a NIC in the bench file the cable is a veth pair; with one, the file names both of its ends. Needs root. A NIC
that somebody uses is refused: one with a default route, with addresses, or already in a bridge; unless the file says
that it is in use (`nic-in-use`), and then nothing of it is changed.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence

from latlab.bench.accelerator import choose
from latlab.bench.site import Site, configure_peer, link, plan_addresses, wait_for_carrier
from latlab.errors import BenchError
from latlab.guest.kernel import find_kernel
from latlab.hosts.host import Host
from latlab.scenario.bench_model import Addresses, LocalBench

LOCK = "bench-local"
"""There is one local bench, however many files describe it: all of them use the same names on this machine."""
VETH, PEER_VETH, NAMESPACE = "llnic0", "llnic1", "latlab-peer"


def refuse_used_nic(host: Host, nic: str) -> None:
    """BenchError when the NIC carries somebody's traffic: what latlab would do to it would cut them off."""
    found = link(host, nic)
    if "master" in found:
        raise BenchError(f"{host.name}: {nic} is already part of {found['master']}", hint="Name another NIC.")
    for family in ("-4", "-6"):
        routes = json.loads(host.run(["ip", "-j", family, "route", "show", "default"]) or "[]")
        # A route over several NICs names them one level deeper.
        if any(hop.get("dev") == nic for r in routes for hop in (r, *r.get("nexthops", ()))):
            raise BenchError(
                f"{host.name}: {nic} carries the default route: measuring on it would cut this machine off",
                hint="Name a NIC that is used for nothing else, or leave `nic` out for a veth pair.",
            )
    # A veth's end names the other as its link, which names it back; a VLAN's or macvlan's parent does not.
    others = [entry for entry in json.loads(host.run(["ip", "-j", "link", "show"])) if entry.get("link") == nic]
    above = [entry["ifname"] for entry in others if entry["ifname"] != found.get("link")]
    if above:
        raise BenchError(f"{host.name}: {nic} is in use: it carries {', '.join(above)}", hint="Name another NIC.")
    for entry in json.loads(host.run(["ip", "-j", "addr", "show", "dev", nic])):
        used = [a["local"] for a in entry.get("addr_info", ()) if a.get("scope") != "link"]
        if used:
            raise BenchError(
                f"{host.name}: {nic} is in use: it has the address {used[0]}", hint=f"Free it: ip addr flush dev {nic}"
            )


def refuse_shaped_nic(host: Host, nic: str) -> None:
    """BenchError when somebody set a queueing discipline or filter on the NIC: moving it would lose that for good."""
    for qdisc in json.loads(host.run(["tc", "-j", "qdisc", "show", "dev", nic]) or "[]"):
        # Those that the kernel itself made have the handle 0.
        if qdisc.get("handle") != "0:":
            where = "root" if qdisc.get("root") else f"parent {qdisc['parent']}"
            raise BenchError(
                f"{host.name}: {nic} is in use: somebody set the qdisc {qdisc['kind']} on it ({where})",
                hint=f"If nobody needs it: tc qdisc del dev {nic} {where}",
            )


def refuse_other_namespace(host: Host) -> None:
    """BenchError when the host's agent is not in the network namespace of process 1.

    The peer's NIC goes back to that one, by its name, which still means the same when the agent is dead.
    """
    # A namespace's files in /proc have inodes of their own. /proc/1/ns/net would say it too, but some containers' root
    # may not read it.
    inodes = host.run(["stat", "-c", "%i", "/proc/self/net/dev", "/proc/1/net/dev"]).split()
    if len(set(inodes)) != 1:
        raise BenchError(
            f"{host.name}: real NICs cannot be used from inside a network namespace: after a crash the peer's would "
            "not find its way back",
            hint="Run latlab in the machine's own network namespace, or leave `nic` out for a veth pair.",
        )


def refuse_used_names(host: Host, interfaces: Sequence[str], namespace: str) -> None:
    """BenchError when something of the name that latlab would make is there. What is left of a dead run is not: it was
    undone when the host's agent started.
    """
    there = {entry["ifname"] for entry in json.loads(host.run(["ip", "-j", "link", "show"]))}
    for name in interfaces:
        if name in there:
            raise BenchError(
                f"{host.name}: there is an interface {name} already, and latlab makes its own of that name",
                hint=f"Remove it: ip link del dev {name}",
            )
    if namespace in (entry["name"] for entry in json.loads(host.run(["ip", "-j", "netns", "list"]) or "[]")):
        raise BenchError(
            f"{host.name}: there is a network namespace {namespace} already, and latlab makes its own of that name",
            hint=f"Remove it: ip netns del {namespace}",
        )


def refuse_used_networks(host: Host, addresses: Addresses) -> None:
    """BenchError when the host is in one of the bench's networks already: packets would not take the way under test."""
    planned = [ipaddress.ip_network(addresses.ipv4), ipaddress.ip_network(addresses.ipv6)]
    for entry in json.loads(host.run(["ip", "-j", "addr", "show"])):
        for info in entry.get("addr_info", ()):
            there = ipaddress.ip_interface(f"{info['local']}/{info['prefixlen']}").network
            for network in planned:
                if there.version == network.version and there.overlaps(network):
                    raise BenchError(
                        f"{host.name}: the address {info['local']} is already in use, on {entry['ifname']}; "
                        f"the bench's network is {network}",
                        hint="Remove it, or give the bench other networks: `addresses:` in its file.",
                    )


def configure(host: Host, bench: LocalBench) -> Site:
    """Makes a bench of this machine. Everything is deferred for undoing first."""
    if host.facts.uid != 0:
        raise BenchError(
            "the local bench changes this machine's network, which needs root",
            hint="Run it with sudo, or use --bench emulated.",
        )
    kernel = find_kernel(bench.kernel)
    addresses = plan_addresses(bench.addresses.ipv4, bench.addresses.ipv6)
    if not bench.nic_in_use:  # or the machine may well be in that network itself
        refuse_used_networks(host, bench.addresses)
    if bench.nic and bench.peer_nic:
        nic, peer_nic = bench.nic, bench.peer_nic
        refuse_other_namespace(host)
        for name in (peer_nic,) if bench.nic_in_use else (nic, peer_nic):
            refuse_used_nic(host, name)
            refuse_shaped_nic(host, name)
        refuse_used_names(host, (), NAMESPACE)
    else:
        nic, peer_nic = VETH, PEER_VETH
        refuse_used_names(host, (nic, peer_nic), NAMESPACE)
        host.change(
            ["ip", "link", "add", nic, "type", "veth", "peer", "name", peer_nic], undo=["ip", "link", "del", "dev", nic]
        )
    accelerator = choose(host, kernel, bench.accelerator)
    peer = configure_peer(host, peer_nic, addresses.peer, NAMESPACE)
    if "UP" not in link(host, nic)["flags"] and not bench.nic_in_use:
        host.change(["ip", "link", "set", "dev", nic, "up"], undo=["ip", "link", "set", "dev", nic, "down"])
    wait_for_carrier(host, nic)
    cable = "veth pair" if not bench.nic else f"{nic} <-> {peer_nic}"
    return Site(
        kind="local",
        hypervisor=host,
        peer=peer,
        nic=nic,
        peer_nic=peer_nic,
        guest_accelerator=accelerator.name,
        guest_kernel=kernel,
        addresses=addresses,
        nic_in_use=bench.nic_in_use,
        console=lambda: host.run_plain(["dmesg"]).stdout,
        cable=cable,
        headline=f"this machine · {host.facts.cpus} CPUs · {cable} · kernel {host.facts.kernel} · "
        f"guests under {accelerator.name} ({accelerator.reason})",
    )
