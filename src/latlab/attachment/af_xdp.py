# SPDX-License-Identifier: Apache-2.0
"""A NIC made ready for an AF_XDP socket: one queue, whole packets, and nobody else's XDP program.

A socket reads one queue of the NIC. What the NIC puts into another one goes to the kernel's stack: lost for the switch,
and seen by nobody unless somebody counts (see `stray_counters`). What a NIC does for the kernel it does
beside the packet, and XDP sees the packet alone: a checksum still to be computed and a VLAN tag kept aside are missing.
"""

from __future__ import annotations

import json
import re

from latlab.bench.site import Site, link, wait_for_carrier
from latlab.errors import BenchError, CommandError
from latlab.features import features_off
from latlab.hosts.host import Host

ASIDE = {
    "tx-checksum-ipv4": "tx-checksum-ipv4",
    "tx-checksum-ip-generic": "tx-checksum-ip-generic",
    "tx-checksum-ipv6": "tx-checksum-ipv6",
    "tx-vlan-offload": "txvlan",
    "rx-vlan-offload": "rxvlan",
}
"""What is done beside the packet, as `ethtool -k` says it and as `ethtool -K` takes it. At both ends: on a pair of veth
nobody would finish what the other end left undone, and some NICs (igb) change the last two together only."""


def refuse_other_program(host: Host, nic: str) -> None:
    """BenchError when somebody's XDP program is on the NIC: ours would replace it."""
    program = link(host, nic).get("xdp")
    if program:
        found = program.get("prog", {})
        raise BenchError(
            f"{host.name}: {nic} has an XDP program of somebody else's: {found.get('name') or found.get('id')}",
            hint=f"If nobody needs it: ip link set dev {nic} xdp off",
        )


def prepare(site: Site, *, one_queue: bool = True) -> int:
    """Everything that the NIC and the other end of its cable need; how many queues the NIC has then: one, or as many as
    it is found with. BenchError when the NIC cannot do it.
    """
    host, nic = site.hypervisor, site.nic
    refuse_other_program(host, nic)
    _leave_packets_whole(host, nic)
    _leave_packets_whole(site.peer, _below(site.peer, site.peer_nic))
    if one_queue:
        _leave_one_queue(host, nic)
        wait_for_carrier(host, nic)
    # The programs that load an XDP program leave it there when they are killed, and the NIC promiscuous.
    host.defer(["ip", "link", "set", "dev", nic, "xdp", "off"])
    if "PROMISC" not in link(host, nic)["flags"]:
        host.defer(["ip", "link", "set", "dev", nic, "promisc", "off"])
    return current_queues(host, nic)


def _below(host: Host, name: str) -> str:
    """The interface that a VLAN interface is on; any other is itself."""
    found = link(host, name)
    below: str = found["link"] if found.get("linkinfo", {}).get("info_kind") == "vlan" else name
    return below


def _leave_packets_whole(host: Host, nic: str) -> None:
    left = features_off(host, nic, ASIDE)
    if left:
        raise BenchError(f"{host.name}: {nic} keeps {', '.join(left)}", hint="AF_XDP needs a NIC that can do without.")


def read_channels(text: str) -> dict[str, tuple[int, int]]:
    """`ethtool -l`: kind of queue ("rx", "combined", ...) -> (most, now), of those that the NIC has. Pure."""
    values: dict[str, list[int]] = {}
    for kind, value in re.findall(r"^(\w+):\s+(\d+)$", text, re.MULTILINE):
        values.setdefault(kind.lower(), []).append(int(value))
    return {kind: (both[0], both[1]) for kind, both in values.items() if len(both) == 2 and both[0]}


def _channels(host: Host, nic: str) -> dict[str, tuple[int, int]]:
    return read_channels(host.run_plain(["ethtool", "-l", nic]).stdout)


def current_queues(host: Host, nic: str) -> int:
    """How many receive queues are in use; a driver that does not say has one."""
    found = _channels(host, nic)
    return (found.get("combined") or found.get("rx") or (1, 1))[1]


def _leave_one_queue(host: Host, nic: str) -> None:
    now = current_queues(host, nic)
    if now == 1:
        return
    kind = "combined" if "combined" in _channels(host, nic) else "rx"
    try:
        host.change(["ethtool", "-L", nic, kind, "1"], undo=["ethtool", "-L", nic, kind, str(now)])
    except CommandError as error:
        raise BenchError(
            f"{host.name}: {nic} cannot have one queue: {error.stderr}", hint="Use a NIC that can be set to one queue."
        ) from error
    if (left := current_queues(host, nic)) != 1:
        raise BenchError(f"{host.name}: {nic} has {left} queues, not 1", hint="Use a NIC that can be set to one queue.")


_QUEUE = re.compile(r"^\s*rx(?:_queue_|-|_)?(\d+)(?:\.|_)(?:xdp_)?packets: (\d+)$", re.MULTILINE)
"""igb, ixgbe, virtio_net, veth: `rx_queue_0_packets`; i40e, ice: `rx-0.packets`; mlx5: `rx0_packets`."""


def read_queue_packets(text: str) -> dict[int, int]:
    """`ethtool -S`: queue -> packets that it has received. Pure; drivers name them each in its own way."""
    packets: dict[int, int] = {}
    for queue, count in _QUEUE.findall(text):
        packets[int(queue)] = max(packets.get(int(queue), 0), int(count))
    return packets


def stray_counters(host: Host, nic: str) -> dict[str, int]:
    """Packets that went round the socket on queue 0: what the NIC has received on the others, and what reached the
    kernel's IP layer although it is for another machine (since Linux 5.19).
    """
    queues = read_queue_packets(host.run_plain(["ethtool", "-S", nic]).stdout)
    found = json.loads(host.run(["ip", "-j", "-s", "-s", "link", "show", "dev", nic]) or "[{}]")[0]
    passed = found.get("stats64", {}).get("rx", {}).get("otherhost_dropped", 0)
    return {f"{nic} rx packets on queue {queue}, read by nobody": n for queue, n in queues.items() if queue} | {
        f"{nic} rx packets given to the kernel's stack": int(passed)
    }
