# SPDX-License-Identifier: Apache-2.0
"""What a guest that latlab did not make is like, and what it may lack."""

from __future__ import annotations

import json
import shlex
from typing import Any

from latlab.bench.site import Address
from latlab.errors import BenchError
from latlab.hosts.host import Host


def describe(guest: Host) -> dict[str, Any]:
    """The guest's kernel, its distribution, and the modules that are loaded, for the run's record."""
    modules = guest.run_plain(["cat", "/proc/modules"]).stdout.splitlines()
    recovered = [str(entry) for entry in guest.facts.recovered]
    return {
        "kernel": guest.facts.kernel,
        "os": os_name(guest.run_plain(["cat", "/etc/os-release"]).stdout),
        "modules": sorted(line.split()[0] for line in modules if line),
        # What an agent of ours that was killed in there had left.
        **({"recovered": recovered} if recovered else {}),
    }


def accelerator(guest: Host) -> str:
    """What a guest that somebody else started runs under: `kvm`, `tcg`, or `unknown`, as far as it can tell itself."""
    clocks = guest.run_plain(["cat", "/sys/devices/system/clocksource/clocksource0/available_clocksource"]).stdout
    if "kvm-clock" in clocks.split():
        return "kvm"
    # The name that QEMU gives to the processor that it emulates (target/i386/cpu.c, "max").
    return "tcg" if "QEMU TCG CPU" in guest.run_plain(["cat", "/proc/cpuinfo"]).stdout else "unknown"


def os_name(os_release: str) -> str | None:
    """PRETTY_NAME of a text in the form of os-release(5), or None. Pure."""
    for line in os_release.splitlines():
        if line.startswith("PRETTY_NAME="):
            try:
                return "".join(shlex.split(line.partition("=")[2])) or None
            except ValueError:
                return None  # a quote that does not end
    return None


def interfaces(guest: Host) -> list[dict[str, Any]]:
    """Its interfaces with their addresses. BenchError when its `ip` is not iproute2's, as busybox's is not."""
    result = guest.run_plain(["ip", "-j", "addr", "show"])
    try:
        found: list[dict[str, Any]] = json.loads(result.stdout)
    except ValueError:
        said = (result.stderr.strip().splitlines() or ["nothing"])[0]
        raise BenchError(
            f"{guest.name}: its `ip` is not that of iproute2; it said: {said}",
            hint="Install iproute2 in the guest: apt install iproute2",
        ) from None
    return found


def add_missing_addresses(guest: Host, nic: str, address: Address) -> None:
    """Gives the interface what it lacks of both families, undone later. Without IPv6 in the guest, only IPv4.

    BenchError when another interface has one of them.
    """
    for entry in interfaces(guest):
        for info in entry.get("addr_info", ()):
            if entry["ifname"] != nic and info["local"] in (address.ip4, address.ip6):
                raise BenchError(
                    f"{guest.name}: address {info['local']} is already in use, on {entry['ifname']}",
                    hint="Give the bench other networks: `addresses:` in its file.",
                )
    there = {
        info["local"] for entry in interfaces(guest) if entry["ifname"] == nic for info in entry.get("addr_info", ())
    }
    without_ip6 = guest.run_plain(["cat", f"/proc/sys/net/ipv6/conf/{nic}/disable_ipv6"]).stdout.strip() != "0"
    for word, local, prefix in (("-4", address.ip4, address.prefix4), ("-6", address.ip6, address.prefix6)):
        if local in there or (word == "-6" and without_ip6):
            continue
        # nodad: duplicate detection would keep the address unusable for its first second.
        extra = ["nodad"] if word == "-6" else []
        guest.change(
            ["ip", word, "addr", "add", f"{local}/{prefix}", "dev", nic, *extra],
            undo=["ip", word, "addr", "del", f"{local}/{prefix}", "dev", nic],
        )
