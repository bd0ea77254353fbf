# SPDX-License-Identifier: Apache-2.0
"""Canned machines with identities of their own, and a site of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from latlab.attachment.wiring import End
from latlab.bench.site import Address, AddressPlan, Site
from latlab.errors import HostError
from latlab.guest.kernel import Kernel
from latlab.hosts.host import Host, Undo
from tests.canned import FACTS, CannedHost

ADDRESS = Address("198.18.77.1", "2001:2:0:77::1")


class NoUndo(Undo):
    """Nothing is undone: what would be is in the host's `afterwards`."""

    def __init__(self) -> None:
        pass

    @property
    def mark(self) -> int:
        return 0

    def unwind(self, mark: int = 0) -> list[HostError]:  # noqa: ARG002
        return []


def machine(name: str, answers: Mapping[str, Any] | None = None, *, boot: str = "", **facts: Any) -> CannedHost:
    host = CannedHost(answers or {}, name=name, facts=replace(FACTS, id=f"id-of-{name}", boot_id=boot or name, **facts))
    host.undo = NoUndo()
    return host


def end(host: Host, nic: str = "eth0") -> End:
    return End(host, nic, ADDRESS, ADDRESS, "52:54:00:a1:00:01")


def site(hypervisor: Host, peer: Host, **others: Any) -> Site:
    plan = AddressPlan(ipaddress.IPv4Network("198.18.77.0/24"), ipaddress.IPv6Network("2001:2:0:77::/64"))
    kernel = Kernel("6.12", Path("vmlinuz"), Path("/"))
    asked = {"kind": "emulated", "guest_accelerator": "kvm", **others}
    return Site(hypervisor=hypervisor, peer=peer, nic="eth0", peer_nic="eth1", guest_kernel=kernel, addresses=plan,
                console=str, **asked)  # fmt: skip
