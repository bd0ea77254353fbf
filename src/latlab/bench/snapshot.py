# SPDX-License-Identifier: Apache-2.0
"""What a host's network and scheduling look like: recorded before and after each run, and compared by tests.

Only what latlab might change, and what explains a latency; each entry as the kernel says it now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from latlab.hosts.host import Host

SYSCTLS = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.core.busy_poll", "net.core.busy_read",
           "net.bridge.bridge-nf-call-iptables", "kernel.sched_rt_runtime_us", "net.core.rmem_max",
           "net.core.default_qdisc")  # fmt: skip


def _json(host: Host, *argv: str) -> Any:
    result = host.run_plain(argv)
    try:
        return json.loads(result.stdout) if result.stdout.strip() else []
    except ValueError:
        return {"not readable": result.stderr.strip() or result.stdout[:200]}


def network(host: Host) -> dict[str, Any]:
    """Interfaces with their addresses, and qdiscs."""
    return {
        "interfaces": _json(host, "ip", "-j", "-d", "addr", "show"),
        "qdiscs": _json(host, "tc", "-j", "qdisc", "show"),
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is not as it was: interfaces, their masters, addresses and MTU, and root qdiscs. Pure."""
    lines = [
        {f"{place}: {line}" for place, found in taken.items() for line in _lines(found)} for taken in (before, after)
    ]
    gone, come = sorted(lines[0] - lines[1]), sorted(lines[1] - lines[0])
    return [f"{line} is gone" for line in gone] + [f"{line} is new" for line in come]


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for interface in found["interfaces"]:
        name = interface["ifname"]
        yield f"{name} (mtu {interface.get('mtu')}, {interface.get('address')}, master {interface.get('master')})"
        # Link-local ones come and go by themselves.
        for address in interface.get("addr_info", ()):
            if address.get("scope") != "link":
                yield f"{name} has {address['local']}/{address['prefixlen']}"
    for qdisc in found["qdiscs"]:
        if qdisc.get("root"):
            yield f"{qdisc['dev']} has root qdisc {qdisc['kind']}"


def machine(host: Host) -> dict[str, Any]:
    """Facts of the machine itself, the same in all its namespaces."""
    sysctls = host.run_plain(["sysctl", "-e", *SYSCTLS]).stdout.splitlines()
    return {
        "kernel": host.facts.kernel,
        "cpus": host.facts.cpus,
        "command_line": host.run_plain(["cat", "/proc/cmdline"]).stdout.strip(),
        "sysctls": dict(line.split(" = ", 1) for line in sysctls if " = " in line),
        "namespaces": sorted(n["name"] for n in _json(host, "ip", "-j", "netns", "list")),
        "load_average": host.run_plain(["cat", "/proc/loadavg"]).stdout.strip(),
    }
