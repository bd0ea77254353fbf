# SPDX-License-Identifier: Apache-2.0
"""An interface that disappears with its driver, and comes back as it was: its name, its settings, its link.

The kernel keeps nothing of an interface whose device goes to another driver. What it had is read before, and deferred
as commands that set it again. Not among them: addresses and qdiscs (a NIC that has any is refused before), the number
of the interface, which the kernel counts up, and settings that only `ethtool` or the driver know beyond those below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from latlab.attachment.pci import PciDevice
from latlab.hosts.host import Host

COMES_BACK = (
    'for try in $(seq 100); do [ "$(ls "$0/net" 2>/dev/null)" ] && break; sleep 0.1; done; '
    "command -v udevadm >/dev/null && udevadm settle --timeout=3; "
    'now=$(ls "$0/net") || exit; [ "$now" = "$1" ] || '
    '{ ip link set dev "$now" down; ip link set dev "$now" name "$1"; }'
)
"""Waits for the interface of a device, and until udev has given it the name that udev wants; gives it its own."""

HAS_CARRIER = 'for try in $(seq 100); do ip link show dev "$0" | grep -q LOWER_UP && break; sleep 0.1; done'
"""Waits until an interface has its link again: negotiating it takes seconds."""

_OF_ITSELF = re.compile(r"net\.ipv[46]\.(?:conf|neigh)\.")


def comes_back(host: Host, device: PciDevice, nic: str, found: Mapping[str, Any]) -> None:
    """Defers naming and setting the interface again, `found` as it is now, for when its device has its driver back."""
    settings_come_back(host, device, nic, found)
    host.defer(["sh", "-c", COMES_BACK, device.folder, nic])


def settings_come_back(host: Host, device: PciDevice, nic: str, found: Mapping[str, Any]) -> None:
    """Defers setting the interface again, and waiting for its link, if it has one now: whoever comes next finds it."""
    if "LOWER_UP" in found["flags"]:
        host.defer(["sh", "-c", HAS_CARRIER, nic])
    if "UP" in found["flags"]:
        host.defer(["ip", "link", "set", "dev", nic, "up"])
    for command in _settings(host, device, nic, found):
        host.defer(command)


def _settings(host: Host, device: PciDevice, nic: str, found: Mapping[str, Any]) -> list[list[str]]:
    """The commands that set what a driver's new interface may not have."""
    commands = []
    if sysctls := _own_sysctls(host, nic):
        commands.append(["sysctl", "-q", "-w", *sysctls])
    features = json.loads(host.run_plain(["ethtool", "--json", "-k", nic]).stdout or "[{}]")[0]
    words = [w for name, state in features.items() for w in _feature(name, state)]
    if words:
        commands.append(["ethtool", "-K", nic, *words])
    for option, shown in (("-L", "-l"), ("-G", "-g")):
        if numbers := current_numbers(host.run_plain(["ethtool", shown, nic]).stdout):
            commands.append(["ethtool", option, nic, *numbers])
    general = [
        w for key, word in (("mtu", "mtu"), ("txqlen", "txqueuelen")) if key in found for w in (word, str(found[key]))
    ]
    # A virtual function may come back with another random address.
    if "permaddr" in found or device.is_virtual:
        general += ["address", found["address"]]
    return [*commands, *([["ip", "link", "set", "dev", nic, *general]] if general else [])]


def _own_sysctls(host: Host, nic: str) -> list[str]:
    """`name=value` of those that this interface has otherwise than a new one would. MTU and neighbour limits follow."""
    pattern = rf"^net\.ipv[46]\.(conf|neigh)\.({re.escape(nic)}|default)\."
    lines = host.run_plain(["sysctl", "-a", "--pattern", pattern]).stdout.splitlines()
    values = dict(line.split(" = ", 1) for line in lines if " = " in line)
    different = []
    for name, value in values.items():
        start = _OF_ITSELF.match(name)
        if start and name[start.end() :].startswith(f"{nic}.") and not name.endswith(".mtu"):
            other = start.group() + "default." + name[start.end() + len(nic) + 1 :]
            if values.get(other) != value:
                different.append(f"{name}={value}")
    return different


def _feature(name: str, state: Any) -> tuple[str, ...]:
    """Two words for `ethtool -K`, for what can be changed and is no name for several others."""
    if not isinstance(state, dict) or state.get("fixed") is not False:
        return ()
    return (name, "on" if state["requested"] else "off")


def current_numbers(shown: str) -> list[str]:
    """What `ethtool -l` and `-g` print as current settings, as words for `-L` and `-G`. Pure."""
    _, _, current = shown.partition("Current hardware settings:")
    words = {"RX": "rx", "TX": "tx", "RX Mini": "rx-mini", "RX Jumbo": "rx-jumbo", "Combined": "combined"}
    pairs = [line.split(":", 1) for line in current.splitlines() if ":" in line]
    numbers = {words[name]: value.strip() for name, value in pairs if name in words}
    return [w for name, value in numbers.items() if value.isdigit() and int(value) for w in (name, value)]
