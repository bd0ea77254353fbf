# SPDX-License-Identifier: Apache-2.0
"""What of the NICs makes latency, and how well they can tell the time: pure, over what ethtool and sysfs said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from latlab.doctor.finding import Finding
from latlab.doctor.machine import Machine, SeenNic

WAYS = ("software-transmit", "software-receive", "hardware-transmit", "hardware-receive")


@dataclass(frozen=True)
class Stamping:
    """What a NIC can stamp. `clock`: the number of its PHC, None for none."""

    ways: frozenset[str]
    clock: int | None
    filters: tuple[str, ...]
    """Packets that it stamps in hardware as they arrive: `all`, `ptpv2-event`, ..."""


def nic_findings(seen: Machine) -> tuple[Finding, ...]:
    found = [finding for nic in seen.nics for finding in _nic(nic)]
    return (*found, *_clocks(seen))


def read_stamping(text: str) -> Stamping:
    """`ethtool -T`, whose words are the same from 3.4 to 6.x: `--json` came late, and says no more."""
    sections: dict[str, list[str]] = {}
    title = ""
    clock = re.search(r"^(?:PTP Hardware Clock|Hardware timestamp provider index): ([0-9]{1,6})$", text, re.MULTILINE)
    for line in text.splitlines():
        if line[:1].isspace():
            sections.setdefault(title, []).extend(line.split()[:1])
        else:
            title = line.partition(":")[0]
    filters = [name for name in sections.get("Hardware Receive Filter Modes", ()) if name != "none"]
    ways = frozenset(sections.get("Capabilities", ())) & frozenset(WAYS)
    return Stamping(ways, int(clock[1]) if clock else None, tuple(filters))


def _nic(nic: SeenNic) -> Iterator[Finding]:
    stamping = read_stamping(nic.stamping)
    yield Finding(f"{nic.name} stamps", _stamps(stamping))
    if nic.numa_node not in ("", "-1"):
        yield Finding(f"{nic.name} memory", f"NUMA node {nic.numa_node}: keep guest and interrupts on its CPUs")
    waits = {
        way: int(text) for way, text in re.findall(r"^(rx|tx)-usecs:\s+([0-9]{1,9})$", nic.coalescing, re.MULTILINE)
    }
    adaptive = re.search(r"^Adaptive RX: on\b", nic.coalescing, re.MULTILINE)
    if adaptive or any(waits.values()):
        told = ", ".join(f"{way} {us} us" for way, us in waits.items()) + (", adaptive" if adaptive else "")
        cost = "the NIC holds an interrupt back for so long, in the hope of more packets"
        ways = [f"{way}-usecs 0" for way in waits]
        remedy = " ".join(["sudo ethtool -C", nic.name, *(["adaptive-rx off"] if adaptive else []), *ways])
        yield Finding(f"{nic.name} interrupts", told.removeprefix(", "), cost, remedy)
    if re.search(r"^\s*EEE status: enabled", nic.eee, re.MULTILINE):
        cost = "the link sleeps between packets, and wakes up in some tens of us"
        yield Finding(
            f"{nic.name} link", "Energy-Efficient Ethernet", cost, f"sudo ethtool --set-eee {nic.name} eee off"
        )


def _stamps(stamping: Stamping) -> str:
    told = []
    for kind in ("software", "hardware"):
        ways = [way for way in ("transmit", "receive") if f"{kind}-{way}" in stamping.ways]
        told.append(f"{kind} {' and '.join(ways)}" if ways else f"no {kind}")
    if stamping.filters:
        told.append(f"receive filters {', '.join(stamping.filters)}")
    told.append("no PHC" if stamping.clock is None else f"PHC /dev/ptp{stamping.clock}")
    return "; ".join(told)


def _clocks(seen: Machine) -> Iterator[Finding]:
    if not seen.clocks:
        yield Finding("PHC", "none")
    for name, (called, device) in seen.clocks.items():
        access = "not there" if device is None else "readable" if device.readable else "not readable without root"
        yield Finding(f"PHC /dev/{name}", f"{called or 'no name'}, {access}")
