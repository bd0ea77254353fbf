# SPDX-License-Identifier: Apache-2.0
"""A flow between a guest and its host's own clock: who is who, for the methods that ask the hypervisor. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from latlab.attachment.wiring import End
from latlab.bench.site import Site
from latlab.hosts.host import Host
from latlab.timing.reading import Reading


@dataclass(frozen=True)
class GuestPair:
    guest: Host
    hypervisor: Host
    guest_reflects: bool

    def reading(
        self, source: str, *, guest_tai_ns: int, host_tai_ns: int, error_ns: int, event: str | None = None
    ) -> Reading:
        """The two clocks at one moment as a row: the reflector's minus the sender's, at a time of the sender's."""
        offset_ns = guest_tai_ns - host_tai_ns
        return Reading(
            time_ns=host_tai_ns if self.guest_reflects else guest_tai_ns,
            host="reflector",
            source=source,
            reference="sender",
            offset_ns=offset_ns if self.guest_reflects else -offset_ns,
            error_ns=error_ns,
            event=event,
        )


def guest_pair(site: Site, sender: End, reflector: End) -> GuestPair | str:
    """Or why the flow is not between a guest and its host's clock."""
    known = {host.facts.id for host in (site.hypervisor, site.peer)}
    guests = [end for end in (sender, reflector) if end.host.facts.id not in known]
    if not guests:
        return "there is no guest in this flow"
    if len(guests) == 2:
        return "both ends are guests"
    guest = guests[0].host
    other = reflector.host if guest is sender.host else sender.host
    if other.facts.boot_id != site.hypervisor.facts.boot_id:
        return f"it compares the guest with its host only, and {other.name} is another machine"
    return GuestPair(guest, site.hypervisor, guest_reflects=guest is reflector.host)


def kvm_obstacle(site: Site) -> str | None:
    """Why no hypervisor can be asked for its guest's clock."""
    if site.guest_accelerator != "kvm":
        return f"the guest runs under {site.guest_accelerator}, not under KVM"
    return None
