# SPDX-License-Identifier: Apache-2.0
"""What a running Open vSwitch says of its packets: the evidence that the three attachments have in common.

Counters come from the daemon itself (`ovs-appctl`), not from its database, which takes them over every five seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from latlab.attachment.openvswitch import BRIDGE, Switch

RUNS = "ovs-vswitchd runs"
"""A fact that every run rests on: the kernel's datapath goes on for a while without the daemon."""


@dataclass(frozen=True)
class Datapath:
    """What `dpctl/show --statistics` says."""

    name: str
    lookups: int
    """Packets that the datapath has looked up, found or not."""
    packets: Mapping[str, tuple[int, int]]
    """Received and sent, for each port; (0, 0) while it has no guest to ask."""
    details: Mapping[str, str]
    """What is in brackets behind each port."""

    def counters(self, *ports: str) -> dict[str, int]:
        """`{"port <name> rx packets": n, ...}` and the lookups, which are two for each round trip, or more."""
        found = {"datapath lookups": self.lookups}
        for port in ports:
            received, sent = self.packets.get(port, (0, 0))
            found |= {f"port {port} rx packets": received, f"port {port} tx packets": sent}
        return found


def read_datapath(text: str) -> Datapath:
    """Pure. Of a port without statistics the daemon prints an error, and forgets the line's end."""
    head, *ports = re.split(r"(?=port \d+: )", text)
    name = head.partition(":")[0].strip()
    looked_up = re.search(r"hit:(\d+) missed:(\d+)", head)
    packets, details = {}, {}
    for port in ports:
        named = re.match(r"port \d+: (\S+)(?: \(([^)]*)\))?", port)
        assert named
        counts = re.findall(r"[RT]X packets:(\d+)", port)
        packets[named[1]] = (int(counts[0]), int(counts[1])) if len(counts) == 2 else (0, 0)
        details[named[1]] = named[2] or ""
    return Datapath(name, sum(map(int, looked_up.groups())) if looked_up else 0, packets, details)


def datapath(switch: Switch) -> Datapath:
    return read_datapath(switch.appctl("dpctl/show", "--statistics"))


def learnt(fdb: str, mac: str) -> str | None:
    """The number of the port behind which a bridge has learnt an address, out of `fdb/show`. Pure."""
    for line in fdb.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] == mac:
            return fields[0]
    return None


def detail(found: Datapath, port: str, name: str) -> str:
    """One of the things in brackets behind a port: `xdp-mode-in-use` -> `native`; empty when it is not said. Pure."""
    words = re.findall(rf"{re.escape(name)}=([^,]+)", found.details.get(port, ""))
    return words[0] if words else ""


def facts(switch: Switch, found: Datapath, wanted: str, port: str, mac: str) -> dict[str, bool]:
    """What must hold behind every one of our bridges."""
    number = switch.get("interface", port, "ofport")
    return {
        f"the bridge's datapath is {wanted}": found.name == wanted,
        f"{BRIDGE} has learnt {mac} behind {port}": learnt(switch.appctl("fdb/show", BRIDGE), mac) == number,
    }
